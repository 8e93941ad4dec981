"""A binding with `adoptionPolicy: Never`: what somebody else has put on the list stays somebody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import Condition, ConditionType, find
from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, claim_body, enforcement_body
from mtls_operator.domain.observed import Rule
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.verdicts import ok
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.binding_records import binding
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.test_zone_plan import (
    API,
    CERTIFICATE,
    FOREIGN,
    KEY,
    OTHERS,
    SET_UP,
    TARGET,
    US,
    WEB,
    CalmZone,
    claim,
    enforced,
    wanted,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FINE = ok(Reason.ACCEPTED, "")
OTHER = ResourceKey("apps", "other")
REFUSED = HostProgress(HostStage.REFUSED)
OURS = claim(ClaimState.HELD)
THEIRS = claim(ClaimState.HELD, by=OTHERS)
LEAVING = claim(ClaimState.LEAVING, by=OTHERS)
LEFT = replace(enforced(), installation=OTHERS, retained=True)
LEFT_BY_US = replace(enforced(), installation=US, retained=True)


def strict(*hostnames: str) -> Binding:
    return replace(wanted(*hostnames), adopts=False)


def mark(what: Claim | Enforcement) -> Rule:
    body = claim_body(what, "mark") if isinstance(what, Claim) else enforcement_body(what, "mark")
    return Rule("mark", body)


def test_a_hostname_that_somebody_else_has_on_the_list_is_refused_and_nothing_is_written() -> None:
    zone = CalmZone(hostnames=frozenset({API}))
    zone.wait(100.0)

    assert zone.after(strict()) == ["ReadRules", "ReadList"]
    assert zone.stage() == REFUSED
    assert zone.marks() == [None]
    assert (zone.ours().managed, zone.ours().has_finalizer) == ({}, False)


def test_other_hostnames_of_the_binding_come() -> None:
    zone = CalmZone(hostnames=frozenset({API}))

    zone.after(strict(API, WEB))

    assert (zone.stage(API), zone.stage(WEB).stage) == (REFUSED, HostStage.ENFORCED)
    assert zone.marks() == [enforced(WEB), None, claim(ClaimState.HELD, WEB)]
    assert zone.ours().managed == {CERTIFICATE: {WEB}}


def test_what_nobody_has_on_the_list_comes_after_a_reading_of_it() -> None:
    zone = CalmZone()

    steps = zone.after(strict())

    assert steps == ["ReadRules", "ReadList", *SET_UP[1:]]
    assert zone.stage().stage is HostStage.ENFORCED


def test_a_refused_hostname_is_given_up_with_the_binding_and_stays_on_the_list() -> None:
    zone = CalmZone(hostnames=frozenset({API}))
    zone.after(strict(API, WEB))

    zone.after(replace(zone.ours(), deleting=True))

    assert zone.marks() == [None]
    assert zone.listed == {API}
    assert zone.cluster.bindings == {}


def test_a_refused_hostname_comes_when_a_look_finds_it_gone_from_the_list() -> None:
    zone = CalmZone(hostnames=frozenset({API}))
    zone.after(strict())
    zone.zone.put_list(CERTIFICATE, frozenset())
    before = list(zone.after(zone.ours()))

    zone.operator.known = replace(zone.operator.known.with_doubt(zone.time.now), rules_must_be_read=True)
    zone.operator.process.wake()
    zone.wait(5_000.0)

    assert before == []
    assert zone.stage().stage is HostStage.ENFORCED


def test_a_look_that_finds_it_there_still_takes_nothing_back() -> None:
    zone = CalmZone(hostnames=frozenset({API}))
    zone.after(strict())
    zone.operator.known = zone.operator.known.with_doubt(zone.time.now)

    (plan,) = zone.operator.plans()

    assert plan.progress == {KEY: {API: REFUSED}}
    assert [type(step).__name__ for step in plan.steps] == ["ReadRules"]


@pytest.mark.parametrize(
    "rules",
    [[OURS], [THEIRS], [LEAVING], [LEFT], [LEFT_BY_US]],
    ids=["claimed by us", "claimed by others", "given up by others", "left by others", "left by us"],
)
def test_what_an_installation_of_this_operator_has_marked_is_not_somebody_elses(
    rules: list[Claim | Enforcement],
) -> None:
    zone = CalmZone(rules=(*(mark(each) for each in rules), FOREIGN), hostnames=frozenset({API}))

    zone.after(strict())

    assert zone.ours().managed == {CERTIFICATE: {API}}


def test_what_another_binding_of_the_cluster_has_recorded_is_ours() -> None:
    zone = CalmZone()
    zone.after(Binding(OTHER, (API,), TARGET))

    assert zone.after(strict()) == ["AddFinalizer", "RecordManaged"]


def test_a_policy_that_is_tightened_later_gives_nothing_up() -> None:
    zone = CalmZone(hostnames=frozenset({API}))
    zone.after(wanted())

    assert zone.after(replace(zone.ours(), adopts=False)) == []
    assert zone.stage().stage is HostStage.ENFORCED


def test_what_the_process_before_may_have_taken_off_is_decided_on_a_window_after_the_start() -> None:
    zone = CalmZone(hostnames=frozenset({API}))

    zone.after(strict(), seconds=60.0)
    (early,) = zone.operator.plans()
    zone.wait(5_000.0)

    assert early.undecided == {KEY}
    assert early.wake_at == pytest.approx(90.0, abs=1.0)
    assert zone.stage() == REFUSED


def test_what_we_took_off_ourselves_is_decided_on_by_a_reading_that_cannot_show_it_any_more() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), deleting=True), seconds=182.0)
    assert zone.cluster.bindings == {}
    known = zone.operator.known
    before = known.list_written[CERTIFICATE] + 89.0
    zone.operator.known = known.with_list_read(CERTIFICATE, frozenset({API}), before)

    assert zone.after(strict())[:3] == ["ReadList", "AddFinalizer", "RecordManaged"]


def conditions(previous: HostBindingStatus | None, progress: dict[str, HostProgress] | None) -> HostBindingStatus:
    record = binding("binding", API, status=previous)
    return binding_status(record, BindingView(BindingAssessment(FINE, FINE), progress), NOW)


def told(found: tuple[Condition, ...], kind: ConditionType) -> tuple[str, str]:
    condition = find(found, kind)
    assert condition is not None
    return condition.status, condition.reason


def test_a_refused_hostname_stalls_its_binding_and_names_the_ways_out() -> None:
    status = conditions(None, {API: REFUSED})

    assert told(status.conditions, ConditionType.STALLED) == ("True", "AdoptionRefused")
    associated = find(status.conditions, ConditionType.ASSOCIATED)
    assert associated is not None
    assert API in associated.message
    assert "IfIdentical" in associated.message
    assert [(each.state, each.message) for each in status.hostnames] == [
        ("Refused", "on the list already, put there by somebody else")
    ]


def test_a_refusal_is_said_on_while_it_cannot_be_told_where_the_hostnames_stand() -> None:
    status = conditions(None, {API: REFUSED})

    assert conditions(status, None) == status


def test_a_hostname_of_a_certificate_that_is_missing_is_asked_for_less_and_less_often() -> None:
    zone = CalmZone()
    del zone.zone.lists[CERTIFICATE]

    assert 3 < zone.after(strict()).count("ReadList") < 12
