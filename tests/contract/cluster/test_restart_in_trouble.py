"""A process that starts while something has long gone wrong does not take that back and say it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.faults import AnswerStatus, Effect, Fault, Match
from tests.contract.cluster.engine_world import CONFIGURATION, TOKEN, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

HALF_AN_HOUR = 1800.0
EVERY = frozenset({"ssl_certs:edit", "zone_ssl:edit", "waf:edit", "zone:read"})
UNAVAILABLE = AnswerStatus(503)


def fails(effect: Effect, method: str | None = None, path: str | None = None) -> Callable[[World], None]:
    return lambda world: world.cloudflare.faults.add(Fault(effect, Match(method=method, path=path), times=None))


def lacks(permission: str) -> Callable[[World], None]:
    granted = {each for each in EVERY if each != permission} | {permission.replace("edit", "read")}

    def become(world: World) -> None:
        world.cloudflare.add_token(TOKEN, owner="cluster-a", permissions=granted)

    return become


def holds_another_token(world: World) -> None:
    world.cluster.users.put_secret("cfmtls-system", "token", {"token": "nobody-knows-this-token-0123456789"})


@pytest.mark.parametrize(
    ("go_wrong", "kind", "name", "reason"),
    [
        (holds_another_token, CA, "partners", "CredentialsInvalid"),
        (lacks("ssl_certs:edit"), CA, "partners", "CredentialsInsufficient"),
        (lacks("zone_ssl:edit"), BINDING, "api", "CredentialsInsufficient"),
        (lacks("waf:edit"), BINDING, "api", "CredentialsInsufficient"),
        (fails(UNAVAILABLE, path="mtls_certificates"), CA, "partners", "CloudflareUnavailable"),
        (fails(UNAVAILABLE, path="rulesets"), BINDING, "api", "CloudflareUnavailable"),
        (fails(AnswerStatus(400), method="POST", path="rulesets"), BINDING, "api", "CloudflareRefused"),
    ],
    ids=["token unknown", "certificates", "associations", "rules", "account down", "zone down", "refused"],
)
@in_virtual_time
async def test_a_new_process_writes_nothing_while_a_set_up_is_in_the_same_trouble_as_before(
    go_wrong: Callable[[World], None], kind: str, name: str, reason: str
) -> None:
    world = World.begin()
    go_wrong(world)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(lambda: world.condition(kind, name)[1] == reason)
        await asyncio.sleep(HALF_AN_HOUR)

    assert await _written_by_a_new_process(world) == []
    assert world.condition(kind, name) == ("False", reason)


@in_virtual_time
async def test_a_new_process_writes_nothing_while_a_deletion_is_blocked_as_before() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        world.cloudflare.faults.add(Fault(UNAVAILABLE, Match(method="DELETE"), times=None))
        world.delete_both()
        await until(lambda: world.condition(BINDING, "api")[1] == "DeletionBlocked")
        await asyncio.sleep(HALF_AN_HOUR)

    assert await _written_by_a_new_process(world) == []


@in_virtual_time
async def test_what_was_in_trouble_goes_on_when_the_trouble_ended_with_the_process() -> None:
    world = World.begin()
    lacks("waf:edit")(world)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(lambda: world.condition(BINDING, "api")[1] == "CredentialsInsufficient")
    world.cloudflare.add_token(TOKEN, owner="cluster-a", permissions=EVERY)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await asyncio.sleep(10)
        at_first = world.condition(BINDING, "api")
        await until(world.all_ready)

    assert at_first == ("False", "Arriving")


async def _written_by_a_new_process(world: World) -> list[str]:
    """All that a new process writes to the API server, events included."""
    begun = len(world.cluster.log)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await asyncio.sleep(HALF_AN_HOUR)
    asked = [entry.what for entry in world.cluster.log[begun:] if entry.index is not None]
    return [each for each in asked if each.split(" ")[0] not in {"list", "get", "watch"}]
