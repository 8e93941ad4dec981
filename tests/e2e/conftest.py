"""The world of the end-to-end tests: one cluster with the operator for all of them, a tenant of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.controlplane import ControlPlane
from tests.e2e.tenant import Tenant
from tests.e2e.world import World, cloudflare, world_on


@pytest.fixture(scope="session")
def common_world(control_plane_programs: None) -> Iterator[World]:
    """A cluster of its own, because the operator watches all namespaces, and the operator in it."""
    with cloudflare() as api, ControlPlane.start() as cluster, world_on(cluster, api) as world:
        yield world
        violations = [str(each) for each in world.simulation.monitor.finish()]
    assert not violations, "\n".join(violations)


@pytest.fixture(scope="module")
def module_world(common_world: World) -> Iterator[World]:
    """The world for the fixtures of a module, whose faults end with it."""
    yield common_world
    common_world.simulation.faults.clear()


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    """The world, which no test may leave with a violated invariant."""
    before = len(module_world.simulation.monitor.violations)
    yield module_world
    module_world.simulation.faults.clear()
    violations = [str(each) for each in module_world.simulation.monitor.violations[before:]]
    assert not violations, "\n".join(violations)


@pytest.fixture
def tenant(world: World) -> Tenant:
    """A new user with one zone. What it leaves behind stays in force until the end of all tests."""
    return Tenant.arrive(world)
