"""The whole engine between a simulated cluster and a simulated Cloudflare, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from testbed.chaos.operator_process import running_operator
from testbed.cluster import AnswerLost, Away, Chance, Refused, Request, WatchHabits
from testbed.cluster.virtual_time import run
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, HOST, WINDOW, World
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

UNLUCKY: Final = Chance(0.2, (Away(), AnswerLost(), AnswerLost(after=30.0), Refused(409), Refused(500)))
DEAF: Final = WatchHabits(lag=(0.0, 3.0), repeats=0.2, lifetime=(5.0, 60.0), gaps=0.5, deaf=0.3)


async def _set_up(seed: int) -> World:
    """A world in which a binding has become ready."""
    world = World.begin(seed)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
    return world


@in_virtual_time
async def test_a_binding_becomes_ready() -> None:
    world = await _set_up(seed=1)

    assert world.rules() == ["block", "log"]
    assert world.cloudflare.monitor.finish() == []


def test_the_same_seed_gives_the_same_trace() -> None:
    one, two, other = (run(_set_up(seed)) for seed in (1, 1, 2))

    assert one.trace() == two.trace()
    assert one.trace() != other.trace()


@in_virtual_time
async def test_a_deleted_namespace_goes_and_leaves_nothing_at_cloudflare() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        world.cluster.users.delete_namespace("shop")
        await until(lambda: world.cluster.users.read("Namespace", "", "shop") is None)

    assert world.rules() == []
    assert world.cloudflare.state.lists == {}
    assert world.cloudflare.state.certificates[ACCOUNT] == {}
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_what_went_wrong_is_made_good_once_nothing_goes_wrong_any_more() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        process.client.faults.chance, process.client.habits = UNLUCKY, DEAF
        world.apply_both()
        await asyncio.sleep(300)
        process.client.calm()
        await until(world.all_ready)

    assert "answer lost" in {entry.outcome for entry in world.cluster.log}
    assert world.rules() == ["block", "log"]
    assert world.cloudflare.monitor.finish() == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["write finalizers of", "write status of", "list"])
@in_virtual_time
async def test_a_process_killed_at_a_request_is_succeeded_by_one_that_goes_on(verb: str, moment: str) -> None:
    world = World.begin()
    victim = world.start()
    hooks = {"before": world.cluster.before_request, "after": world.cluster.after_request}[moment]

    def kill(_index: int, request: Request) -> None:
        if request.verb == verb and request.key.kind == BINDING:
            victim.client.kill()

    hooks.append(kill)
    world.apply_both()
    await until(lambda: not victim.client.alive)
    await victim.kill()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await until(world.all_ready)
        ready = world.rules()
        world.delete_both()
        await until(world.all_gone)

    assert ready == ["block", "log"]
    assert world.rules() == []
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_a_new_process_writes_nothing_for_a_binding_that_waits_for_another_to_let_go() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        world.apply_authority("rival")
        world.apply_binding("second", HOST, authority="rival")
        await until(lambda: world.condition(BINDING, "second", "Associated") == ("False", "Conflicted"))
        await asyncio.sleep(10 * WINDOW)
    begun = len(world.cluster.log)

    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await asyncio.sleep(10 * WINDOW)

    assert world.written(begun) == []
