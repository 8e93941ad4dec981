"""The API server is away, slow, or says no: the operator waits, hurts nobody meanwhile, and goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from testbed.chaos.operator_process import running_operator
from testbed.cluster import AnswerLost, Away, Fault, Refused, Request, SimulatedCluster, Slow
from testbed.cluster.faults import Effect
from tests.contract.cluster.engine_world import CONFIGURATION, HOST, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

MINUTES = 60.0
DEAF_FOR = 24 * 3600.0
TROUBLES = [
    Away(),
    Away(after=30.0),
    AnswerLost(),
    AnswerLost(after=30.0),
    Slow(25.0),
    *map(Refused, (401, 403, 409, 410, 413, 422, 429, 500, 503, 504)),
]


def requests(cluster: SimulatedCluster, since: float) -> int:
    """How often processes asked the API server for something, successful or not."""
    return sum(entry.index is not None and entry.time >= since for entry in cluster.log)


def writes(request: Request) -> bool:
    return request.verb.startswith("write")


def about(name: str) -> Callable[[Request], bool]:
    """Writes of the object of this name."""
    return lambda request: writes(request) and request.key.name == name


@pytest.mark.parametrize("effect", TROUBLES, ids=str)
@in_virtual_time
async def test_an_api_server_in_trouble_from_the_start_is_waited_for_without_hammering(effect: Effect) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        process.client.faults.add(Fault(effect, times=None))
        begun = world.clock.now()
        world.apply_both()
        await asyncio.sleep(10 * MINUTES)
        asked, sent = requests(world.cluster, begun), len(world.cloudflare.log)
        process.client.faults.clear()
        await until(world.all_ready)

    # A pause grows to a minute; what only takes its time is not in trouble, and gets its answers.
    assert asked < 100
    assert sent == 0 or isinstance(effect, Slow)
    assert world.rules() == ["block", "log"]
    assert world.cloudflare.monitor.finish() == []


def takes_another_token(world: World) -> None:
    world.cluster.users.edit(CA, "shop", "waits", lambda body: body["spec"].pop("credentialsRef"))


def goes(world: World) -> None:
    world.cluster.users.delete(CA, "shop", "waits")


@pytest.mark.parametrize("become", [takes_another_token, goes])
@in_virtual_time
async def test_a_start_waits_no_longer_for_a_secret_that_nobody_refers_to_any_more(
    become: Callable[[World], None],
) -> None:
    world = World.begin()
    world.apply_both()
    world.apply_authority("waits", credentialsRef={"name": "own", "key": "token"})
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        process.client.faults.add(Fault(Slow(DEAF_FOR), match=lambda request: request.key.name == "own"))
        await asyncio.sleep(MINUTES)
        sent = len(world.cloudflare.log)
        become(world)
        await until(world.all_ready)

    assert sent == 0


@pytest.mark.parametrize("effect", TROUBLES, ids=str)
@in_virtual_time
async def test_writes_that_go_wrong_in_the_middle_of_everything_are_made_good(effect: Effect) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        world.apply_both()
        await asyncio.sleep(100)
        process.client.faults.add(Fault(effect, match=writes, times=None))
        begun = world.clock.now()
        await asyncio.sleep(10 * MINUTES)
        asked = requests(world.cluster, begun)
        process.client.faults.clear()
        await until(world.all_ready)
        process.client.faults.add(Fault(effect, match=writes, times=None))
        begun = world.clock.now()
        world.delete_both()
        await asyncio.sleep(10 * MINUTES)
        asked_at_the_end = requests(world.cluster, begun)
        process.client.faults.clear()
        await until(world.all_gone)

    assert max(asked, asked_at_the_end) < 120
    assert world.rules() == []
    assert world.cloudflare.state.lists == {}
    assert world.cloudflare.monitor.finish() == []


@pytest.mark.parametrize("code", [403, 413, 422])
@in_virtual_time
async def test_a_resource_that_cannot_be_written_to_holds_up_no_other_with_or_without_a_zone(code: int) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        process.client.faults.add(Fault(Refused(code), match=about("aa-refused"), times=None))
        process.client.faults.add(Fault(Refused(code), match=about("aa-nowhere"), times=None))
        world.apply_authority("partners")
        world.apply_binding("aa-refused", "refused.example.com")
        world.apply_binding("aa-nowhere", "www.nowhere.example", zone="nowhere.example")
        world.apply_binding("api", HOST)
        world.apply_binding("lost", "www.lost.example", zone="lost.example")
        await until(world.all_ready)
        await until(lambda: world.condition(BINDING, "lost", "ResolvedRefs")[1] == "ZoneNotFound")
        begun = world.clock.now()
        await asyncio.sleep(30 * MINUTES)
        asked = requests(world.cluster, begun)

    assert world.status(BINDING, "aa-refused") == {}
    assert asked < 200
    assert world.cloudflare.monitor.finish() == []


@pytest.mark.parametrize(("kind", "name"), [(BINDING, "refused"), (CA, "refused")])
@in_virtual_time
async def test_a_waived_clean_up_that_cannot_be_written_down_holds_up_no_other(kind: str, name: str) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        world.apply_authority("refused")
        world.apply_binding("refused", "refused.example.com", authority="refused")
        await until(lambda: world.condition(BINDING, "refused")[0] == "True")
        process.client.faults.add(Fault(Refused(422), match=about("refused"), times=None))
        world.cluster.users.annotate(kind, "shop", name, {"apishield-mtls.io/force-orphan": "true"})
        world.cluster.users.delete(kind, "shop", name)
        await asyncio.sleep(MINUTES)
        world.apply_both()
        await until(world.all_ready)
        process.client.faults.clear()
        await until(lambda: world.cluster.users.read(kind, "shop", name) is None)


@in_virtual_time
async def test_what_a_deaf_watch_does_not_tell_is_found_by_listing() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        world.apply_both()
        await until(world.all_ready)
        process.workers.lag = (DEAF_FOR, DEAF_FOR)
        world.apply_binding("new", "new.example.com")
        world.cluster.users.delete(BINDING, "shop", "api")
        await asyncio.sleep(20 * MINUTES)

    assert world.condition(BINDING, "new") == ("True", "Reconciled")
    assert world.cluster.users.read(BINDING, "shop", "api") is None
    assert world.cloudflare.monitor.finish() == []
