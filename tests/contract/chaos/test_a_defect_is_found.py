"""The judge: what is not as it should be has to be seen, or zero violations would mean nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from testbed.chaos.acts import ApplyAuthority, ApplyBinding, certificate_of
from testbed.chaos.dashboard import DashboardRule, SpoilRule
from testbed.chaos.ending import converge
from testbed.chaos.expectation import complaints
from testbed.chaos.loop import LivelockError, run
from testbed.chaos.world import ACCOUNT, ZONES, Setting, World
from testbed.cloudflare.monitor.marks import Claim, Enforcement, read_mark
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
async def test_nothing_is_complained_of_when_all_is_well() -> None:
    world = await _set_up()

    assert list(complaints(world)) == []


def test_code_that_spins_without_time_passing_is_told() -> None:
    async def spin() -> None:
        while True:
            await _turn()

    with pytest.raises(LivelockError):
        run(spin())


async def _turn() -> None:
    await asyncio.sleep(0)
