"""A binding whose status was lost says that it is in force when that was seen, and not from what was read before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from testbed.cloudflare.faults import AnswerStatus, Fault, Match
from tests.contract.cluster.engine_world import ACCOUNT, HOST, ZONE, World, in_force
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

MINUTE: Final = 60.0


def off_the_list(world: World) -> None:
    (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
    world.cloudflare.put_foreign_hostnames(ZONE, certificate, set())


def without_rules(world: World) -> None:
    world.cloudflare.install(lambda state: replace(state, rulesets={}), settled=True)


@pytest.mark.parametrize("become", [off_the_list, without_rules])
@pytest.mark.parametrize("action", ["Block", "Log"])
@in_virtual_time
async def test_nothing_is_called_ready_before_all_was_read_again(action: str, become: Callable[[World], None]) -> None:
    async with in_force() as world:
        world.apply_binding("api", HOST, enforcement={"action": action})
        await asyncio.sleep(10 * MINUTE)
        before = world.condition(BINDING, "api")[0]
        world.cloudflare.faults.add(Fault(AnswerStatus(503), Match("GET"), times=None))
        become(world)
        world.cluster.users.write_status(BINDING, "shop", "api", None)
        await asyncio.sleep(MINUTE)
        meanwhile = world.condition(BINDING, "api")[0], world.status(BINDING, "api")["managed"]
        world.cloudflare.faults.clear()
        await until(world.all_ready)
        (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
        listed, rules = world.cloudflare.state.hostnames(ZONE, certificate), world.rules()

    assert before == "True"
    assert meanwhile == ("False", [{"certificateId": certificate, "hostnames": [HOST]}])
    assert listed == {HOST}
    assert action.lower() in rules
