"""What others do behind an operator's back is excused as long as it cannot know, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from testbed.chaos.acts import ApplyAuthority
from testbed.chaos.authorities import pem_of
from testbed.chaos.certificates_held import certificate_of
from testbed.chaos.dashboard import (
    DashboardHostname,
    DashboardRule,
    DashboardUpload,
    DestroyCertificate,
    SpoilRule,
    TakeOff,
)
from testbed.chaos.ending import converge
from testbed.chaos.visitors import Visitors
from testbed.chaos.world import ACCOUNT, CA, WINDOW, World
from testbed.cloudflare.edge.settings import EdgeSettings, SeveralCas
from testbed.cloudflare.faults import ConnectionCutError, Cut, Fault, Match, Moment
from testbed.cloudflare.monitor.marks import Enforcement, read_mark
from testbed.cluster.objects import ObjectKey
from tests.contract.chaos.ready_binding import (
    API,
    BINDING_TO_RED,
    BOUND,
    NOBODY,
    OF_RED,
    ZONE,
    accept,
    associate,
    call,
    cover_from_elsewhere,
    definition,
    enforcement_rule,
    overlapping,
    path_of,
    rotate,
    rules_path,
    say,
    set_up,
)
from tests.virtual_time import in_virtual_time

RULES: Final = f"/client/v4/zones/{ZONE}/rulesets/phases/http_request_firewall_custom/entrypoint"
NOT_SEEN: Final = 4000.0
UNDER_WAY = 61.0
"""Longer than an operator that lives takes to see anything and to put it right."""


def _delete_the_rule_by_hand(world: World) -> None:
    rules = world.cloudflare.state.rulesets[ZONE].rules
    pick = next(index for index, rule in enumerate(rules) if isinstance(read_mark(rule), Enforcement))
    assert SpoilRule(at=0, zone="example.com", pick=pick, how="delete").perform(world)


def _take_off_by_hand(world: World) -> None:
    assert TakeOff(at=0, zone="example.com", bundle="red", pick=0).perform(world)


@pytest.mark.parametrize("meddle", [_delete_the_rule_by_hand, _take_off_by_hand])
@in_virtual_time
async def test_what_a_person_does_is_excused_while_the_operator_cannot_know_and_when_it_has_put_it_right(
    meddle: Callable[[World], object],
) -> None:
    world = await set_up()
    visitors = Visitors(world)

    meddle(world)
    await asyncio.sleep(NOT_SEEN)
    assert visitors.finish() == []
    world.run_operator(world.sites[0])
    assert await converge(world) == []

    assert visitors.finish() == []


@pytest.mark.parametrize(("staleness", "blamed"), [(0.0, True), (60.0, False)], ids=["sees it", "may be too old"])
@in_virtual_time
async def test_what_a_person_does_is_excused_for_some_minutes_once_a_reading_must_have_shown_it(
    staleness: float, blamed: bool
) -> None:
    world = await set_up(staleness=staleness)
    visitors = Visitors(world)
    _delete_the_rule_by_hand(world)
    await asyncio.sleep(30.0)

    call(world, "GET", RULES)
    await asyncio.sleep(299.0)
    assert visitors.finish() == []
    await asyncio.sleep(2.0)

    assert [NOBODY in each for each in visitors.finish()] == [True] * blamed


@pytest.mark.parametrize("was_ready", [True, False])
@in_virtual_time
async def test_what_a_person_did_is_excused_of_a_binding_that_is_not_ready_until_it_was(*, was_ready: bool) -> None:
    world = await set_up()
    visitors = Visitors(world)
    status = world.sites[0].cluster.store.get(BOUND)["status"]
    moving = {**status, "conditions": [], "hostnames": [{"name": API, "state": "Moving"}]}
    rule = enforcement_rule(world)
    _delete_the_rule_by_hand(world)
    call(world, "GET", RULES)
    say(world, moving)
    await asyncio.sleep(1000.0)
    call(world, "POST", rules_path(world), definition(rule))
    say(world, status if was_ready else {**moving, "hostnamesReady": "0/1"})
    await asyncio.sleep(1.0)
    say(world, moving)

    call(world, "DELETE", path_of(world, enforcement_rule(world)))
    await asyncio.sleep(UNDER_WAY)

    assert ["of Moving binding shop/one" in each for each in visitors.finish()] == [True] * was_ready


@pytest.mark.parametrize(("again_after", "blamed"), [(10.0, False), (WINDOW, True)], ids=["at once", "a window later"])
@in_virtual_time
async def test_that_there_is_no_such_certificate_counts_when_it_is_said_again_a_window_later(
    again_after: float, *, blamed: bool
) -> None:
    world = await set_up()
    certificate = certificate_of(world, "red", 0) or ""
    visitors = Visitors(world)
    assert DestroyCertificate(at=0, bundle="red", pick=0).perform(world)

    for pause in (again_after, 301.0):
        path = f"/client/v4/zones/{ZONE}/certificate_authorities/hostname_associations"
        call(world, "GET", path, query=(("mtls_certificate_id", certificate),), told=404)
        await asyncio.sleep(pause)

    assert [OF_RED in each for each in visitors.finish()] == [True] * blamed


@in_virtual_time
async def test_a_reading_whose_answer_was_lost_has_shown_nothing() -> None:
    world = await set_up()
    visitors = Visitors(world)
    _delete_the_rule_by_hand(world)

    world.cloudflare.faults.add(Fault(Cut(Moment.AFTER), Match("GET")))
    with pytest.raises(ConnectionCutError):
        call(world, "GET", RULES)
    await asyncio.sleep(301.0)

    assert visitors.finish() == []


@in_virtual_time
async def test_what_a_person_does_again_has_to_be_seen_again() -> None:
    world = await set_up()
    visitors = Visitors(world)
    rule = enforcement_rule(world)
    _delete_the_rule_by_hand(world)
    call(world, "GET", RULES)
    call(world, "POST", rules_path(world), definition(rule))

    _delete_the_rule_by_hand(world)
    await asyncio.sleep(301.0)

    assert visitors.finish() == []


@in_virtual_time
async def test_what_a_person_does_excuses_nothing_about_another_hostname() -> None:
    world = await set_up()
    visitors = Visitors(world)
    DashboardRule(at=0, zone="example.com", first=True).perform(world)

    call(world, "DELETE", path_of(world, enforcement_rule(world)))

    assert [NOBODY in each for each in visitors.found] == [True]


@in_virtual_time
async def test_where_only_the_ca_counts_that_came_last_people_may_close_a_hostname_by_another_list() -> None:
    world = await set_up(EdgeSettings(several_cas=SeveralCas.MOST_RECENT))
    visitors = Visitors(world)
    await asyncio.sleep(1.0)
    DashboardUpload(at=0, bundle="blue").perform(world)

    DashboardHostname(at=0, zone="example.com", bundle="blue", hostname=API).perform(world)

    assert visitors.finish() == []


@in_virtual_time
async def test_another_installation_that_brings_its_own_issuers_is_excused_until_that_can_be_known() -> None:
    world = await set_up(installations=2)
    visitors = Visitors(world)

    cover_from_elsewhere(world)
    await asyncio.sleep(NOT_SEEN)
    assert visitors.finish() == []
    call(world, "GET", RULES)
    await asyncio.sleep(301.0)

    assert [OF_RED in each for each in visitors.finish()] == [True]


@pytest.mark.parametrize(("pinning", "blamed"), [("Always", True), ("Never", False)], ids=["by a rule", "by no rule"])
@in_virtual_time
async def test_another_installation_that_ends_an_overlap_is_not_excused_where_it_can_be_told_of_it(
    pinning: str, *, blamed: bool
) -> None:
    world = await set_up(installations=2, enforcement={"issuerPinning": pinning})
    visitors = Visitors(world)
    await rotate(world, so_far=overlapping)

    cover_from_elsewhere(world)

    assert [OF_RED in each for each in visitors.found] == [True] * blamed


@pytest.mark.parametrize(("said", "blamed"), [("Moving", False), ("Enforced", False), ("Ready", True)])
@in_virtual_time
async def test_while_a_binding_is_not_ready_clients_may_get_in_whom_another_installation_accepts(
    said: str, *, blamed: bool
) -> None:
    world = await set_up(installations=2)
    theirs = world.cloudflare.add_certificate(ACCOUNT, pem_of("red", 1), settled=False)
    ApplyAuthority(at=0, site=1, namespace="shop", bundle="red").perform(world)
    replace(BINDING_TO_RED, site=1).perform(world)
    world.sites[1].cluster.store.update_status(
        ObjectKey(CA, "shop", "red"), lambda body: {**body, "status": {"certificateId": theirs}}
    )
    for site in world.sites:
        world.kill_operator(site)
    visitors = Visitors(world)
    status = world.sites[0].cluster.store.get(BOUND)["status"]
    not_ready = {**status, "conditions": [], "hostnames": [{"name": API, "state": said}]}
    say(world, status if said == "Ready" else not_ready)

    associate(world, theirs, API)
    accept(world, 0, 1)
    await asyncio.sleep(UNDER_WAY)

    assert ["was open to a client of 'Red Two'" in each for each in visitors.finish()] == [True] * blamed
