"""What others have in a zone that lets requests past our rules: seen within minutes, said, and taken back."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.access import ALL_PERMISSIONS
from testbed.cloudflare.journal import LogEntry
from testbed.cluster.virtual_time import EPOCH
from tests.certificates import make_ca
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, HOST, TOKEN, ZONE, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

DAY = 86400.0
SOON = 300.0
"""Seconds after which a zone that has come into force has been looked at."""
INTERVAL = 900.0
ENFORCED = ("True", "Enforced")


def enforced(world: World) -> tuple[str, str]:
    return world.condition(BINDING, "api", "Enforced")


def allow(world: World) -> None:
    world.cloudflare.add_access_rule(ACCOUNT, "whitelist", "203.0.113.7")


def allow_no_more(world: World) -> None:
    world.cloudflare.install(lambda state: state.with_access_rules(ACCOUNT, ()), settled=True)


def events(world: World, reason: str) -> list[str]:
    """What was posted with a reason."""
    return [entry.what for entry in world.cluster.log if entry.what.startswith("post ") and reason in entry.what]


def looks(world: World, begun: int = 0) -> list[LogEntry]:
    """The reads of the zone's records."""
    return [each for each in world.cloudflare.log[begun:] if each.path.endswith("/dns_records")]


async def ready(world: World) -> None:
    world.apply_both()
    await until(world.all_ready)


@in_virtual_time
async def test_an_ip_access_rule_that_allows_is_named_within_minutes_and_forgotten_when_it_is_gone() -> None:
    world = World.begin()
    allow(world)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await ready(world)
        await asyncio.sleep(SOON)
        bypassed, message = enforced(world), world.message(BINDING, "api", "Enforced")
        stalled = world.condition(BINDING, "api", "Stalled")
        allow_no_more(world)
        await asyncio.sleep(1.5 * INTERVAL)

    assert bypassed == ("False", "BypassedByAccessRule")
    assert "address 203.0.113.7" in message
    assert stalled == ("True", "BypassedByAccessRule")
    assert len(events(world, "BypassedByAccessRule")) == 1
    assert enforced(world) == ENFORCED
    assert world.cloudflare.monitor.finish() == []


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([(HOST, "A", False)], ("False", "NotProxied")),
        ([("www.example.com", "A", True)], ("True", "NotProxied")),
        ([("*.example.com", "CNAME", True)], ENFORCED),
    ],
)
@in_virtual_time
async def test_a_hostname_that_is_not_proxied_is_told_of(
    records: list[tuple[str, str, bool]], told: tuple[str, str]
) -> None:
    world = World.begin()
    world.cloudflare.put_records(ZONE, *records)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await ready(world)
        await asyncio.sleep(SOON)

    assert enforced(world) == told


@pytest.mark.parametrize(
    ("fields", "told", "remark"),
    [
        ({}, ENFORCED, ("True", "OnManagedCertificateAuthority")),
        (
            {"enforcement": {"issuerPinning": "Never"}},
            ("False", "OnManagedCertificateAuthority"),
            ("True", "Associated"),
        ),
    ],
)
@in_virtual_time
async def test_the_ca_that_cloudflare_manages_opens_a_hostname_only_where_issuers_are_not_pinned(
    fields: dict[str, Any], told: tuple[str, str], remark: tuple[str, str]
) -> None:
    world = World.begin()
    world.cloudflare.put_foreign_hostnames(ZONE, None, [HOST])
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_authority("partners")
        world.apply_binding("api", HOST, **fields)
        await until(world.all_ready)
        await asyncio.sleep(SOON)

    assert enforced(world) == told
    assert world.condition(BINDING, "api", "Associated") == remark
    assert world.cloudflare.state.hostnames(ZONE, None) == {HOST}
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_looks_are_a_quarter_of_an_hour_apart_and_write_nothing_where_nothing_has_changed() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await ready(world)
        await asyncio.sleep(SOON)
        requests = len(world.cluster.log)
        await asyncio.sleep(4 * 3600)

    times = [each.time for each in looks(world)]
    assert len(times) > 10
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= INTERVAL
    assert world.written(requests) == []


@in_virtual_time
async def test_a_new_process_takes_nothing_back_and_looks_after_an_interval_first() -> None:
    world = World.begin()
    allow(world)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await ready(world)
        await until(lambda: enforced(world)[0] == "False")
    calls, requests, begun = len(world.cloudflare.log), len(world.cluster.log), world.clock.now()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await asyncio.sleep(2 * INTERVAL)

    assert looks(world, calls)[0].time >= begun + INTERVAL
    assert world.written(requests) == []
    assert enforced(world) == ("False", "BypassedByAccessRule")


@in_virtual_time
async def test_what_a_token_may_not_see_is_left_out_and_asked_for_again_after_hours() -> None:
    world = World.begin()
    world.cloudflare.add_token(
        TOKEN, owner="cluster-a", permissions=ALL_PERMISSIONS - {"dns:read", "account_firewall:read"}
    )
    world.cloudflare.put_records(ZONE, (HOST, "A", False))
    world.cloudflare.add_access_rule(ZONE, "whitelist", "203.0.113.7")
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await ready(world)
        await asyncio.sleep(SOON)
        seen = enforced(world)
        world.cloudflare.add_token(TOKEN, owner="cluster-a")
        await asyncio.sleep(5 * 3600)
        refused = looks(world)
        await asyncio.sleep(2 * 3600)

    assert seen == ("False", "BypassedByAccessRule")
    assert [each.status for each in refused] == [403]
    assert looks(world)[-1].status == 200
    assert "not proxied" in world.message(BINDING, "api", "Enforced")


@in_virtual_time
async def test_a_rule_that_was_moved_behind_a_skip_rule_is_told_of_and_put_right() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await ready(world)
        world.cloudflare.add_foreign_rule(ZONE, expression="(true)", action="skip", description="probes", first=True)
        await asyncio.sleep(1.5 * INTERVAL)

    assert len(events(world, "RuleAltered")) == 1
    assert world.rules()[:2] == ["block", "skip"]
    assert enforced(world) == ENFORCED
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_a_skip_rule_before_the_rule_of_a_suspended_binding_bypasses_it_and_is_named() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await ready(world)
        # The rules of a zone are read as long as something in it is managed.
        response = {"statusCode": 401, "contentType": "text/plain", "content": "no"}
        world.apply_binding("second", "www.example.com", enforcement={"response": response})
        await until(lambda: world.is_ready(BINDING, "second"))
        world.apply_binding("api", HOST, suspend=True)
        await until(lambda: world.condition(BINDING, "api")[1] == "Suspended")
        world.cloudflare.add_foreign_rule(ZONE, expression="(true)", action="skip", description="probes", first=True)
        await asyncio.sleep(1.5 * INTERVAL)

    assert enforced(world) == ("False", "BypassedByRule")
    assert "probes" in world.message(BINDING, "api", "Enforced")
    assert world.condition(BINDING, "api") == ("False", "Suspended")


@in_virtual_time
async def test_a_ca_that_expires_is_told_of_at_thirty_days_seven_and_one() -> None:
    world = World.begin()
    ca = make_ca("short", now=datetime.fromtimestamp(EPOCH, UTC), days=8)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_authority("partners")
        world.cluster.users.put_secret("shop", "partners", {"ca.crt": ca.pem})
        await until(lambda: world.is_ready(CA, "partners"))
        await asyncio.sleep(7.5 * DAY)

    assert world.condition(CA, "partners") == ("True", "Reconciled")
    assert world.condition(CA, "partners", "SourceResolved") == ("True", "CertificateExpiring")
    assert len(events(world, "CertificateExpiring")) == 3
