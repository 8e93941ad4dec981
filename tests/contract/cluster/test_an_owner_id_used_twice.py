"""Another cluster uses our ownerId in a zone of the account: nothing is written, in the account either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from mtls_operator.configuration import Predecessor
from testbed.chaos.operator_process import OperatorProcess, running_operator
from testbed.cloudflare.faults import AnswerStatus, Fault, Match
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, HOST, WINDOW, ZONE, World, authority_pem
from tests.contract.cluster.test_acknowledged_requests import TWIN, with_a_rival
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
LOST = "c" * 32
CONFLICT = ("False", "ManagementConflict")


@asynccontextmanager
async def halted() -> AsyncIterator[tuple[World, OperatorProcess]]:
    """A world in which all was well, and whose zone shows another cluster since."""
    world = World.begin()
    async with world.running() as operator:
        world.apply_both()
        await until(world.all_ready)
        await asyncio.sleep(HOUR)
        with_a_rival(world)
        await asyncio.sleep(HOUR / 2)
        yield world, operator


def without_the_rival(world: World) -> None:
    """Somebody has found out, and taken the rules of the other cluster away."""
    present = world.cloudflare.state.rulesets[ZONE]
    left = tuple(each for each in present.rules if TWIN not in each.description)
    changed = replace(present, rules=left, version=present.version + 1)
    world.cloudflare.install(lambda state: state.with_ruleset(ZONE, changed), settled=True)


def writes(world: World, begun: int) -> list[str]:
    """What was written to Cloudflare since its log had so many entries."""
    return [f"{each.method} {each.path}" for each in world.cloudflare.log[begun:] if each.method != "GET"]


@in_virtual_time
async def test_no_ca_is_uploaded_or_rotated_or_deleted_and_each_says_why() -> None:
    async with halted() as (world, _):
        world.apply_authority("gone")
        begun = len(world.cloudflare.log)
        world.apply_authority("other")
        world.cluster.users.put_secret("shop", "partners", {"ca.crt": authority_pem("successor")})
        await asyncio.sleep(HOUR)
        said = [world.condition(CA, name) for name in ("partners", "other")]
        words = world.message(CA, "other")
        world.delete_both()
        await asyncio.sleep(HOUR)

        assert said == [CONFLICT] * 2
        assert f"another cluster ({TWIN}) has rules in zone example.com under our ownerId cluster-a" in words
        assert writes(world, begun) == []
        assert world.status(CA, "other").get("pendingUpload", []) == []
        assert not world.all_gone()


@in_virtual_time
async def test_what_was_never_sent_goes_and_a_look_that_is_asked_for_is_taken() -> None:
    async with halted() as (world, _):
        begun = len(world.cloudflare.log)
        world.apply_authority("other")
        asked = {"apishield-mtls.io/reconcile-requested-at": "now"}
        world.cluster.users.annotate(CA, "shop", "partners", asked)
        await asyncio.sleep(2 * WINDOW)
        world.cluster.users.delete(CA, "shop", "other")
        await asyncio.sleep(2 * WINDOW)

        listings = [each for each in world.cloudflare.log[begun:] if ACCOUNT in each.path]
        assert world.cluster.users.read(CA, "shop", "other") is None
        assert world.status(CA, "partners").get("lastHandledReconcileAt") == "now"
        assert {each.method for each in listings} == {"GET"}


@in_virtual_time
async def test_all_goes_on_when_the_other_cluster_has_gone() -> None:
    async with halted() as (world, _):
        world.apply_authority("other")
        await asyncio.sleep(HOUR)
        without_the_rival(world)
        await asyncio.sleep(HOUR)

        assert world.all_ready()
        assert world.is_ready(CA, "other")


@in_virtual_time
async def test_a_process_that_takes_over_writes_nothing_before_it_has_read_the_zone() -> None:
    async with halted() as (world, operator):
        operator.die()
        begun = len(world.cloudflare.log)
        world.cloudflare.faults.add(Fault(AnswerStatus(503), Match("GET", ZONE), times=None))
        world.apply_authority("other")
        async with world.running():
            await asyncio.sleep(HOUR)
            said, words = [world.condition(CA, name) for name in ("partners", "other")], world.message(CA, "other")
            world.cloudflare.faults.clear()
            await asyncio.sleep(HOUR)

            assert said == [CONFLICT] * 2
            assert "has rules in zone example.com under our ownerId cluster-a, as these were last read" in words
            assert [world.condition(CA, name) for name in ("partners", "other")] == [CONFLICT] * 2
            assert writes(world, begun) == []


@pytest.mark.parametrize("fields", [{"suspend": True}, {"managementPolicy": "Observe"}], ids=["suspended", "observed"])
@in_virtual_time
async def test_a_process_that_takes_over_goes_by_the_word_of_a_binding_that_is_set_aside(
    fields: dict[str, Any],
) -> None:
    async with halted() as (world, operator):
        world.apply_binding("api", HOST, **fields)
        await asyncio.sleep(HOUR / 2)
        operator.die()
        begun = len(world.cloudflare.log)
        world.cloudflare.faults.add(Fault(AnswerStatus(503), Match("GET", ZONE), times=None))
        world.apply_authority("other")
        async with world.running():
            await asyncio.sleep(HOUR)

            assert world.condition(CA, "other") == CONFLICT
            assert writes(world, begun) == []


@in_virtual_time
async def test_a_zone_that_showed_nobody_halts_nothing_when_it_cannot_be_read_any_more() -> None:
    async with halted() as (world, operator):
        world.cloudflare.add_zone(LOST, "example.org", ACCOUNT)
        without_the_rival(world)
        await asyncio.sleep(HOUR)
        world.apply_binding("lost", "api.example.org", zone="example.org")
        await until(lambda: world.is_ready(BINDING, "lost"))
        with_a_rival(world)
        await asyncio.sleep(HOUR)
        world.cloudflare.faults.add(Fault(AnswerStatus(403), Match("GET", LOST), times=None))
        operator.die()
        without_the_rival(world)
        async with world.running():
            world.apply_authority("other")
            await asyncio.sleep(HOUR)

            assert world.is_ready(CA, "partners")
            assert world.is_ready(CA, "other")


@in_virtual_time
async def test_a_zone_that_is_gone_takes_the_rules_of_the_other_cluster_along() -> None:
    async with halted() as (world, _):
        world.cloudflare.faults.add(Fault(AnswerStatus(404), Match("GET", ZONE), times=None))
        world.apply_authority("other")
        await asyncio.sleep(HOUR)

        assert world.is_ready(CA, "other")


@in_virtual_time
async def test_a_process_that_takes_over_finds_out_that_the_zone_is_gone() -> None:
    async with halted() as (world, operator):
        world.cloudflare.faults.add(Fault(AnswerStatus(404), Match("GET", ZONE), times=None))
        operator.die()
        world.apply_authority("other")
        async with world.running():
            await asyncio.sleep(WINDOW / 2)
            at_first = world.condition(CA, "other")
            await asyncio.sleep(HOUR)

            assert at_first == CONFLICT
            assert world.is_ready(CA, "other")


@in_virtual_time
async def test_who_is_told_that_the_other_cluster_has_gone_does_not_wait_for_the_zone() -> None:
    async with halted() as (world, operator):
        operator.die()
        world.cloudflare.faults.add(Fault(AnswerStatus(403), Match("GET", ZONE), times=None))
        world.apply_authority("other")
        gone = Predecessor(owner_id="cluster-a", cluster_uid=TWIN)
        successor = CONFIGURATION.model_copy(update={"takeover": (gone,)})
        async with running_operator(successor, world.cluster, world.cloudflare, world.clock):
            await asyncio.sleep(HOUR)

            assert world.is_ready(CA, "other")


@in_virtual_time
async def test_a_zone_that_nobody_looks_at_any_more_halts_nothing() -> None:
    async with halted() as (world, _):
        world.cluster.users.edit(BINDING, "shop", "api", force_orphan)
        world.cluster.users.delete(BINDING, "shop", "api")
        await asyncio.sleep(WINDOW)
        world.apply_binding("later", HOST, suspend=True)
        world.apply_authority("other")
        await asyncio.sleep(HOUR)

        assert world.cluster.users.read(BINDING, "shop", "api") is None
        assert world.is_ready(CA, "other")


def force_orphan(body: dict[str, object]) -> None:
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    metadata.setdefault("annotations", {})["apishield-mtls.io/force-orphan"] = "true"
