from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    find,
    is_true,
)
from mtls_operator.api.reasons import Reason

EARLIER = datetime(2030, 1, 1, tzinfo=UTC)

# Every reason that the design and the issues name.
NAMED = {
    *("InUse", "QuotaExhausted", "RefNotPermitted", "InvalidCertificate", "CredentialsMissing", "ZoneNotInAccount"),
    *("CredentialsInsufficient", "HostnameNotInZone", "Conflicted", "ManagementConflict", "WaitingForOthers"),
    *("DeletionBlocked", "IssuerNotPinned", "RateLimited", "BundleRefused", "Suspended", "UnsupportedValue"),
    *("HostVariantOpen", "RevocationListExpired"),
}


def condition(status: ConditionStatus, at: datetime, message: str = "") -> Condition:
    return Condition(
        type=ConditionType.READY,
        status=status,
        reason=Reason.RECONCILED,
        message=message,
        observed_generation=1,
        last_transition_time=at,
    )


def test_a_condition_is_found_by_its_type() -> None:
    ready = condition(ConditionStatus.TRUE, EARLIER)

    assert find([ready], ConditionType.READY) == ready
    assert find([ready], ConditionType.STALLED) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [(ConditionStatus.TRUE, True), (ConditionStatus.FALSE, False), (ConditionStatus.UNKNOWN, False)],
)
def test_only_true_is_true(status: ConditionStatus, expected: bool) -> None:
    assert is_true([condition(status, EARLIER)], ConditionType.READY) is expected


def test_a_condition_that_is_absent_is_not_true() -> None:
    assert not is_true([], ConditionType.READY)


def test_every_reason_that_the_design_names_is_there() -> None:
    assert set(Reason) >= NAMED


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_when_it_is_set_and_on_which_conditions(reason: Reason) -> None:
    assert reason.description.endswith(".")
    assert len(reason.types) > 0
    assert str(reason).isalpha()


@pytest.mark.parametrize("kind", ConditionType)
def test_every_condition_type_says_what_it_means_and_has_reasons(kind: ConditionType) -> None:
    assert kind.description.endswith(".")
    assert any(kind in reason.types for reason in Reason)
