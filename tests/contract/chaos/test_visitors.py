"""Visitors of stories see who gets in that must not, and who does not that must; and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import pytest

from testbed.chaos import crash
from testbed.chaos.act import Act
from testbed.chaos.acts import ApplyAuthority
from testbed.chaos.authorities import key_identifiers
from testbed.chaos.certificates_held import certificate_of
from testbed.chaos.dashboard import DashboardUpload
from testbed.chaos.ending import converge
from testbed.chaos.loop import run
from testbed.chaos.play import play
from testbed.chaos.story import Story
from testbed.chaos.visitors import Visitors
from testbed.chaos.world import BINDING, Body, Setting, World
from testbed.cloudflare.edge.settings import EdgeSettings
from tests.contract.chaos.ready_binding import (
    API,
    BINDING_TO_RED,
    BOUND,
    NOBODY,
    OF_RED,
    associate,
    call,
    definition,
    enforcement_rule,
    path_of,
    pinned,
    rewrite,
    rules_path,
    say,
    set_up,
)
from tests.virtual_time import in_virtual_time

LATE: Final = EdgeSettings(rules_delay=85.0)
_SET_UP: Final = (ApplyAuthority(at=0, namespace="shop", bundle="red"), BINDING_TO_RED)


@dataclass(frozen=True, kw_only=True)
class _LoseTheRule(Act):
    """The rule that enforces goes by a request of the installation, which forgets that at once."""

    def perform(self, world: World) -> bool:
        call(world, "DELETE", path_of(world, enforcement_rule(world)))
        return True


@in_virtual_time
async def test_a_set_up_that_goes_well_gives_no_cause_for_complaint() -> None:
    world = World.begin(Setting(seed=1, edge=EdgeSettings(lists_delay=85.0, rules_delay=85.0)))
    visitors = Visitors(world)
    world.run_operator(world.sites[0])
    ApplyAuthority(at=0, namespace="shop", bundle="red").perform(world)
    BINDING_TO_RED.perform(world)

    assert await converge(world) == []
    assert visitors.finish() == []


@in_virtual_time
async def test_a_ready_hostname_without_its_rule_is_open_to_whoever_comes() -> None:
    world = await set_up()
    visitors = Visitors(world)

    call(world, "DELETE", path_of(world, enforcement_rule(world)))

    assert len(visitors.found) == 1
    assert visitors.found[0].startswith("an instant: at 0.0 ")
    assert NOBODY in visitors.found[0]


@in_virtual_time
async def test_a_hostname_of_a_binding_that_is_not_ready_promises_nothing() -> None:
    world = await set_up()
    visitors = Visitors(world)
    world.sites[0].cluster.users.edit(
        BINDING, "shop", "one", lambda body: body["spec"].update(hostnames=["m.example.com"])
    )

    call(world, "DELETE", path_of(world, enforcement_rule(world)))

    assert visitors.finish() == []


@in_virtual_time
async def test_a_ready_hostname_that_is_on_no_list_is_closed_to_good_clients_also_while_no_operator_lives() -> None:
    world = await set_up()
    visitors = Visitors(world)

    await asyncio.sleep(1000.0)
    associate(world, certificate_of(world, "red", 0))

    assert [each.startswith("an instant: at 1000.0 ") and OF_RED in each for each in visitors.found] == [True]


@in_virtual_time
async def test_a_client_of_another_ca_of_the_account_is_kept_out() -> None:
    world = await set_up()
    DashboardUpload(at=0, bundle="blue").perform(world)
    visitors = Visitors(world)
    associate(world, certificate_of(world, "blue", 0), API)
    assert visitors.found == []

    rewrite(world, f'(lower(http.host) in {{"{API}"}} and not cf.tls_client_auth.cert_verified)')

    assert ["was open to a client of 'Blue One'" in each for each in visitors.found] == [True]


@pytest.mark.parametrize(("enforcement", "bad"), [({"issuerPinning": "Never"}, NOBODY), ({"action": "Log"}, None)])
@in_virtual_time
async def test_who_is_bad_follows_from_how_a_binding_wants_to_be_enforced(enforcement: Body, bad: str | None) -> None:
    world = await set_up(enforcement=enforcement)
    DashboardUpload(at=0, bundle="blue").perform(world)
    visitors = Visitors(world)

    associate(world, certificate_of(world, "blue", 0), API)
    assert visitors.found == []
    associate(world, certificate_of(world, "red", 0), API)
    call(world, "DELETE", path_of(world, enforcement_rule(world)))

    assert [each.endswith("up to date") and f"{bad} and 5 others" in each for each in visitors.found] == [True] * bool(
        bad
    )


@in_virtual_time
async def test_an_impostor_of_the_ca_is_kept_out() -> None:
    world = await set_up()
    visitors = Visitors(world)

    rewrite(world, pinned(key_identifiers("red", 0)).replace("cf.tls_client_auth.cert_verified and ", ""))

    assert ["was open to an impostor of 'Red'" in each for each in visitors.found] == [True]


@in_virtual_time
async def test_what_only_a_late_data_centre_did_for_a_while_is_seen_when_it_does() -> None:
    world = await set_up(LATE)
    rule, body = enforcement_rule(world), world.sites[0].read(BINDING, "shop", "one")
    assert body is not None
    await asyncio.sleep(100.0)
    visitors = Visitors(world)

    say(world, {**body["status"], "conditions": [], "hostnames": []})
    call(world, "DELETE", path_of(world, rule))
    await asyncio.sleep(10.0)
    call(world, "POST", rules_path(world), definition(rule))
    say(world, body["status"])
    assert visitors.found == []
    await asyncio.sleep(300.0)

    assert visitors.finish() == [
        f"an instant: at 85.0 {NOBODY} and 18 others, at the data centre that is late with rules"
    ]


@pytest.mark.parametrize("state", ["Enforced", "Moving"])
@in_virtual_time
async def test_a_hostname_that_is_said_to_be_covered_is_asked_for_though_its_binding_is_not_ready(state: str) -> None:
    world = await set_up()
    visitors = Visitors(world)
    status = world.sites[0].cluster.store.get(BOUND)["status"]
    say(world, {**status, "conditions": [], "hostnames": [{"name": API, "state": state}]})

    call(world, "DELETE", path_of(world, enforcement_rule(world)))
    await asyncio.sleep(59.0)
    assert visitors.finish() == []
    await asyncio.sleep(2.0)

    assert [f"{API} of {state} binding shop/one of cluster-a was open to" in each for each in visitors.finish()] == [
        True
    ]


@in_virtual_time
async def test_what_is_said_of_an_earlier_spec_promises_nothing() -> None:
    world = await set_up()
    visitors = Visitors(world)
    users = world.sites[0].cluster.users
    users.edit(BINDING, "shop", "one", lambda body: body["spec"].update(enforcement={"issuerPinning": "Always"}))

    call(world, "DELETE", path_of(world, enforcement_rule(world)))

    assert visitors.found == []


@in_virtual_time
async def test_a_binding_that_is_being_deleted_promises_nothing_whatever_it_says() -> None:
    world = await set_up()
    visitors = Visitors(world)
    world.sites[0].cluster.users.delete(BINDING, "shop", "one")
    body = world.sites[0].cluster.store.get(BOUND)
    conditions = [
        {**each, "observedGeneration": body["metadata"]["generation"]} for each in body["status"]["conditions"]
    ]
    say(world, {**body["status"], "conditions": conditions})

    call(world, "DELETE", path_of(world, enforcement_rule(world)))

    assert visitors.found == []


@pytest.mark.parametrize("field", [{"suspend": True}, {"managementPolicy": "Observe"}])
@in_virtual_time
async def test_a_binding_that_is_set_aside_and_not_ready_promises_nothing(field: Body) -> None:
    world = await set_up()
    visitors = Visitors(world)
    world.sites[0].cluster.users.edit(BINDING, "shop", "one", lambda body: body["spec"].update(field))
    body = world.sites[0].cluster.store.get(BOUND)
    status = {**body["status"], "observedGeneration": body["metadata"]["generation"], "conditions": []}
    say(world, status)

    call(world, "DELETE", path_of(world, enforcement_rule(world)))

    assert visitors.found == []


def test_what_visitors_find_in_a_story_is_a_violation() -> None:
    outcome = play(Story(Setting(seed=1), (*_SET_UP, _LoseTheRule(at=1000.0))))

    assert any(NOBODY in each for each in outcome.violations)
    assert [NOBODY in each for each in play(Story(Setting(seed=1), _SET_UP)).violations] == []


def test_visitors_ask_in_crash_runs_too() -> None:
    scenario = crash.Scenario("loss", [_SET_UP], [_LoseTheRule(at=0)])

    assert any(NOBODY in each for each in crash.play(scenario, None).wrong)


def test_asking_takes_no_part_in_what_happens() -> None:
    def trace(*, asked: bool) -> list[str]:
        async def happen() -> list[str]:
            world = World.begin(Setting(seed=1, edge=EdgeSettings(lists_delay=20.0, rules_delay=85.0), latency=0.5))
            if asked:
                Visitors(world)
            world.run_operator(world.sites[0])
            ApplyAuthority(at=0, namespace="shop", bundle="red").perform(world)
            BINDING_TO_RED.perform(world)
            await asyncio.sleep(600.0)
            return world.trace()

        return run(happen())

    assert trace(asked=True) == trace(asked=False)
