"""What Cloudflare says of an API token itself: disabled, expired, about to expire, or nothing at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from testbed.cloudflare.faults import AnswerStatus, Effect, Fault, Garble, Match
from tests.contract.cluster.engine_world import ACCOUNT, TOKEN, World, in_force
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

DAY = 86400.0
ANOTHER = TOKEN.replace("virtual", "another")
RESOLVED = [("True", "Resolved"), ("True", "Resolved")]
EXPIRING = [("True", "CredentialsExpiring"), ("True", "CredentialsExpiring")]
INVALID = [("False", "CredentialsInvalid"), ("False", "CredentialsInvalid")]


def known_as(world: World, secret: str = TOKEN, **more: Any) -> None:
    """What Cloudflare knows of a token from now on."""
    world.cloudflare.add_token(secret, owner="cluster-a", **more)


def told(world: World) -> list[tuple[str, str]]:
    """What the CA and the binding say of what they refer to."""
    return [world.condition(CA, "partners", "SourceResolved"), world.condition(BINDING, "api", "ResolvedRefs")]


def verifications(world: World) -> list[str]:
    return [each.path for each in world.cloudflare.log if each.path.endswith("/tokens/verify")]


@in_virtual_time
async def test_a_token_is_verified_apart_from_the_set_up_and_once_a_day_from_then_on() -> None:
    world = World.begin()
    async with world.running():
        world.apply_both()
        await asyncio.sleep(120)
        at_first = verifications(world)
        await until(world.all_ready)
        await asyncio.sleep(1.95 * DAY)

    assert at_first == []
    assert len(verifications(world)) in {2, 3}
    assert told(world) == RESOLVED


@in_virtual_time
async def test_a_token_that_expires_within_a_week_is_warned_of_and_does_its_work() -> None:
    world = World.begin()
    known_as(world, expires_on=world.clock.now() + 5 * DAY)
    async with world.running():
        world.apply_both()
        await until(lambda: told(world) == EXPIRING)
        await until(world.all_ready)
        world.apply_second()
        await until(lambda: world.second()[0] == "True")

    events = [entry.what for entry in world.cluster.log if "CredentialsExpiring" in entry.what]
    assert events


@in_virtual_time
async def test_the_warning_comes_when_a_week_is_left_and_goes_with_the_token() -> None:
    world = World.begin()
    known_as(world, expires_on=world.clock.now() + 7.1 * DAY)
    async with world.running():
        world.apply_both()
        await asyncio.sleep(0.09 * DAY)
        before = told(world)
        await asyncio.sleep(0.02 * DAY)
        after = told(world)
        known_as(world, ANOTHER)
        world.cluster.users.put_secret("cfmtls-system", "token", {"token": ANOTHER})
        await asyncio.sleep(10)

    assert (before, after) == (RESOLVED, EXPIRING)
    assert told(world) == RESOLVED


@in_virtual_time
async def test_a_new_process_does_not_take_a_warning_back_and_give_it_again() -> None:
    world = World.begin()
    known_as(world, expires_on=world.clock.now() + 5 * DAY)
    async with world.running():
        world.apply_both()
        await until(lambda: world.all_ready() and told(world) == EXPIRING)
        await asyncio.sleep(3600)
    requests = len(world.cluster.log)
    async with world.running():
        await asyncio.sleep(3600)

    assert {entry.what.split(" ")[0] for entry in world.cluster.log[requests:]} <= {"list", "get", "watch"}
    assert told(world) == EXPIRING


@pytest.mark.parametrize("ending", ["disabled", "expired"])
@in_virtual_time
async def test_a_token_that_has_ended_is_named_while_what_is_in_force_stays_until_it_is_good_again(
    ending: str,
) -> None:
    async with in_force() as world:
        rules_before = world.rules()
        known_as(world, disabled=ending == "disabled", expires_on=world.clock.now() - 1)
        await asyncio.sleep(1200)
        ended, rules = told(world), world.rules()
        known_as(world)
        await asyncio.sleep(1200)

    assert (ended, rules) == (INVALID, rules_before)
    assert told(world) == RESOLVED
    assert world.all_ready()
    assert world.cloudflare.monitor.finish() == []


@pytest.mark.parametrize("effect", [AnswerStatus(403), AnswerStatus(404), AnswerStatus(500), Garble.MALFORMED])
@in_virtual_time
async def test_a_token_that_cannot_be_verified_is_used_all_the_same(effect: Effect) -> None:
    world = World.begin()
    world.cloudflare.faults.add(Fault(effect, Match(path="tokens/verify$"), times=None))
    async with world.running():
        world.apply_both()
        await until(world.all_ready)
        await asyncio.sleep(3600)
        world.apply_second()
        await until(lambda: world.second()[0] == "True")

    assert verifications(world)
    assert told(world) == RESOLVED


@in_virtual_time
async def test_a_token_that_an_account_owns_is_verified_at_its_account() -> None:
    world = World.begin()
    known_as(world, account_id=ACCOUNT, expires_on=world.clock.now() + 5 * DAY)
    async with world.running():
        world.apply_both()
        await until(lambda: told(world) == EXPIRING)

    assert verifications(world)[-1] == f"/client/v4/accounts/{ACCOUNT}/tokens/verify"


@in_virtual_time
async def test_a_rotated_token_takes_effect_within_seconds() -> None:
    async with in_force() as world:
        known_as(world, disabled=True)
        world.apply_second()
        await until(lambda: world.second()[1] == "CredentialsInvalid")
        await asyncio.sleep(3600)
        known_as(world, ANOTHER)
        world.cluster.users.put_secret("cfmtls-system", "token", {"token": ANOTHER})
        await asyncio.sleep(5)

    assert world.second() == ("False", "Arriving")


@in_virtual_time
async def test_a_namespace_that_goes_with_a_token_that_never_worked_is_cleaned_up_with_the_last_that_did() -> None:
    async with in_force() as world:
        world.cluster.users.put_secret("cfmtls-system", "token", {"token": "nobody-knows-this-token-0123456789"})
        world.apply_second()
        await until(lambda: world.second()[1] == "CredentialsInvalid")
        world.cluster.users.delete("Secret", "cfmtls-system", "token")
        world.cluster.users.delete_namespace("shop")
        await until(lambda: world.cluster.users.read("Namespace", "", "shop") is None)

    assert world.cloudflare.state.certificates[ACCOUNT] == {}
    assert world.cloudflare.monitor.finish() == []
