"""Somebody replaces the zone's whole ruleset: what is remembered of it survives the process that noticed it."""

from __future__ import annotations

import asyncio
from datetime import datetime

from testbed.chaos.operator_process import running_operator
from tests.contract.cluster.engine_world import CONFIGURATION, HOST, ZONE, World
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
CEILING = 900.0


def removals_from(world: World) -> str | None:
    moment: str | None = world.status(BINDING, "api").get("removalsFrom")
    return moment


@in_virtual_time
async def test_what_is_deleted_after_a_restart_stays_until_others_had_time_to_claim_it_again() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        await asyncio.sleep(HOUR)
        world.cloudflare.remove_ruleset_rules(ZONE, settled=True)
        await until(lambda: removals_from(world) is not None)
    banned_until = datetime.fromisoformat(removals_from(world) or "").timestamp()

    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.delete_both()
        await asyncio.sleep(banned_until - world.clock.now() - 5.0)
        listed, reason = world.cloudflare.state.lists, world.condition(BINDING, "api")[1]
        await until(world.all_gone)

    assert list(listed.values()) == [{HOST}]
    assert reason == "DeletionBlocked"
    assert world.clock.now() - banned_until < CEILING
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_it_is_not_said_any_longer_when_it_is_over() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        await asyncio.sleep(HOUR)
        world.cloudflare.remove_ruleset_rules(ZONE, settled=True)
        await until(lambda: removals_from(world) is not None)

        await asyncio.sleep(HOUR)

    assert removals_from(world) is None
    assert world.all_ready()
    assert world.rules() == ["block", "log"]
