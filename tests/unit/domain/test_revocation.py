"""What is told of a CA's revocation lists, and what of them counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus
from mtls_operator.api.conditions import Condition
from mtls_operator.domain.certificates import CaCertificate, uploaded_bundle
from mtls_operator.domain.revocation import InForce, RevocationAssessment, assess_revocation, in_force
from mtls_operator.domain.revoked import Revocations
from mtls_operator.domain.sources import SourceData, SourceKey, SourceKind, Unreadable
from mtls_operator.domain.verdicts import Outcome
from tests.certificates import Ca, crl_pem, make_ca, make_crl

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ROOT, OTHER = make_ca("Root"), make_ca("Other")
SOURCE = SourceKey(SourceKind.SECRET, "apps", "crl")
DAY = timedelta(days=1)


def certificate(ca: Ca) -> CaCertificate:
    bundle = uploaded_bundle(ca.pem)
    assert bundle is not None
    return bundle.certificates[0]


def signers(*authorities: Ca, complete: bool = True) -> InForce:
    return InForce(frozenset(map(certificate, authorities)), complete)


def assess(
    data: SourceData, by: InForce | None = None, now: datetime = NOW, before: Condition | None = None
) -> RevocationAssessment:
    return assess_revocation((SOURCE, "crl.pem"), {SOURCE: data}, by or signers(ROOT), now, before)


def holding(*lists: Any) -> SourceData:
    return {"crl.pem": crl_pem(*lists).encode()}


def reason(assessment: RevocationAssessment) -> str | None:
    return None if assessment.problem is None else assessment.problem.reason.value


def whole(assessment: RevocationAssessment) -> dict[str, bool]:
    """Whose lists count, and whether they take anything back."""
    assert assessment.revoked is not None
    return {issuer: each.is_whole for issuer, each in assessment.revoked.lists}


def issuers(assessment: RevocationAssessment) -> list[str]:
    assert assessment.revoked is not None
    return [issuer for issuer, _ in assessment.revoked.lists]


def test_without_a_source_nothing_is_wanted() -> None:
    found = assess_revocation(None, {}, signers(ROOT), NOW)

    assert found == RevocationAssessment(Revocations(wanted=False))


def test_a_good_list_counts_until_its_next_update() -> None:
    found = assess(holding(make_crl(ROOT, [1], now=NOW)))

    assert (whole(found), reason(found), found.changes_at) == ({ROOT.key_identifier: True}, None, NOW + 7 * DAY)
    assert found.revoked is not None
    assert found.revoked.of(OTHER.key_identifier) is None


@pytest.mark.parametrize(
    ("data", "told", "outcome"),
    [
        (None, "RevocationListMissing", Outcome.WAITING),
        ({}, "RevocationListMissing", Outcome.WAITING),
        (Unreadable("forbidden"), "SourceUnreadable", Outcome.WAITING),
    ],
    ids=["no object", "no key", "unreadable"],
)
def test_a_source_that_is_not_there_leaves_in_force_what_is_in_force(
    data: SourceData, told: str, outcome: Outcome
) -> None:
    found = assess(data)

    assert (found.revoked, reason(found), found.problem and found.problem.outcome) == (None, told, outcome)
    assert found.problem is not None
    assert "stays" in found.problem.message


def test_a_source_that_was_not_read_yet_is_not_known() -> None:
    found = assess_revocation((SOURCE, "crl.pem"), {}, signers(ROOT), NOW)

    assert (found.revoked, reason(found)) == (None, "Progressing")


@pytest.mark.parametrize("data", [b"none", crl_pem(make_crl(OTHER, [1])).encode()], ids=["no list", "a stranger's"])
def test_a_list_that_cannot_be_believed_is_invalid(data: bytes) -> None:
    found = assess({"crl.pem": data})

    assert (reason(found), issuers(found)) == ("RevocationListInvalid", [])
    assert found.problem is not None
    assert found.problem.outcome is Outcome.BLOCKED


@pytest.mark.parametrize("bad", [crl_pem(make_crl(OTHER, [1])), crl_pem(make_crl(ROOT, [1]))[:-40]])
def test_beside_a_list_that_cannot_be_believed_another_counts_and_takes_nothing_back(bad: str) -> None:
    found = assess({"crl.pem": (crl_pem(make_crl(ROOT, [2], now=NOW)) + bad).encode()})

    assert (reason(found), whole(found)) == ("RevocationListInvalid", {ROOT.key_identifier: False})


def test_beside_a_list_that_may_be_of_a_ca_in_force_nothing_is_taken_back() -> None:
    found = assess(holding(make_crl(OTHER, [1]), make_crl(ROOT, [2], now=NOW)), signers(ROOT, complete=False))

    assert (reason(found), whole(found)) == (None, {ROOT.key_identifier: False})


@pytest.mark.parametrize("before", [0, 1], ids=["at that moment", "later"])
def test_a_list_past_its_next_update_is_expired_and_takes_nothing_back(before: int) -> None:
    crl = make_crl(ROOT, [1], now=NOW - 7 * DAY - timedelta(seconds=before))

    found = assess(holding(crl))

    assert (reason(found), whole(found), found.changes_at) == (
        "RevocationListExpired",
        {ROOT.key_identifier: False},
        None,
    )


def test_a_list_that_is_expired_leaves_the_others() -> None:
    expired, good = make_crl(ROOT, [1], now=NOW - 8 * DAY), make_crl(OTHER, [2], now=NOW)

    found = assess(holding(expired, good), signers(ROOT, OTHER))

    assert (reason(found), found.changes_at) == ("RevocationListExpired", NOW + 7 * DAY)
    assert whole(found) == {ROOT.key_identifier: False, OTHER.key_identifier: True}


def test_no_more_than_three_problems_are_named() -> None:
    assert "and 2 more" in str(assess(holding(*[make_crl(OTHER, [1])] * 5)).problem)


def test_a_list_of_nobody_known_may_be_of_a_ca_in_force_that_is_not_known() -> None:
    found = assess(holding(make_crl(OTHER, [1])), signers(ROOT, complete=False))

    assert (reason(found), issuers(found)) == (None, [])


@pytest.mark.parametrize(("said", "told"), [("RevocationListInvalid", "as before"), ("Resolved", None)])
def test_what_was_said_of_a_list_of_nobody_known_is_not_taken_back_by_a_new_process(
    said: str, told: str | None
) -> None:
    before = Condition(
        type="SourceResolved",
        status="False",
        reason=said,
        message="as before",
        observed_generation=1,
        last_transition_time=NOW,
    )

    found = assess(holding(make_crl(OTHER, [1])), signers(ROOT, complete=False), before=before)

    assert (found.problem and found.problem.message) == told


def test_cas_in_force_are_those_of_the_source_and_those_of_the_status_that_were_seen() -> None:
    status = CertificateAuthorityStatus.model_validate(
        {
            "fingerprints": [ROOT.fingerprint],
            "retiring": [{"fingerprints": [OTHER.fingerprint], "retireAfter": "2026-11-27T00:00:00Z"}],
        }
    )
    seen = {OTHER.fingerprint: certificate(OTHER)}

    assert in_force(status, [certificate(ROOT)], seen) == signers(ROOT, OTHER)
    assert in_force(status, [certificate(ROOT)], {}) == signers(ROOT, complete=False)
