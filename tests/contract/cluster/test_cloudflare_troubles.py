"""Cloudflare fails in every way that it can: it is tried again, and nobody is hurt meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.faults import AnswerPage, AnswerStatus, Cut, Delay, Effect, Fault, Garble, Match, Moment
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, TOKEN, World, in_force
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

FAULTS: list[Effect] = [
    AnswerStatus(408),
    AnswerStatus(429),
    AnswerStatus(429, retry_after=20),
    AnswerStatus(500),
    AnswerStatus(503, retry_after=20),
    AnswerPage(502),
    AnswerPage(403),
    AnswerPage(404),
    Garble.TRUNCATED,
    Garble.MALFORMED,
    Cut(Moment.BEFORE),
    Cut(Moment.AFTER),
    Delay(60.0, Moment.BEFORE),
    Delay(60.0, Moment.AFTER),
]


@pytest.mark.parametrize("effect", FAULTS, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@in_virtual_time
async def test_calls_that_fail_several_times_are_made_good(method: str, effect: Effect) -> None:
    world = World.begin()
    world.cloudflare.faults.add(Fault(effect, Match(method=method), times=3))
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        ready = world.rules()
        world.delete_both()
        await until(world.all_gone)

    assert ready == ["block", "log"]
    assert world.rules() == []
    assert world.cloudflare.state.lists == {}
    assert world.cloudflare.state.certificates[ACCOUNT] == {}
    assert world.cloudflare.monitor.finish() == []


@pytest.mark.parametrize("effect", FAULTS, ids=str)
@in_virtual_time
async def test_what_always_fails_is_not_tried_without_a_pause(effect: Effect) -> None:
    world = World.begin()
    world.cloudflare.faults.add(Fault(effect, times=None))
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await asyncio.sleep(3600)

    assert 5 <= len(world.cloudflare.log) < 250
    assert world.condition(CA, "partners")[0] == "False"


@in_virtual_time
async def test_a_fresh_token_is_given_time_and_then_does_its_work() -> None:
    world = World.begin()
    world.cloudflare.add_token(TOKEN, owner="cluster-a", fresh_for=20.0)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await asyncio.sleep(10)
        at_first = world.condition(CA, "partners")
        await until(world.all_ready)

    assert at_first == ("False", "CredentialsPending")


@pytest.mark.parametrize(
    ("lacking", "kind", "name", "reason", "says"),
    [
        (
            "ssl_certs",
            CA,
            "partners",
            "CredentialsInsufficient",
            "the permission Account / SSL and Certificates: Read.",
        ),
        ("zone_ssl", BINDING, "api", "CredentialsInsufficient", "the permission Zone / SSL and Certificates: Read."),
        ("waf", BINDING, "api", "CredentialsInsufficient", "the permission Zone / Zone WAF: Read."),
        # Cloudflare shows such a token no zones; it does not refuse it.
        ("zone:read", BINDING, "api", "ZoneNotFound", "or the token lacks Zone Read for it"),
    ],
)
@in_virtual_time
async def test_a_permission_that_is_missing_is_named_and_used_once_it_is_given(
    lacking: str, kind: str, name: str, reason: str, says: str
) -> None:
    world = World.begin()
    every = {"ssl_certs:edit", "zone_ssl:edit", "waf:edit", "zone:read"}
    world.cloudflare.add_token(
        TOKEN, owner="cluster-a", permissions={each for each in every if not each.startswith(lacking)}
    )
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(lambda: world.condition(kind, name)[1] == reason)
        told = world.message(kind, name)
        world.cloudflare.add_token(TOKEN, owner="cluster-a", permissions=every)
        await until(world.all_ready)

    assert says in told


@pytest.mark.parametrize(("times", "longest"), [(2, 300.0), (None, 900.0)], ids=["for a moment", "for ever"])
@in_virtual_time
async def test_a_certificate_is_not_deleted_before_it_was_asked_who_uses_it_unless_that_is_refused_for_long(
    times: int | None, longest: float
) -> None:
    async with in_force() as world:
        world.cloudflare.faults.add(Fault(AnswerStatus(403), Match(path="mtls_certificates/.*/associations$"), times))
        world.delete_both()
        await until(world.all_gone)

    asked = [entry for entry in world.cloudflare.log if entry.path.endswith("/associations")]
    deleted = [entry for entry in world.cloudflare.log if entry.method == "DELETE" and "certificates" in entry.path]
    assert [entry.status for entry in asked].count(403) >= 2
    assert asked[-1].status == (200 if times else 403)
    assert (300.0 if times is None else 0.0) <= deleted[0].time - asked[0].time < longest
