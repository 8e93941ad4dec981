"""A token's rate limit runs low or is used up, and Cloudflare goes away: what is sent, and what is said."""

from __future__ import annotations

import asyncio
from typing import Any

from testbed.cloudflare.faults import AnswerPage, Fault, Match
from testbed.cloudflare.settings import RateLimit, Settings
from tests.contract.cluster.engine_world import ACCOUNT, TOKEN, World, in_force
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
LIMIT = Settings(rate_limit=RateLimit(requests=1200, window=300.0, penalty=300.0))


def calls_since(world: World, begun: float) -> list[str]:
    return [f"{each.method} {each.path}" for each in world.cloudflare.log if each.time >= begun]


def refusals(world: World) -> list[float]:
    """When Cloudflare refused a call for the limit."""
    return [each.time for each in world.cloudflare.log if each.status == 429]


async def leave(world: World, requests: int) -> None:
    """Somebody else with the same token uses up the present window but for so many requests, and the operator hears of
    it: a request to look again costs it two calls."""
    world.cloudflare.spend_rate(TOKEN, 1200 - requests)
    world.cluster.users.annotate(BINDING, "shop", "api", {"apishield-mtls.io/reconcile-requested-at": str(requests)})
    await asyncio.sleep(2)


@in_virtual_time
async def test_when_little_is_left_what_is_new_waits_for_the_next_window_and_says_so() -> None:
    async with in_force(LIMIT) as world:
        await asyncio.sleep(HOUR)
        # A first call opens the window.
        await leave(world, 400)
        world.cloudflare.spend_rate(TOKEN, 320)
        world.apply_second()
        await asyncio.sleep(2)
        begun = world.clock.now()
        await asyncio.sleep(60)
        waiting, told = calls_since(world, begun), world.second()
        await until(lambda: world.second()[0] == "True")

    assert waiting == []
    assert told == ("False", "RateLimited")
    assert refusals(world) == []


@in_virtual_time
async def test_a_deletion_uses_what_is_kept_back_for_it() -> None:
    async with in_force(LIMIT) as world:
        await asyncio.sleep(HOUR)
        await leave(world, 400)
        world.cloudflare.spend_rate(TOKEN, 340)
        begun = world.clock.now()
        world.cluster.users.delete(BINDING, "shop", "api")
        await asyncio.sleep(60)

    # Out of the rule, and claimed as leaving: the second is decided on with 59 left.
    assert [each.split(" ")[0] for each in calls_since(world, begun)] == ["DELETE", "PATCH"]
    assert refusals(world) == []


@in_virtual_time
async def test_after_a_refusal_for_the_limit_nothing_is_sent_for_as_long_as_cloudflare_says() -> None:
    world = World.begin(settings=LIMIT)
    async with world.running():
        world.apply_both()
        await asyncio.sleep(10)
        world.cloudflare.spend_rate(TOKEN, 1200)
        await until(lambda: refusals(world))
        (refused_at,) = refusals(world)
        told = await _told(world)
        await until(world.all_ready)

    after = [each.time - refused_at for each in world.cloudflare.log if each.time > refused_at]
    assert min(after) > 300.0
    assert len(refusals(world)) == 1
    assert told == ("False", "RateLimited")


async def _told(world: World) -> tuple[str, str]:
    await asyncio.sleep(5)
    return world.condition(BINDING, "api")


@in_virtual_time
async def test_while_cloudflare_is_away_one_call_goes_out_per_pause_for_all_zones_together_and_conditions_say_so() -> (
    None
):
    world = World.begin()
    zones = [f"zone-{number}.example" for number in range(10)]
    for number, name in enumerate(zones):
        world.cloudflare.add_zone(f"{number:032x}", name, ACCOUNT)
    async with world.running():
        world.apply_both()
        await until(world.all_ready)
        for name in zones:
            world.apply_binding(name.split(".")[0], f"api.{name}", zone=name)
        await asyncio.sleep(60)
        begun, requests = world.clock.now(), len(world.cluster.log)
        world.cloudflare.faults.add(Fault(AnswerPage(502), Match(), times=None))
        await asyncio.sleep(HOUR)
        calls, told = calls_since(world, begun), _all_told(world, zones)
        written = [entry for entry in world.cluster.log[requests:] if entry.what.startswith("write status")]
        world.cloudflare.faults.clear()
        await until(lambda: all(each[0] == "True" for each in _all_told(world, zones)))

    # Five until it is noticed, some more that were under way, and about one in 45 s.
    assert len(calls) < 130
    assert told == [("False", "CloudflareUnavailable")] * 10
    # What is said of an outage is said once, or twice where the first thing to be said is that nothing was sent.
    assert len(written) <= 2 * 10
    assert world.cloudflare.monitor.finish() == []


def _all_told(world: World, zones: list[str]) -> list[Any]:
    return [world.condition(BINDING, name.split(".")[0]) for name in zones]
