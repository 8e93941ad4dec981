"""A resource with `suspend: true`: it keeps what its status records, nothing is done for it, and a deletion waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import Condition, ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_plan import AccountPlan
from mtls_operator.domain.account_steps import AccountStep
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.authority_status import AuthorityView, authority_status
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.handling import is_idle, suspension
from mtls_operator.domain.marks import ClaimState
from mtls_operator.domain.records import AddFinalizer, ResourceKey
from mtls_operator.domain.stakes import stakes_of
from mtls_operator.domain.verdicts import blocked, ok
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_stakes import Target
from tests.unit.domain.account_demands import ANNOUNCED, CA, HAS_ONE, WANTED, listed, plan
from tests.unit.domain.binding_records import CERTIFICATE, authority, binding, metadata
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.test_zone_plan import API, SET_UP, TARGET, TEAR_DOWN, WEB, CalmZone, claim, enforced, wanted

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FINE = ok(Reason.ACCEPTED, "served")
SUSPENDED: dict[str, object] = {"suspend": True}
IN_FORCE: dict[str, object] = {"certificateId": CERTIFICATE, "fingerprints": ["ab" * 32]}
ENFORCED = {API: HostProgress(HostStage.ENFORCED)}


def told(conditions: tuple[Condition, ...]) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in conditions}


def conditions_of_binding(
    *, deleting: bool = False, managed: bool = True, assessment: BindingAssessment | None = None
) -> tuple[Condition, ...]:
    owned = {CERTIFICATE: [API]} if managed else None
    record = binding(spec=SUSPENDED, managed=owned, meta=metadata("binding", deleting=deleting))
    view = BindingView(assessment or BindingAssessment(FINE, FINE), ENFORCED if managed else {})
    return binding_status(record, view, NOW).conditions


def conditions_of_authority(*, deleting: bool = False, made: bool = True) -> tuple[Condition, ...]:
    record = authority(spec=SUSPENDED, status=IN_FORCE if made else None, meta=metadata("ca", deleting=deleting))
    view = AuthorityView(AuthorityAssessment(FINE, FINE, None, None))
    return authority_status(record, view, NOW).conditions


# A zone


def test_hostnames_of_a_suspended_binding_neither_come_nor_go() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert zone.after(replace(zone.ours(), suspended=True, hostnames=(WEB,))) == []
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]
    assert zone.ours().managed == {CERTIFICATE: {API}}


def test_what_was_half_way_stays_there_and_goes_on_when_suspend_is_lifted() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=5.0)
    begun = list(zone.steps)

    suspended = list(zone.after(replace(zone.ours(), suspended=True)))
    stage = zone.stage()
    rest = zone.after(replace(zone.ours(), suspended=False))

    assert (suspended, stage) == ([], HostProgress(HostStage.ARRIVING))
    assert begun + rest == SET_UP


def test_a_hostname_that_was_being_given_up_is_said_to_be_leaving() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), hostnames=(WEB,)), seconds=5.0)

    zone.after(replace(zone.ours(), suspended=True))

    assert (zone.stage(API).stage, zone.stage(WEB).stage) == (HostStage.LEAVING, HostStage.ARRIVING)
    assert API in zone.listed


def test_what_somebody_takes_from_a_suspended_binding_is_not_put_back() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), suspended=True))
    zone.zone.delete_rule("rule-2")
    zone.begin_again()

    assert set(zone.wait(5_000.0)) == {"ReadRules"}
    assert zone.marks() == [None, claim(ClaimState.HELD)]


def test_rules_of_a_suspended_binding_alone_are_not_put_right() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), suspended=True))
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    rule, foreign, held = ruleset.rules
    altered = replace(ruleset, version=99, rules=(foreign, replace(held, body=replace(held.body, enabled=True)), rule))
    zone.zone.ruleset.become(zone.time.now, altered)
    zone.begin_again()

    assert set(zone.wait(5_000.0)) == {"ReadRules"}


def test_a_suspended_binding_that_is_deleted_waits_until_it_is_lifted() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert zone.after(replace(zone.ours(), suspended=True, deleting=True)) == []
    assert zone.after(replace(zone.ours(), suspended=False)) == TEAR_DOWN


def test_a_suspended_binding_that_owns_nothing_is_let_go_at_once() -> None:
    zone = CalmZone()

    assert zone.after(Binding(ResourceKey("apps", "binding"), (API,), TARGET, suspended=True)) == []
    assert zone.after(replace(zone.ours(), has_finalizer=True, deleting=True)) == ["RemoveFinalizer"]


def test_other_bindings_of_the_same_rule_come_and_go_around_a_suspended_one() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), suspended=True))
    other = Binding(ResourceKey("apps", "other"), (WEB,), TARGET)

    zone.after(other)
    with_other = zone.marks()
    zone.after(replace(zone.cluster.bindings[other.key], deleting=True))

    assert with_other == [enforced(API, WEB), None, claim(ClaimState.HELD, API, WEB)]
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]
    assert zone.listed == {"old.example.com", API}


def test_the_finalizer_of_a_suspended_binding_is_put_back() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), suspended=True))

    assert zone.after(replace(zone.ours(), has_finalizer=False)) == ["AddFinalizer"]


# Stakes and conditions of a binding


@pytest.mark.parametrize("deleting", [False, True])
def test_a_suspended_binding_goes_on_wanting_what_its_status_records(*, deleting: bool) -> None:
    record = binding("one", WEB, spec=SUSPENDED, managed={CERTIFICATE: [API]}, meta=metadata("one", deleting=deleting))

    ((stake,), _) = stakes_of([(record, BindingAssessment(FINE, FINE, None, TARGET))])

    assert dict(stake.wants) == {API: Target(CERTIFICATE, authority=ResourceKey("apps", "ca"))}
    assert stake.idle


def test_a_suspended_binding_says_so_and_what_is_in_force_is_told() -> None:
    assert told(conditions_of_binding()) == {
        "Ready": ("False", "Suspended"),
        "Reconciling": ("True", "Suspended"),
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "Accepted"),
        "Associated": ("True", "Associated"),
        "Enforced": ("True", "Enforced"),
        "Verified": ("Unknown", "VerificationOff"),
    }


def test_what_is_wrong_with_a_suspended_binding_stalls_nothing() -> None:
    wrong = BindingAssessment(blocked(Reason.HOSTNAME_NOT_IN_ZONE, "not inside"), FINE)

    found = told(conditions_of_binding(assessment=wrong))

    assert (found["Ready"], found["Accepted"]) == (("False", "Suspended"), ("False", "HostnameNotInZone"))
    assert "Stalled" not in found


def test_a_suspended_binding_that_is_deleted_names_the_ways_out() -> None:
    ready = find(conditions_of_binding(deleting=True), ConditionType.READY)

    assert ready is not None
    assert ready.reason == Reason.SUSPENDED
    assert "spec.suspend" in ready.message
    assert "force-orphan" in ready.message


def test_a_suspended_binding_that_is_deleted_and_owns_nothing_waits_for_nothing() -> None:
    ready = find(conditions_of_binding(deleting=True, managed=False), ConditionType.READY)

    assert ready is not None
    assert ready.reason == Reason.DELETING


# CAs


@pytest.mark.parametrize(
    "demand",
    [WANTED, ANNOUNCED, HAS_ONE, replace(HAS_ONE, pending_upload=ANNOUNCED.pending_upload)],
    ids=["nothing made", "announced", "in force", "both"],
)
def test_nothing_is_done_for_a_suspended_ca(demand: Demand) -> None:
    assert plan(replace(demand, idle=True), known=listed()) == AccountPlan((), None)


def test_the_finalizer_of_a_suspended_ca_is_put_back_where_there_is_something_to_clean_up() -> None:
    def steps(has: Demand) -> tuple[AccountStep, ...]:
        return plan(replace(has, idle=True, has_finalizer=False)).steps

    assert (steps(WANTED), steps(ANNOUNCED), steps(HAS_ONE)) == ((), (AddFinalizer(CA),), (AddFinalizer(CA),))


def test_a_suspended_ca_says_so_and_what_is_in_force_is_told() -> None:
    found = told(conditions_of_authority())

    assert (found["Ready"], found["Reconciling"]) == (("False", "Suspended"), ("True", "Suspended"))
    assert (found["Accepted"][0], found["Uploaded"][0]) == ("True", "True")


@pytest.mark.parametrize(("made", "reason"), [(True, Reason.SUSPENDED), (False, Reason.DELETING)])
def test_a_suspended_ca_that_is_deleted_waits_for_what_it_made(*, made: bool, reason: Reason) -> None:
    ready = find(conditions_of_authority(deleting=True, made=made), ConditionType.READY)

    assert ready is not None
    assert ready.reason == reason


def test_a_resource_whose_spec_cannot_be_read_is_not_laid_aside() -> None:
    record = replace(binding(managed={CERTIFICATE: [API]}), spec=None)

    assert not is_idle(record, owns_something=True)
    assert suspension(record, owns_something=True) is None
