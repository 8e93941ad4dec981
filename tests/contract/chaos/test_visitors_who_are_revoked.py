"""Visitors come with certificates that a CA has revoked, and with those of an intermediate CA that a binding names."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from testbed.chaos.acts import ApplyAuthority
from testbed.chaos.authorities import branch_identifier, key_identifiers
from testbed.chaos.clients import REVOCABLE
from testbed.chaos.ending import converge
from testbed.chaos.secret_acts import Revoke
from testbed.chaos.visitors import Visitors
from testbed.chaos.world import Setting, World
from testbed.cloudflare.monitor.marks import Revocation, read_mark
from tests.contract.chaos.ready_binding import (
    API,
    BINDING_TO_RED,
    ZONE,
    call,
    path_of,
    pinned,
    rewrite,
    set_up,
)
from tests.virtual_time import in_virtual_time

REVOKED, OTHER = REVOCABLE["Red"]
LIST: Final = Revoke(at=0, namespace="shop", bundle="red", clients=(REVOKED,))
_TIME_TO_HEAR: Final = 200.0


async def _with_a_list() -> World:
    """A world in which one client is revoked, and whose operator is dead."""
    world = World.begin(Setting(seed=1))
    world.run_operator(world.sites[0])
    LIST.perform(world)
    ApplyAuthority(at=0, namespace="shop", bundle="red", revokes=True).perform(world)
    BINDING_TO_RED.perform(world)
    assert await converge(world) == []
    world.kill_operator(world.sites[0])
    return world


def _lose_the_rule_about_the_revoked(world: World) -> None:
    rules = world.cloudflare.state.rulesets[ZONE].rules
    rule = next(each for each in rules if isinstance(read_mark(each), Revocation))
    call(world, "DELETE", path_of(world, rule))


@in_virtual_time
async def test_a_revoked_client_that_gets_in_is_found() -> None:
    world = await _with_a_list()
    visitors = Visitors(world)
    await asyncio.sleep(_TIME_TO_HEAR)
    assert visitors.finish() == []

    _lose_the_rule_about_the_revoked(world)

    assert [f"was open to {REVOKED}," in each for each in visitors.finish()] == [True]


@in_virtual_time
async def test_a_new_list_has_to_be_heeded_in_time_and_not_at_once() -> None:
    world = await _with_a_list()
    visitors = Visitors(world)

    replace(LIST, clients=(OTHER,)).perform(world)

    assert visitors.finish() == []
    await asyncio.sleep(_TIME_TO_HEAR)
    found = "\n".join(visitors.finish())
    assert f"was open to {OTHER}," in found
    assert f"was closed to {REVOKED}," in found


@in_virtual_time
async def test_a_client_of_an_intermediate_that_no_binding_names_is_kept_out() -> None:
    world = await set_up()
    visitors = Visitors(world)

    rewrite(world, pinned(key_identifiers("red", 0) | {branch_identifier("Red")}))

    assert [
        f"{API} of Ready" in each and "open to a client of a branch of 'Red'" in each for each in visitors.found
    ] == [True]


@in_virtual_time
async def test_a_client_of_an_intermediate_that_a_ready_binding_names_gets_in() -> None:
    world = await set_up(enforcement={"additionalIssuers": [branch_identifier("Red")]})
    visitors = Visitors(world)
    assert visitors.found == []

    rewrite(world, pinned(key_identifiers("red", 0)))

    assert ["closed to a client of a branch of 'Red'" in each for each in visitors.found] == [True]
