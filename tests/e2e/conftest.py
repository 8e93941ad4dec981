"""The world of the end-to-end tests: one cluster with the operator for all of them, a tenant of its own for each.

`make e2e` spreads the modules over a few workers, each with a world of its own, because most of a test is waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from testbed.controlplane import ControlPlane
from tests.e2e.tenant import Tenant
from tests.e2e.world import World, cloudflare, world_on

LONGEST_FIRST: Final = (
    "test_two_clusters",
    "test_crash",
    "test_crash_of_a_rotation",
    "test_namespace_deletion",
    "test_refused_references",
    "test_old_reads",
    "test_steady_state",
    "test_faults",
    "test_policies",
    "test_demo",
    "test_sharing",
)
"""The modules that take longest. The others fill up what is left of the workers' time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers take the modules in the order of their tests."""
    places = {f"tests.e2e.{name}": place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(_module(item), len(places)))


def _module(item: pytest.Item) -> str:
    return item.module.__name__ if isinstance(item, pytest.Function) else ""


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
