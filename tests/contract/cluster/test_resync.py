"""Everything is looked at again from time to time: what that costs, and what asks for it at once."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.journal import LogEntry
from testbed.cloudflare.settings import RateLimit, Settings
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, TOKEN, ZONE, World
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
RULES = f"/client/v4/zones/{ZONE}/rulesets/phases/http_request_firewall_custom/entrypoint"
LIST = f"/client/v4/zones/{ZONE}/certificate_authorities/hostname_associations"


async def settled(world: World) -> None:
    """A binding is ready, and all that follows from its set-up is done."""
    world.apply_both()
    await until(world.all_ready)
    await asyncio.sleep(HOUR)


def reads(world: World, path: str) -> list[float]:
    """When something was read."""
    return [each.time for each in world.cloudflare.log if (each.method, each.path) == ("GET", path)]


def is_of_a_resync(call: LogEntry) -> bool:
    """Whether a call is of a zone, and not of the looks at what others have there, which are counted apart."""
    of_others = call.path.endswith(("/dns_records", "/access_rules/rules"))
    of_the_managed_ca = call.path == LIST and call.method == "GET" and not call.query
    return ZONE in call.path and not (of_others or of_the_managed_ca)


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


@in_virtual_time
async def test_a_look_at_a_zone_where_all_is_well_reads_its_rules_and_each_list_once_and_writes_nothing_anywhere() -> (
    None
):
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await settled(world)
        calls, requests = len(world.cloudflare.log), len(world.cluster.log)
        await asyncio.sleep(12 * HOUR)

    asked = Counter((each.method, each.path) for each in world.cloudflare.log[calls:] if is_of_a_resync(each))
    assert asked.keys() == {("GET", RULES), ("GET", LIST)}
    assert asked["GET", RULES] == asked["GET", LIST]
    assert {entry.what.split(" ")[0] for entry in world.cluster.log[requests:]} == {"list"}


@in_virtual_time
async def test_the_rules_of_a_zone_are_read_within_the_ceiling_of_a_quarter_of_an_hour() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await settled(world)
        await asyncio.sleep(12 * HOUR)

    between = gaps(reads(world, RULES))
    assert max(between) < 900.0 + 5.0
    assert min(between[-20:]) >= 300.0


@in_virtual_time
async def test_looks_are_not_evenly_spaced_so_that_installations_that_began_together_drift_apart() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await settled(world)
        await asyncio.sleep(6 * HOUR)

    between = gaps(reads(world, RULES))[-20:]
    assert max(between) - min(between) > 20.0


@in_virtual_time
async def test_when_others_leave_too_little_looks_are_rarer_and_ready_says_so() -> None:
    world = World.begin(settings=Settings(rate_limit=RateLimit(requests=60, window=300.0, penalty=300.0)))
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await settled(world)
        busy = asyncio.create_task(_spend_nearly_all(world))
        await until(lambda: world.condition(BINDING, "api") == ("True", "ResyncDelayed"))
        busy.cancel()
        await until(lambda: world.condition(BINDING, "api") == ("True", "Reconciled"))

    assert world.cloudflare.monitor.finish() == []


async def _spend_nearly_all(world: World) -> None:
    """Somebody else with the same token, who leaves three requests of each window."""
    while True:
        world.cloudflare.spend_rate(TOKEN, 57)
        await asyncio.sleep(300.5)


@in_virtual_time
async def test_a_request_to_look_again_is_acknowledged_when_all_has_been_read_and_not_before() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await settled(world)
        asked_at, calls = world.clock.now(), len(world.cloudflare.log)
        world.cluster.users.annotate(BINDING, "shop", "api", {"apishield-mtls.io/reconcile-requested-at": "now"})
        await until(lambda: world.status(BINDING, "api").get("lastHandledReconcileAt") == "now")
        acknowledged_at = world.clock.now()

    read = [each.path for each in world.cloudflare.log[calls:] if asked_at <= each.time <= acknowledged_at]
    assert sorted(read) == sorted([RULES, LIST])


@in_virtual_time
async def test_a_zone_that_nobody_is_bound_in_any_more_is_not_looked_at() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await settled(world)
        world.delete_both()
        await until(world.all_gone)
        calls = len(world.cloudflare.log)
        await asyncio.sleep(2 * HOUR)

    assert [each.line() for each in world.cloudflare.log[calls:] if ZONE in each.path] == []


@in_virtual_time
async def test_an_account_and_a_zone_in_which_all_is_well_are_settled_and_it_is_said_when_that_was_last_found() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as operator:
        await settled(world)
        found = {
            (kind, key): operator.metrics.registry.get_sample_value(
                "cfmtls_last_successful_reconcile_timestamp_seconds", {"kind": kind, "key": key}
            )
            for kind, key in (("account", ACCOUNT), ("zone", ZONE))
        }
        now = world.clock.now()

    assert all(at is not None and now - at < 900.0 for at in found.values()), found
