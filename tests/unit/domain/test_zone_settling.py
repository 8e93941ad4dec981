"""A rule counts from when the whole edge has it: that it is there, and each issuer that it accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.observed import Ruleset
from mtls_operator.domain.zone_knowledge import Reading
from mtls_operator.domain.zone_plan import plan_zone
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_steps import WriteRule
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_actions import (
    BARE,
    BLOCKED,
    ELSEWHERE,
    LOGGED,
    UNPINNED,
    A,
    B,
    X,
    becomes,
    in_force,
    moved,
    rules,
    under,
)
from tests.unit.domain.test_zone_plan import CalmZone


@pytest.fixture
def zone() -> CalmZone:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({"old.example.com"})])
    return zone


def test_a_rule_comes_back_at_once_when_there_is_to_be_one_and_is_in_force_when_the_edge_has_it(zone: CalmZone) -> None:
    in_force(zone, BARE)

    becomes(zone, under(BLOCKED), seconds=80.0)
    on_its_way = (rules(zone), zone.stage().stage, zone.stage().until)
    zone.wait(20.0)

    assert on_its_way[:2] == ([BLOCKED], HostStage.ASSOCIATED)
    assert on_its_way[2] is not None
    assert zone.time.now - 20.0 < on_its_way[2] < zone.time.now
    assert zone.stage().stage is HostStage.ENFORCED


def test_a_rule_that_accepts_more_is_counted_from_when_the_whole_edge_has_it(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)

    becomes(zone, under(replace(BLOCKED, issuers=A | X)), seconds=80.0)
    on_its_way = (rules(zone), zone.stage().stage, zone.stage().until)
    zone.wait(20.0)

    assert on_its_way[:2] == ([replace(BLOCKED, issuers=A | X)], HostStage.MOVING)
    assert on_its_way[2] is not None
    assert zone.time.now - 20.0 < on_its_way[2] < zone.time.now
    assert zone.stage().stage is HostStage.ENFORCED


def test_a_rule_that_accepts_less_is_counted_from_when_the_whole_edge_has_it(zone: CalmZone) -> None:
    in_force(zone, replace(BLOCKED, issuers=A | X))
    zone.cluster.issuers = A

    becomes(zone, under(BLOCKED), seconds=80.0)
    on_its_way = (rules(zone), zone.stage().stage)
    zone.wait(20.0)

    assert on_its_way == ([BLOCKED], HostStage.MOVING)
    assert zone.stage().stage is HostStage.ENFORCED


def test_a_hostname_that_is_in_its_overlap_is_not_enforced_before_there_is_a_rule(zone: CalmZone) -> None:
    in_force(zone, BARE)
    told: list[HostStage] = []
    zone.zone.watch = lambda: told.append(zone.stage().stage) if rules(zone) else None

    zone.after(replace(zone.ours(), target=moved(UNPINNED)), seconds=2_000.0)

    # What was said when the rule was written.
    assert told[0] not in {HostStage.ENFORCED, HostStage.MOVING}


def test_a_binding_that_cannot_be_reconciled_says_logged_of_what_is_only_logged(zone: CalmZone) -> None:
    in_force(zone, LOGGED)

    zone.after(replace(zone.ours(), blocked=True), seconds=10.0)

    assert zone.stage().stage is HostStage.LOGGED


def test_a_process_that_ends_meanwhile_leaves_that_to_the_next_one(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)
    becomes(zone, under(replace(BLOCKED, issuers=A | X)), seconds=10.0)

    zone.begin_again()
    zone.wait(80.0)
    on_its_way = zone.stage().stage
    zone.wait(20.0)

    assert (on_its_way, zone.stage().stage) == (HostStage.MOVING, HostStage.ENFORCED)


def test_a_rule_that_somebody_took_away_accepts_what_it_did_as_soon_as_it_is_back(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(tuple(rule for rule in ruleset.rules if rule.body.action != "block"))
    zone.operator.look()

    zone.wait(10.0)

    assert (rules(zone), zone.stage().stage) == ([BLOCKED], HostStage.ENFORCED)


def test_a_restart_does_not_doubt_what_a_status_says_of_a_rule(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)

    zone.begin_again()
    zone.wait(5.0)

    assert zone.stage().stage is HostStage.ENFORCED


def test_a_rule_of_a_binding_that_cannot_be_reconciled_any_more_is_counted_as_well(zone: CalmZone) -> None:
    in_force(zone, BARE)
    becomes(zone, under(BLOCKED), seconds=10.0)

    zone.after(replace(zone.ours(), blocked=True), seconds=60.0)
    on_its_way = zone.stage().stage
    zone.wait(40.0)

    assert (on_its_way, zone.stage().stage) == (HostStage.ASSOCIATED, HostStage.ENFORCED)


@pytest.mark.parametrize("restarted", [False, True])
def test_the_rule_of_such_a_binding_is_put_back_as_it_was_if_this_process_has_seen_it(
    zone: CalmZone, *, restarted: bool
) -> None:
    in_force(zone, BLOCKED)
    zone.after(replace(zone.ours(), blocked=True), seconds=10.0)
    if restarted:
        zone.begin_again()
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(tuple(rule for rule in ruleset.rules if rule.body.action != "block"))
    zone.operator.look()

    zone.wait(10.0)

    if restarted:
        assert (rules(zone), zone.stage().stage) == ([], HostStage.ASSOCIATED)
    else:
        assert (rules(zone), zone.stage().stage) == ([BLOCKED], HostStage.ENFORCED)


def test_a_process_that_was_not_told_that_all_is_in_force_reads_the_list_before_it_says_so(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)
    zone.cluster.bindings[zone.ours().key] = replace(zone.ours(), moving=frozenset(zone.ours().hostnames))
    zone.begin_again()
    zone.steps.clear()

    zone.wait(100.0)

    assert "ReadList" in zone.steps
    assert zone.stage().stage is HostStage.ENFORCED


@pytest.mark.parametrize("policy", [UNPINNED, replace(BLOCKED, issuers=B)], ids=["unpinned", "pinned"])
def test_in_its_overlap_a_hostname_is_enforced_when_the_whole_edge_accepts_both_cas(
    zone: CalmZone, policy: Policy
) -> None:
    in_force(zone, BLOCKED)
    told: list[tuple[bool, HostStage]] = []

    def note() -> None:
        told.append((all((each.issuers or B) >= B for each in rules(zone)), zone.stage().stage))

    zone.zone.watch = note
    zone.after(replace(zone.ours(), target=moved(policy)), seconds=150.0)
    on_its_way = zone.stage().stage
    zone.wait(60.0)

    assert not [stage for accepts, stage in told if not accepts and stage is HostStage.ENFORCED][1:]
    assert (on_its_way, zone.stage().stage) == (HostStage.MOVING, HostStage.ENFORCED)


def test_a_hostname_that_is_to_be_logged_is_not_so_while_a_rule_refuses_clients_of_its_new_ca(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)
    told: list[tuple[bool, HostStage]] = []
    zone.zone.watch = lambda: told.append((rules(zone) == [BLOCKED], zone.stage().stage))

    zone.after(replace(zone.ours(), target=moved(replace(LOGGED, issuers=B))), seconds=600.0)

    assert zone.stage().stage is HostStage.LOGGED
    assert HostStage.LOGGED not in {stage for refuses, stage in told if refuses}


def test_a_rule_that_somebody_took_away_is_put_back_however_slow_the_reading_was(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    claims = tuple(rule for rule in ruleset.rules if rule.body.action != "block")
    slow: Reading[Ruleset | None] = Reading(
        replace(ruleset, rules=claims, version=ruleset.version + 1), begun=zone.time.now - 30.0
    )

    (desired,) = zone.cluster.desired()
    plan = plan_zone(desired, replace(zone.operator.known, rules=slow), zone.time.now, zone.operator.timing)

    assert isinstance(plan.steps[0], WriteRule)


def test_a_rule_that_is_read_after_a_write_without_an_answer_may_be_gone_and_is_counted_anew(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)
    zone.operator.known = zone.operator.known.with_rules_unknown(zone.time.now)
    zone.cluster.put(replace(zone.ours(), enforced=frozenset(), settled=frozenset()))

    zone.wait(80.0)
    on_its_way = zone.stage().stage
    zone.wait(20.0)

    assert on_its_way is HostStage.ASSOCIATED
    assert zone.stage().stage is HostStage.ENFORCED


def test_what_is_told_to_be_in_force_stays_so_through_a_write_without_an_answer(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)

    zone.operator.known = zone.operator.known.with_rules_unknown(zone.time.now)
    zone.operator.process.wake()
    zone.wait(10.0)

    assert zone.stage().stage is HostStage.ENFORCED
