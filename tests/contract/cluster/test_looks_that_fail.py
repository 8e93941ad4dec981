"""Cloudflare cannot be read any more: what is in force stays, and it is said that nobody can tell."""

from __future__ import annotations

import asyncio

import pytest

from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.faults import AnswerStatus, Fault, Match
from tests.contract.cluster.engine_world import CONFIGURATION, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
WELL = ("True", "Reconciled")
LATE = ("True", "ResyncDelayed")


@pytest.mark.parametrize(("status", "words"), [(503, "Cloudflare failed with 503"), (403, "403")])
@pytest.mark.parametrize(("kind", "name"), [(BINDING, "api"), (CA, "partners")])
@in_virtual_time
async def test_a_look_that_is_late_is_said_with_what_keeps_it_and_forgotten_when_it_was_taken(
    kind: str, name: str, status: int, words: str
) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        await asyncio.sleep(HOUR)
        world.cloudflare.faults.add(Fault(AnswerStatus(status), Match(), times=None))
        await asyncio.sleep(HOUR / 6)
        soon = world.condition(kind, name)
        await asyncio.sleep(HOUR)
        late, message = world.condition(kind, name), world.message(kind, name)
        writes = len(world.cluster.log)
        await asyncio.sleep(HOUR)
        repeated = {entry.what.split(" ")[0] for entry in world.cluster.log[writes:]}
        world.cloudflare.faults.clear()
        await asyncio.sleep(HOUR)

    assert (soon, late, world.condition(kind, name)) == (WELL, LATE, WELL)
    assert "in force when it was last read, " in message
    assert words in message
    assert repeated == {"list"}
