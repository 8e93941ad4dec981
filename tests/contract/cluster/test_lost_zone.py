"""A zone that is gone from the account, or that the token does not see any more, while bindings of it are there.

That an answer says so proves nothing: a token that lost its rights may get the same. So what was made there is not
forgotten because of it, and a deletion waits until somebody waives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from testbed.cloudflare.state import State
from tests.contract.cluster.engine_world import ACCOUNT, HOST, TOKEN, ZONE, World, in_force
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

HOURS: Final = 4 * 3600.0
SOON: Final = 10.0
Loss = Callable[[World], None]


def is_removed(world: World) -> None:
    """With everything in it."""
    world.cloudflare.install(_without_zone, settled=True)


def is_hidden(world: World) -> None:
    """From the operator's token, by whoever cares for tokens."""
    world.cloudflare.add_token(TOKEN, owner="cluster-a", permissions={ACCOUNT: ["ssl_certs:edit"]})


def _without_zone(state: State) -> State:
    lists = {place: names for place, names in state.lists.items() if place[0] != ZONE}
    return replace(state, zones={}, lists=lists, rulesets={})


def delete_binding(world: World) -> None:
    world.cluster.users.delete(BINDING, "shop", "api")


def is_gone(world: World) -> bool:
    return world.cluster.users.read(BINDING, "shop", "api") is None


def is_blocked(world: World) -> bool:
    return world.condition(BINDING, "api") == ("False", "DeletionBlocked")


def waive(world: World) -> None:
    world.cluster.users.annotate(BINDING, "shop", "api", {"apishield-mtls.io/force-orphan": "true"})


def writes(world: World, begun: int) -> list[str]:
    """What was done at Cloudflare since its log had so many entries."""
    return [f"{each.method} {each.path}" for each in world.cloudflare.log[begun:] if each.method != "GET"]


def left_behind(world: World) -> list[str]:
    """What events say that was left at Cloudflare."""
    events = world.cluster.users.list_all("Event", "shop")
    return [each["note"] for each in events if each["reason"] == "ForceOrphaned"]


@pytest.mark.parametrize(("lose", "told"), [(is_removed, "(404)"), (is_hidden, "(403)")])
@in_virtual_time
async def test_a_deletion_waits_for_a_zone_that_is_lost_and_says_why_and_what_ends_it(lose: Loss, told: str) -> None:
    async with in_force() as world:
        lose(world)
        delete_binding(world)
        await asyncio.sleep(HOURS)
        before = (world.condition(BINDING, "api"), world.message(BINDING, "api"))
    async with world.running():
        await asyncio.sleep(HOURS)
        after = (world.condition(BINDING, "api"), world.message(BINDING, "api"))

    assert before == after
    assert before[0] == ("False", "DeletionBlocked")
    assert f"/zones/{ZONE}/" in before[1]
    assert told in before[1]
    assert "apishield-mtls.io/force-orphan=true" in before[1]


@pytest.mark.parametrize("lose", [is_removed, is_hidden])
@in_virtual_time
async def test_a_deletion_that_is_waived_ends_at_once_and_says_what_it_leaves(lose: Loss) -> None:
    async with in_force() as world:
        lose(world)
        delete_binding(world)
        await until(lambda: is_blocked(world))
        begun, since = len(world.cloudflare.log), world.clock.now()
        waive(world)
        await until(lambda: is_gone(world) and left_behind(world))
        took = world.clock.now() - since

    assert took < SOON
    assert writes(world, begun) == []
    (left,) = left_behind(world)
    assert f"zone {ZONE}" in left
    assert HOST in left


@pytest.mark.parametrize(("lose", "certificates"), [(is_removed, 0), (is_hidden, 1)])
@in_virtual_time
async def test_a_ca_goes_after_a_waived_binding_and_its_certificate_if_nothing_uses_it(
    lose: Loss, certificates: int
) -> None:
    async with in_force() as world:
        lose(world)
        world.delete_both()
        waive(world)
        await until(world.all_gone)

    assert len(world.cloudflare.state.certificates[ACCOUNT]) == certificates
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_a_deletion_goes_on_when_the_zone_is_seen_again() -> None:
    async with in_force() as world:
        is_hidden(world)
        world.delete_both()
        await asyncio.sleep(HOURS)
        blocked = is_blocked(world)
        world.cloudflare.add_token(TOKEN, owner="cluster-a")
        await until(world.all_gone)

    assert blocked
    assert (world.rules(), world.cloudflare.state.lists) == ([], {})
    assert world.cloudflare.state.certificates[ACCOUNT] == {}
    assert world.cloudflare.monitor.finish() == []
