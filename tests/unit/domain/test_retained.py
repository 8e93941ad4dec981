"""A binding with `deletionPolicy: Retain` that is deleted: what it has stays in force, marked for anybody to adopt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, claim_body, enforcement_body, read_mark
from mtls_operator.domain.observed import Rule
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.stakes import stakes_of
from mtls_operator.domain.verdicts import Verdict, ok, waiting
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.binding_records import CERTIFICATE, binding, metadata
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.test_zone_plan import API, OTHERS, TARGET, WEB, CalmZone, claim, enforced, wanted

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = datetime(2026, 3, 1, 12, 1, 30, tzinfo=UTC).timestamp()
FINE = ok(Reason.ACCEPTED, "served")
OUTAGE = waiting(Reason.CLOUDFLARE_UNAVAILABLE, "Cloudflare does not answer.")
LETTING_GO = ["WriteRule", "DeleteRule", "RecordManaged", "RemoveFinalizer"]
OTHER = ResourceKey("apps", "other")


def kept(*hostnames: str) -> Enforcement:
    return replace(enforced(*hostnames), retained=True)


def retained(zone: CalmZone) -> Binding:
    return replace(zone.ours(), retained=True, deleting=True)


def rule_of_others(mark: Claim | Enforcement) -> Rule:
    body = claim_body(mark, "theirs") if isinstance(mark, Claim) else enforcement_body(mark, "theirs")
    return Rule("theirs", body)


def test_the_rule_is_marked_then_the_claim_goes_and_the_list_stays() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert zone.after(retained(zone)) == LETTING_GO
    assert zone.marks() == [kept(), None]
    assert zone.listed == {"old.example.com", API}
    assert zone.cluster.bindings == {}


def test_only_the_hostnames_that_are_let_go_of_leave_the_rule_for_one_of_their_own() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(Binding(OTHER, (WEB,), TARGET))

    zone.after(retained(zone))

    assert zone.marks() == [enforced(WEB), kept(API), None, claim(ClaimState.HELD, WEB)]
    assert zone.listed == {"old.example.com", API, WEB}


@pytest.mark.parametrize("suspended", [False, True])
def test_a_hostname_that_another_binding_wants_too_stays_as_it_is(*, suspended: bool) -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(Binding(OTHER, (API,), TARGET))
    zone.after(replace(zone.cluster.bindings[OTHER], suspended=suspended))

    assert zone.after(retained(zone)) == ["RecordManaged", "RemoveFinalizer"]
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_of_two_that_are_deleted_the_one_that_retains_prevails() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(Binding(OTHER, (API,), TARGET, party=1))
    zone.cluster.bindings[OTHER] = replace(zone.cluster.bindings[OTHER], retained=True, deleting=True)

    zone.after(replace(zone.ours(), deleting=True))

    assert zone.marks() == [kept(), None]
    assert zone.cluster.bindings == {}


def test_what_settles_still_is_left_on_the_list_when_others_had_time_to_see_it() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=10.0)
    put = zone.time.now

    at_once = list(zone.after(retained(zone), seconds=60.0))
    stage = zone.stage()
    zone.wait(5_000.0)

    assert at_once == []
    assert stage.stage is HostStage.LEAVING
    assert stage.until == pytest.approx(put + 85.0, abs=10.0)
    assert zone.marks() == [None]
    assert zone.listed == {"old.example.com", API}


def test_after_a_start_the_claim_goes_when_the_rules_are_known_exactly() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.begin_again()

    early = list(zone.after(retained(zone), seconds=85.0))
    zone.wait(5_000.0)

    assert set(early) == {"ReadRules"}
    assert zone.marks() == [kept(), None]
    assert zone.cluster.bindings == {}


def test_where_another_installation_shares_the_list_the_claim_stays_for_its_slow_calls() -> None:
    zone = CalmZone(rules=(rule_of_others(claim(ClaimState.HELD, WEB, by=OTHERS)),), hostnames=frozenset({WEB}))
    zone.after(wanted(), seconds=10.0)
    put = zone.time.now

    zone.after(retained(zone), seconds=60.0)

    assert zone.stage().until == pytest.approx(put + 145.0, abs=10.0)


def test_retain_that_is_taken_back_is_a_deletion_like_any_other() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=100.0)
    zone.cluster.put(Binding(OTHER, (WEB,), TARGET))
    zone.wait(5.0)
    zone.after(retained(zone), seconds=10.0)
    marked = zone.marks()

    zone.after(replace(zone.ours(), retained=False))

    assert kept() in marked
    assert zone.marks() == [enforced(WEB), None, claim(ClaimState.HELD, WEB)]
    assert zone.listed == {"old.example.com", WEB}


def test_retain_that_is_chosen_during_a_deletion_keeps_what_is_there_still() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), deleting=True), seconds=5.0)

    zone.after(retained(zone))

    assert zone.marks() == [None]
    assert zone.listed == {"old.example.com", API}
    assert zone.cluster.bindings == {}


def test_a_binding_that_arrives_again_takes_its_hostname_out_of_the_retained_rule() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(retained(zone))

    zone.after(wanted())

    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_a_retained_rule_covers_its_hostname_until_the_one_of_the_new_binding_does() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(retained(zone))

    zone.after(wanted(), seconds=30.0)

    assert zone.marks() == [kept(), None, claim(ClaimState.ARRIVING)]


def test_a_hostname_that_another_installation_has_left_in_force_stays_on_the_list_when_we_give_it_up() -> None:
    theirs = replace(kept(), installation=OTHERS)
    zone = CalmZone(rules=(rule_of_others(theirs),), hostnames=frozenset({API}))

    zone.after(wanted(), seconds=150.0)
    zone.after(replace(zone.ours(), deleting=True))

    assert zone.listed == {API}
    assert zone.marks() == [theirs]


def test_a_claim_that_somebody_altered_goes_before_what_was_never_enforced_is_let_go_of() -> None:
    zone = CalmZone(rules=())
    zone.after(wanted(), seconds=10.0)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    (rule,) = ruleset.rules
    body = replace(rule.body, expression=f'{rule.body.expression} or http.host eq "{WEB}"')
    zone.zone.set_rules((replace(rule, body=body),))
    zone.begin_again()

    zone.after(retained(zone))

    assert zone.marks() == []
    assert zone.cluster.bindings == {}
    assert zone.listed == {"old.example.com", API}


def test_what_we_have_left_in_force_is_not_dropped_for_a_claim_of_others_that_gives_it_up() -> None:
    zone = CalmZone(rules=(rule_of_others(claim(ClaimState.LEAVING, API, by=OTHERS)),), hostnames=frozenset({API}))
    zone.after(wanted())
    zone.after(retained(zone))

    zone.after(Binding(OTHER, (WEB,), TARGET))

    assert zone.listed == {API, WEB}


def test_a_retained_rule_that_somebody_altered_is_nobodys_to_repair() -> None:
    body = replace(enforcement_body(kept(), "ref"), expression=f'(http.host eq "{API}")')
    zone = CalmZone(rules=(Rule("altered", body),))

    zone.after(Binding(OTHER, (WEB,), TARGET))

    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    assert body in [rule.body for rule in ruleset.rules]
    assert read_mark(Rule("altered", body)) is not None


@pytest.mark.parametrize(
    ("deleting", "policy", "retains"),
    [(True, "Retain", True), (False, "Retain", False), (True, "Delete", False), (True, None, False)],
)
def test_only_a_deleted_binding_lets_go_of_anything(*, deleting: bool, policy: str | None, retains: bool) -> None:
    spec = {"deletionPolicy": policy} if policy else None
    record = binding(spec=spec, managed={CERTIFICATE: [API]}, meta=metadata("binding", deleting=deleting))

    (stake,), _ = stakes_of([(record, BindingAssessment(FINE, FINE, None, TARGET))])

    assert (stake.retains, stake.wants == {}) == (retains, deleting)


def ready_of_deleted(
    trouble: Verdict | None = None, *, progress: dict[str, HostProgress] | None = None
) -> tuple[str, str]:
    record = binding(
        spec={"deletionPolicy": "Retain"}, managed={CERTIFICATE: [API]}, meta=metadata("binding", deleting=True)
    )
    view = BindingView(BindingAssessment(FINE, FINE), progress or {}, trouble=trouble)
    found = find(binding_status(record, view, NOW).conditions, ConditionType.READY)
    assert found is not None
    return found.reason, found.message


def test_a_deleted_binding_says_what_it_leaves_in_force_and_until_when_it_waits() -> None:
    assert ready_of_deleted(progress={API: HostProgress(HostStage.LEAVING, UNTIL)}) == (
        "Deleting",
        f"let go of and kept in force, as spec.deletionPolicy is Retain: {API} (until 2026-03-01T12:01:30Z at least)",
    )
    assert ready_of_deleted() == (
        "Deleting",
        "let go of and kept in force, as spec.deletionPolicy is Retain: nothing left",
    )


def test_what_keeps_a_retained_binding_from_being_let_go_is_named_with_the_way_out() -> None:
    reason, message = ready_of_deleted(OUTAGE)

    assert reason == "DeletionBlocked"
    assert "Cloudflare does not answer." in message
    assert "force-orphan" in message
