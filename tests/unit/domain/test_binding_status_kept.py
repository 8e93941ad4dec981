"""What a binding's status goes on saying while nothing newer is known, and what it does not repeat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mtls_operator.api.conditions import ConditionType
from mtls_operator.api.constants import RECONCILE_REQUESTED_AT
from mtls_operator.api.host_binding import HostnameStatus, ManagedRule
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.observed import Zone
from mtls_operator.domain.records import BindingRecord, Record
from mtls_operator.domain.verdicts import ok
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.binding_records import ACCOUNT, binding, metadata
from tests.unit.domain.test_binding_status import (
    API,
    NOW,
    OTHER,
    REFUSED,
    TWO,
    UNTIL,
    WWW,
    both,
    condition,
    conditions,
    known_before,
    view,
)


def test_what_was_said_of_the_hostnames_stays_while_nothing_newer_is_known() -> None:
    before = known_before(TWO, view({API: HostStage.ENFORCED, WWW: HostProgress(HostStage.ARRIVING, UNTIL)}))

    after = binding_status(before, replace(view(), progress=None, rules=None), NOW + timedelta(hours=1))

    assert after == before.status


def test_a_request_to_look_again_is_not_answered_before_that_was_done() -> None:
    meta = metadata("binding", annotations={RECONCILE_REQUESTED_AT: "now-please"})
    record = binding("binding", API, meta=meta)

    assert binding_status(record, replace(view(), progress=None), NOW).last_handled_reconcile_at is None
    assert binding_status(record, replace(view(), is_fresh=False), NOW).last_handled_reconcile_at is None
    assert binding_status(record, view(), NOW).last_handled_reconcile_at == "now-please"


def test_a_remark_qualifies_that_all_is_well_and_nothing_else() -> None:
    remark = ok(Reason.RESYNC_DELAYED, "all is well, but")

    well = conditions(replace(view(both(HostStage.ENFORCED)), remark=remark))
    under_way = conditions(replace(view(both(HostStage.ARRIVING)), remark=remark))

    assert condition(well, ConditionType.READY) == ("True", "ResyncDelayed", "all is well, but")
    assert condition(under_way, ConditionType.READY)[:2] == ("False", "Arriving")


def test_a_binding_of_which_nothing_was_ever_said_is_told_to_be_under_way() -> None:
    found = conditions(replace(view(), progress=None))

    assert condition(found, ConditionType.ASSOCIATED) == ("Unknown", "Progressing", "not associated yet")
    assert condition(found, ConditionType.ENFORCED) == ("Unknown", "Progressing", "not covered by a rule yet")


def test_that_all_was_well_is_not_repeated_of_a_spec_that_nobody_has_looked_at_yet() -> None:
    before = known_before(TWO, view(both(HostStage.ENFORCED)))
    edited = replace(before, metadata=before.metadata.model_copy(update={"generation": 99}))

    same, other = (conditions(replace(view(), progress=None), each) for each in (before, edited))

    assert condition(same, ConditionType.READY)[0] == "True"
    assert condition(other, ConditionType.READY)[:2] == ("False", "Progressing")
    assert condition(other, ConditionType.ASSOCIATED)[:2] == ("Unknown", "Progressing")
    assert condition(other, ConditionType.ENFORCED)[:2] == ("Unknown", "Progressing")


def test_what_was_missing_is_still_said_of_a_spec_that_nobody_has_looked_at_yet() -> None:
    before = known_before(TWO, view(both(HostStage.ARRIVING)))
    edited = replace(before, metadata=before.metadata.model_copy(update={"generation": 99}))

    assert condition(conditions(replace(view(), progress=None), edited), ConditionType.ASSOCIATED)[1] == "Arriving"


def test_a_reason_that_this_version_does_not_know_is_not_repeated() -> None:
    before = known_before(TWO, view(both(HostStage.ENFORCED)))
    foreign = tuple(each.model_copy(update={"reason": "FromTheFuture"}) for each in before.status.conditions)
    record = replace(before, status=before.status.model_copy(update={"conditions": foreign}))

    found = conditions(replace(view(), progress=None), record)

    assert condition(found, ConditionType.ASSOCIATED)[1] == "Progressing"


def test_a_conflict_stays_a_conflict_while_nothing_else_is_known() -> None:
    lost = replace(view(both(HostStage.PENDING)), lost={WWW: OTHER})
    before = known_before(TWO, lost)

    assert conditions(replace(lost, progress=None), before) == before.status.conditions


def test_a_conflict_that_is_over_is_not_repeated() -> None:
    before = known_before(TWO, replace(view(both(HostStage.PENDING)), lost={WWW: OTHER}))

    found = conditions(replace(view(), progress=None), before)

    assert condition(found, ConditionType.ASSOCIATED) == ("Unknown", "Progressing", "not associated yet")


def test_a_new_conflict_is_told_at_once() -> None:
    before = known_before(TWO, view(both(HostStage.ENFORCED)))

    found = conditions(replace(view(), progress=None, lost={WWW: OTHER}), before)

    assert condition(found, ConditionType.ASSOCIATED)[1] == "Conflicted"


def test_rules_are_told_when_they_are_known_and_stay_otherwise() -> None:
    rule = ManagedRule(id="r1", ref="mtls_operator_1")

    before = known_before(TWO, replace(view(), rules=[rule]))

    assert before.status.rules == (rule,)
    assert binding_status(before, replace(view(), rules=None), NOW).rules == (rule,)
    assert binding_status(before, replace(view(), rules=()), NOW).rules == ()


def test_the_zone_and_the_expiry_are_told_when_they_are_known_and_stay_otherwise() -> None:
    expiry = NOW + timedelta(days=30)

    before = known_before(TWO, replace(view(), zone=Zone("f" * 32, "example.com", ACCOUNT), not_after=expiry))
    after = binding_status(before, view(), NOW)

    assert (before.status.zone_id, before.status.zone_name) == ("f" * 32, "example.com")
    assert before.status.account_id == after.account_id == ACCOUNT
    assert (after.zone_id, after.zone_name, after.certificate_authority_not_after) == ("f" * 32, "example.com", expiry)


def test_a_spec_that_cannot_be_read_leaves_the_values_in_force_and_the_hostnames_that_are_owned() -> None:
    before = binding_status(TWO, view(), NOW)
    unreadable: BindingRecord = Record(metadata("binding"), None, before, ("no",))

    after = binding_status(unreadable, view({API: HostStage.ENFORCED}, assessment=REFUSED), NOW)

    assert after.effective == before.effective
    assert after.hostnames == (HostnameStatus(name=API, state="Enforced"),)
    assert after.hostnames_ready == "0/0"
