"""Zones that belong to another account, and zones that are deleted and made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from testbed.cloudflare.faults import AnswerStatus, Fault, Match
from tests.contract.cluster.engine_world import ACCOUNT, HOST, ZONE, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

ELSEWHERE, MADE_AGAIN = "e" * 32, "d" * 32
NOT_IN_THE_ZONE = "api.example.org"


def look_ups(world: World) -> list[str]:
    """The paths that were asked for zones."""
    return [each.path for each in world.cloudflare.log if each.path.rsplit("/", 1)[0].endswith(("/v4", "/zones"))]


@in_virtual_time
async def test_a_binding_that_moves_to_a_ca_of_another_account_says_so_and_keeps_what_it_has() -> None:
    world = World.begin()
    world.cloudflare.add_account(ELSEWHERE)
    async with world.running():
        world.apply_both()
        await until(world.all_ready)
        before = world.rules()
        world.apply_authority("elsewhere", accountId=ELSEWHERE)
        await until(lambda: world.is_ready(CA, "elsewhere"))
        world.apply_binding("api", HOST, authority="elsewhere")
        await until(lambda: world.condition(BINDING, "api") == ("False", "ZoneNotInAccount"))
        await asyncio.sleep(3600.0)
        asked = len(look_ups(world))
    async with world.running():
        await asyncio.sleep(3600.0)
        said = world.condition(BINDING, "api")

    assert said == ("False", "ZoneNotInAccount")
    assert world.rules() == before
    assert len(look_ups(world)) == asked == 1


async def without_anything_in_the_zone(world: World) -> None:
    """The zone of a binding was found, and the binding owns nothing there."""
    world.apply_authority("partners")
    world.apply_binding("api", NOT_IN_THE_ZONE)
    await until(lambda: world.condition(BINDING, "api") == ("False", "HostnameNotInZone"))


def make_the_zone_again(world: World) -> None:
    world.cloudflare.remove_zone(ZONE)
    world.cloudflare.add_zone(MADE_AGAIN, "example.com", ACCOUNT)


@in_virtual_time
async def test_a_zone_that_was_deleted_and_made_again_is_found_again_when_cloudflare_does_not_have_the_first() -> None:
    world = World.begin()
    async with world.running():
        await without_anything_in_the_zone(world)
        make_the_zone_again(world)
        world.apply_binding("api", HOST)
        await until(world.all_ready)

    assert world.status(BINDING, "api")["zoneId"] == MADE_AGAIN
    assert len(look_ups(world)) == 2


@in_virtual_time
async def test_a_zone_that_was_deleted_and_made_again_is_found_again_on_request() -> None:
    world = World.begin()
    async with world.running():
        await without_anything_in_the_zone(world)
        make_the_zone_again(world)
        await asyncio.sleep(3600.0)
        before = world.status(BINDING, "api")["zoneId"]
        world.cluster.users.annotate(BINDING, "shop", "api", {"apishield-mtls.io/reconcile-requested-at": "now"})
        await until(lambda: world.status(BINDING, "api")["zoneId"] == MADE_AGAIN)

    assert before == ZONE
    assert len(look_ups(world)) == 2


@in_virtual_time
async def test_a_zone_that_is_gone_is_said_to_be_and_asked_for_now_and_then() -> None:
    world = World.begin()
    async with world.running():
        await without_anything_in_the_zone(world)
        world.cloudflare.remove_zone(ZONE)
        world.apply_binding("api", HOST)
        await until(lambda: world.condition(BINDING, "api") == ("False", "ZoneNotFound"))
        calls = len(world.cloudflare.log)
        await asyncio.sleep(3600.0)
        meanwhile = len(world.cloudflare.log) - calls
        world.cloudflare.add_zone(MADE_AGAIN, "example.com", ACCOUNT)
        await until(world.all_ready)

    assert meanwhile < 120


@in_virtual_time
async def test_a_zone_that_gives_404_and_is_found_all_the_same_is_asked_for_as_seldom_as_it_is_worked_on() -> None:
    world = World.begin()
    async with world.running():
        await without_anything_in_the_zone(world)
        world.cloudflare.faults.add(Fault(AnswerStatus(404), Match(path="/rulesets/"), times=None))
        world.apply_binding("api", HOST)
        await asyncio.sleep(3600.0)

    refused = [each for each in world.cloudflare.log if each.status == 404]
    assert len(look_ups(world)) <= len(refused) + 1 < 120
    assert world.condition(BINDING, "api") == ("False", "CloudflareRefused")


@asynccontextmanager
async def succeeding_who_recorded_no_account(world: World, *faults: Fault) -> AsyncIterator[None]:
    """A process that finds a status that does not say to which account the zone belongs."""
    async with world.running() as operator:
        world.apply_both()
        world.apply_binding("second", "second.example.com")
        await until(world.all_ready)
        operator.die()
    for name in ("api", "second"):
        told = {field: value for field, value in world.status(BINDING, name).items() if field != "accountId"}
        world.cluster.users.write_status(BINDING, "shop", name, told)
    for fault in faults:
        world.cloudflare.faults.add(fault)
    async with world.running():
        yield


@in_virtual_time
async def test_the_account_of_a_zone_that_was_never_recorded_is_asked_for_once_and_recorded() -> None:
    world = World.begin()
    asked = len(look_ups(world)) + 1
    async with succeeding_who_recorded_no_account(world):
        await asyncio.sleep(3600.0)
    async with world.running():
        await asyncio.sleep(3600.0)

    assert [world.status(BINDING, name).get("accountId") for name in ("api", "second")] == [ACCOUNT] * 2
    assert len(look_ups(world)) == asked + 1
    assert world.all_ready()


@in_virtual_time
async def test_an_account_that_cannot_be_asked_for_holds_up_nothing_and_is_asked_for_seldom() -> None:
    world = World.begin()
    refused = Fault(AnswerStatus(403), Match("GET", f"/zones/{ZONE}$"), times=None)
    async with succeeding_who_recorded_no_account(world, refused):
        asked = len(look_ups(world))
        await asyncio.sleep(3600.0)
        world.apply_binding("third", "third.example.com")
        await until(lambda: world.is_ready(BINDING, "third"))

    assert world.all_ready()
    assert world.status(BINDING, "api").get("accountId") is None
    assert len(look_ups(world)) - asked < 30


@in_virtual_time
async def test_that_there_is_no_such_zone_is_an_answer_to_who_asks_for_its_account() -> None:
    world = World.begin()
    missing = Fault(AnswerStatus(404), Match("GET", f"/zones/{ZONE}$"), times=None)
    async with succeeding_who_recorded_no_account(world, missing):
        asked = len(look_ups(world))
        await asyncio.sleep(3600.0)

    assert len(look_ups(world)) - asked == 1
