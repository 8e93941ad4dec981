"""What others have in a zone, in the conditions of a binding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.api.conditions import ConditionType
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.exposure import ZoneLook
from mtls_operator.domain.observed import AccessRule
from mtls_operator.domain.verdicts import waiting
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.binding_records import CERTIFICATE, binding, metadata
from tests.unit.domain.test_binding_status import (
    API,
    NOW,
    OUTAGE,
    TWO,
    UNTIL,
    WWW,
    both,
    condition,
    conditions,
    known_before,
    view,
)

OFFICE = AccessRule("1" * 32, "whitelist", "ip", "203.0.113.7")
BYPASSED = ZoneLook(frozenset({API, WWW}), frozenset({OFFICE}))
SHARED = ZoneLook(frozenset({API, WWW}), managed=frozenset({API}))
ALTERED = waiting(Reason.RULE_ALTERED, "somebody has disabled our rule: it is being put right")
NOTHING = ZoneLook(frozenset({API, WWW}))


def enforced(look: ZoneLook | None = None) -> BindingView:
    return replace(view(both(HostStage.ENFORCED)), look=look)


@pytest.mark.parametrize("kind", [ConditionType.READY, ConditionType.ENFORCED])
def test_a_bypass_turns_ready_and_enforced(kind: ConditionType) -> None:
    assert condition(conditions(enforced(BYPASSED)), kind)[:2] == ("False", "BypassedByAccessRule")


@pytest.mark.parametrize(
    ("enforcement", "stage", "told"),
    [
        ({"action": "Log"}, HostStage.LOGGED, ("False", "LogOnly")),
        ({"action": "None"}, HostStage.ASSOCIATED, ("False", "NotEnforced")),
        ({"issuerPinning": "Never"}, HostStage.ENFORCED, ("False", "BypassedByAccessRule")),
    ],
)
def test_a_bypass_is_said_of_what_blocks_alone(
    enforcement: dict[str, str], stage: HostStage, told: tuple[str, str]
) -> None:
    record = binding("binding", API, WWW, spec={"enforcement": enforcement})

    found = conditions(replace(view(both(stage)), look=BYPASSED), record)

    assert condition(found, ConditionType.ENFORCED)[:2] == told


def test_nothing_is_bypassed_before_the_rule_has_reached_the_whole_edge() -> None:
    settling = {name: HostProgress(HostStage.ASSOCIATED, UNTIL) for name in (API, WWW)}

    found = conditions(replace(view(settling), look=BYPASSED))

    assert condition(found, ConditionType.ENFORCED)[:2] == ("Unknown", "Progressing")


def test_somebody_has_to_end_a_bypass() -> None:
    assert condition(conditions(enforced(BYPASSED)), ConditionType.STALLED)[0] == "True"


def test_an_outage_is_no_matter_of_a_binding_that_has_all_it_asks_for_and_is_bypassed() -> None:
    found = conditions(replace(enforced(BYPASSED), trouble=OUTAGE))

    assert condition(found, ConditionType.READY)[1] == "BypassedByAccessRule"


def test_the_list_of_the_managed_ca_is_a_remark_of_a_ready_binding() -> None:
    found = conditions(enforced(SHARED))

    assert condition(found, ConditionType.ASSOCIATED)[:2] == ("True", "OnManagedCertificateAuthority")
    assert condition(found, ConditionType.READY)[:2] == ("True", "Reconciled")


def test_a_rule_that_somebody_has_altered_is_being_put_right() -> None:
    found = conditions(replace(enforced(), altered=ALTERED))

    assert condition(found, ConditionType.ENFORCED) == ("False", ALTERED.reason, ALTERED.message)
    assert condition(found, ConditionType.RECONCILING)[:2] == ("True", "RuleAltered")


def test_what_keeps_an_altered_rule_from_being_put_right_is_said() -> None:
    found = conditions(replace(enforced(), altered=ALTERED, trouble=OUTAGE))

    assert condition(found, ConditionType.READY)[1] == "CloudflareUnavailable"


def test_a_bypass_stays_said_while_it_is_not_known_where_hostnames_stand() -> None:
    before = known_before(TWO, enforced(BYPASSED))

    after = binding_status(before, replace(enforced(), progress=None), NOW)

    assert after == before.status


def test_a_new_process_leaves_a_bypass_as_it_is_until_it_has_looked() -> None:
    before = known_before(TWO, enforced(BYPASSED))

    assert binding_status(before, enforced(), NOW) == before.status


def test_a_bypass_that_is_gone_is_taken_back() -> None:
    before = known_before(TWO, enforced(BYPASSED))

    found = conditions(enforced(NOTHING), before)

    assert condition(found, ConditionType.ENFORCED)[:2] == ("True", "Enforced")


def test_nobody_has_to_mend_what_a_binding_is_exposed_to_that_is_going() -> None:
    going = binding("binding", API, WWW, managed={CERTIFICATE: [API]}, meta=metadata("binding", deleting=True))

    found = conditions(enforced(BYPASSED), going)

    assert condition(found, ConditionType.READY)[1] == "Deleting"
