"""The judge: what is not as it should be has to be seen, or zero violations would mean nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import pytest

from testbed.chaos.acts import ApplyAuthority, ApplyBinding
from testbed.chaos.certificates_held import certificate_of
from testbed.chaos.dashboard import DashboardHostname, DashboardRule, SpoilRule, TakeOff
from testbed.chaos.ending import converge
from testbed.chaos.expectation import complaints
from testbed.chaos.loop import LivelockError, run
from testbed.chaos.world import ACCOUNT, CA, RELEASE, WINDOW, ZONES, Setting, World
from testbed.cloudflare.messages import Request
from testbed.cloudflare.monitor.marks import Claim, Enforcement, read_mark
from testbed.cluster.objects import Body, ObjectKey
from tests.virtual_time import in_virtual_time

ZONE = ZONES["example.com"]


async def _set_up() -> World:
    """A world in which one binding is in force, and nobody works any more."""
    world = World.begin(Setting(seed=1))
    site = world.sites[0]
    world.run_operator(site)
    ApplyAuthority(at=0, namespace="shop", bundle="red").perform(world)
    ApplyBinding(
        at=0,
        namespace="shop",
        name="one",
        bundle="red",
        authority_namespace="shop",
        zone="example.com",
        hostnames=("api.example.com",),
    ).perform(world)
    assert await converge(world) == []
    world.kill_operator(site)
    return world


def _lose_the_rules(world: World) -> None:
    world.cloudflare.remove_ruleset_rules(ZONE)


def _empty_the_list(world: World) -> None:
    world.cloudflare.put_foreign_hostnames(ZONE, certificate_of(world, "red", 0), [])


def _disable_the_rule(world: World) -> None:
    _spoil(world, Enforcement, "enable")


def _rewrite_the_rule(world: World) -> None:
    _spoil(world, Enforcement, "rewrite")


def _enable_the_claim(world: World) -> None:
    _spoil(world, Claim, "enable")


def _bypass_the_rule(world: World) -> None:
    DashboardRule(at=0, zone="example.com", first=True).perform(world)


def _spoil(world: World, kind: type[Claim] | type[Enforcement], how: str) -> None:
    rules = world.cloudflare.state.rulesets[ZONE].rules
    pick = next(index for index, rule in enumerate(rules) if isinstance(read_mark(rule), kind))
    SpoilRule(at=0, zone="example.com", pick=pick, how=how).perform(world)


def _leak_a_hostname(world: World) -> None:
    names = ["api.example.com", "left.example.com"]
    world.cloudflare.put_foreign_hostnames(ZONE, certificate_of(world, "red", 0), names)


def _lose_the_certificate(world: World) -> None:
    certificate = certificate_of(world, "red", 0) or ""
    world.cloudflare.install(lambda state: state.without_certificate(ACCOUNT, certificate), settled=True)


def _want_another_hostname(world: World) -> None:
    users = world.sites[0].cluster.users
    users.edit("MtlsHostBinding", "shop", "one", lambda body: body["spec"].update(hostnames=["www.example.com"]))


def _want_nothing(world: World) -> None:
    world.sites[0].cluster.users.delete("MtlsHostBinding", "shop", "one")


def _rob_a_person(world: World) -> None:
    world.foreign[ZONE, certificate_of(world, "red", 0) or "", "old.example.com"] = world.clock.now()


@pytest.mark.parametrize(
    "damage",
    [
        _lose_the_rules,
        _disable_the_rule,
        _rewrite_the_rule,
        _enable_the_claim,
        _bypass_the_rule,
        _empty_the_list,
        _leak_a_hostname,
        _lose_the_certificate,
        _want_another_hostname,
        _want_nothing,
        _rob_a_person,
    ],
)
@in_virtual_time
async def test_what_is_not_as_it_should_be_is_complained_of(damage: Callable[[World], None]) -> None:
    world = await _set_up()

    damage(world)

    assert list(complaints(world)) != []


@in_virtual_time
async def test_a_reason_that_is_not_documented_for_a_condition_is_told_once() -> None:
    world = await _set_up()

    for message in ("one", "two"):
        world.sites[0].cluster.store.update_status(ObjectKey(CA, "shop", "red"), partial(_mixed_up, message=message))

    assert world.defects == [f"{CA} shop/red: reason Uploaded is not documented for condition Ready"]


def _mixed_up(body: Body, message: str) -> Body:
    first, *others = body["status"]["conditions"]
    conditions = [{**first, "reason": "Uploaded", "message": message}, *others]
    return {**body, "status": {**body["status"], "conditions": conditions}}


@in_virtual_time
async def test_nothing_is_complained_of_when_all_is_well() -> None:
    world = await _set_up()

    assert list(complaints(world)) == []


@pytest.mark.parametrize(("seconds", "blamed"), [(1.0, False), (2 * WINDOW, True)], ids=["in time", "too late"])
@in_virtual_time
async def test_a_list_may_bring_back_what_a_person_took_off_when_it_is_written_by_an_old_reading(
    seconds: float, blamed: bool
) -> None:
    world = await _set_up()
    DashboardHostname(at=0, zone="example.com", bundle="red", hostname="old.example.com").perform(world)
    TakeOff(at=0, zone="example.com", bundle="red", pick=1).perform(world)
    await asyncio.sleep(seconds)

    _write_the_list(world, "api.example.com", "old.example.com")

    assert bool(list(complaints(world))) == blamed


def _write_the_list(world: World, *hostnames: str) -> None:
    body = {"mtls_certificate_id": certificate_of(world, "red", 0), "hostnames": hostnames}
    headers = {"authorization": f"Bearer {world.sites[0].tokens[RELEASE]}", "content-type": "application/json"}
    url = f"/client/v4/zones/{ZONE}/certificate_authorities/hostname_associations"
    answer = world.cloudflare.handle(Request("PUT", url, (), headers, json.dumps(body).encode()))
    assert answer.status == 200


def test_code_that_spins_without_time_passing_is_told() -> None:
    async def spin() -> None:
        while True:
            await _turn()

    with pytest.raises(LivelockError):
        run(spin())


async def _turn() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(("pause", "hours", "told"), [(0.05, 1, True), (0.5, 10, False)])
def test_what_goes_on_without_a_pause_is_told(*, pause: float, hours: int, told: bool) -> None:
    async def go_on() -> None:
        for _ in range(round(hours * 3600 / pause)):
            await asyncio.sleep(pause)

    with pytest.raises(LivelockError) if told else nullcontext():
        run(go_on())
