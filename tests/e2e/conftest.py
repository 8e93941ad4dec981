"""The world of the end-to-end tests: one cluster with the operator for all of them, a tenant of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from testbed.controlplane import ControlPlane
from tests.e2e.tenant import Tenant
from tests.e2e.two_clusters import Story, play_all
from tests.e2e.world import World, cloudflare, world_on


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for the stories of two clusters comes last, when they have been played beside all other tests."""
    items.sort(key=_wants_stories)


def _wants_stories(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "stories" in item.fixturenames


@pytest.fixture(scope="session", autouse=True)
def stories_under_way(request: pytest.FixtureRequest) -> Iterator[Future[dict[str, Story]] | None]:
    """The stories of two clusters, begun before the first test where a test wants them: they consist of waiting, and go
    on beside the other tests. None where no test wants them."""
    if not any(map(_wants_stories, request.session.items)):
        yield None
        return
    request.getfixturevalue("control_plane_programs")
    with ThreadPoolExecutor(1) as player:
        yield player.submit(play_all)


@pytest.fixture(scope="session")
def stories(stories_under_way: Future[dict[str, Story]]) -> dict[str, Story]:
    """The stories of two clusters, played to their end."""
    return stories_under_way.result()


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
