"""Somebody replaced the whole ruleset: nothing is removed until others have had time to put their claims back, whoever
notices it, and whatever becomes of the process that does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.marks import Claim, ClaimState, claim_body
from mtls_operator.domain.observed import CertificateId, Rule
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.verdicts import ok
from mtls_operator.domain.zone_progress import HostStage
from tests.unit.domain.binding_records import binding
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import API, FOREIGN, OTHERS, TARGET, WEB, CalmZone, claim, enforced, wanted
from tests.unit.domain.test_zone_succession import plan, replace_ruleset

THEIRS = Rule("theirs", claim_body(claim(ClaimState.HELD, by=OTHERS), "theirs"))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FINE = ok(Reason.ACCEPTED, "served")
CEILING = 900.0
ELSEWHERE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")


@pytest.fixture
def zone() -> CalmZone:
    """A zone where two hostnames are enforced, and have been for long; another installation holds one of them too."""
    zone = CalmZone(rules=(FOREIGN, THEIRS))
    zone.after(wanted(API, WEB))
    zone.steps.clear()
    return zone


def put_theirs_back(zone: CalmZone) -> None:
    zone.add_rules(THEIRS)


def test_what_is_given_up_after_a_restart_stays_on_the_list_until_others_have_claimed_it_again(zone: CalmZone) -> None:
    replace_ruleset(zone)
    zone.wait(60.0)
    zone.begin_again()
    zone.wait(5.0)

    zone.after(replace(zone.ours(), deleting=True), seconds=CEILING - 75.0)
    kept = zone.listed
    put_theirs_back(zone)
    zone.wait(5_000.0)

    assert kept == {"old.example.com", API, WEB}
    assert zone.listed == {"old.example.com", API}
    assert zone.cluster.bindings == {}


def test_a_restart_that_finds_all_marks_in_their_place_makes_no_removal_longer(zone: CalmZone) -> None:
    zone.begin_again()
    zone.wait(5.0)

    zone.after(replace(zone.ours(), deleting=True), seconds=CEILING / 2)

    assert zone.cluster.bindings == {}


def test_a_process_that_dies_before_the_rules_are_back_leaves_the_short_way_to_the_next(zone: CalmZone) -> None:
    replace_ruleset(zone)
    while len(zone.marks()) < 2:
        zone.wait(0.01)
    claimed = zone.marks()
    zone.begin_again()
    put_theirs_back(zone)

    zone.wait(95.0)

    assert claimed == [None, claim(ClaimState.ARRIVING, API, WEB)]
    assert "WriteList" not in zone.steps
    assert enforced(API, WEB) in zone.marks()


def test_an_installation_that_only_gives_up_notices_it_too(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), deleting=True), seconds=30.0)
    given_up = zone.marks()
    replace_ruleset(zone)

    zone.wait(CEILING - 10.0)
    kept = zone.listed
    put_theirs_back(zone)
    zone.wait(5_000.0)

    assert enforced(API, WEB) not in given_up
    assert kept == {"old.example.com", API, WEB}
    assert zone.listed == {"old.example.com", API}


def test_one_that_holds_hostnames_without_a_rule_notices_it_at_its_start(zone: CalmZone) -> None:
    zone = CalmZone(rules=(FOREIGN, THEIRS))
    zone.after(wanted(), seconds=5.0)
    zone.after(replace(zone.ours(), blocked=True))
    held = zone.stage().stage
    zone.zone.set_rules((FOREIGN,))
    zone.begin_again()

    steps = list(zone.wait(5.0))

    assert held is HostStage.ASSOCIATED
    assert steps[:2] == ["ReadRules", "NoteReplacement"]


def test_a_ruleset_that_is_replaced_again_is_waited_for_anew(zone: CalmZone) -> None:
    replace_ruleset(zone)
    zone.wait(600.0)
    replace_ruleset(zone)
    again = zone.time.now
    zone.wait(5.0)

    until = plan(zone).put_back_until

    assert until == pytest.approx(again + CEILING, abs=2.0)
    assert enforced(API, WEB) in zone.marks()


def test_the_last_claim_that_we_removed_ourselves_is_no_replacement(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), deleting=True))
    gone = dict(zone.cluster.bindings)
    zone.after(Binding(ResourceKey("apps", "later"), (WEB,), TARGET), seconds=1.0)

    assert gone == {}
    assert "NoteReplacement" not in zone.steps


def test_what_is_covered_all_the_while_takes_no_short_way_to_another_list(zone: CalmZone) -> None:
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({API, WEB})])
    replace_ruleset(zone)
    zone.wait(10.0)

    zone.after(wanted(API, WEB, target=replace(TARGET, certificate=ELSEWHERE)), seconds=30.0)

    states = [mark.state for mark in zone.marks() if isinstance(mark, Claim) and ELSEWHERE in mark.certificate_ids]
    assert states == [ClaimState.ARRIVING]


def test_the_status_says_until_when_nothing_is_removed_and_no_longer_than_that() -> None:
    record = binding()
    view = BindingView(BindingAssessment(FINE, FINE), {}, removals_from=NOW.timestamp() + 0.5)

    told = binding_status(record, view, NOW)
    over = binding_status(replace(record, status=told), replace(view, removals_from=None), NOW)

    assert told.removals_from == datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC)
    assert over.removals_from is None
