"""Verdicts on a CA before Cloudflare is asked: each problem in its order, its reason, and words that help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus
from mtls_operator.domain.authority_assessment import (
    AuthorityAssessment,
    OperatorCredentials,
    assess_authority,
    assess_revocation_lists,
    credential_verdict,
)
from mtls_operator.domain.certificates import CaCertificate, read_bundle, uploaded_bundle
from mtls_operator.domain.consent import Grant
from mtls_operator.domain.records import AuthorityRecord, Record
from mtls_operator.domain.revocation import NOT_KNOWN
from mtls_operator.domain.revoked import Revocations
from mtls_operator.domain.sources import CredentialKey, SourceData, SourceKey, SourceKind, Unreadable
from mtls_operator.domain.verdicts import Outcome, Verdict
from tests.certificates import Ca, crl_pem, make_ca, make_crl
from tests.unit.domain.binding_records import ACCOUNT, authority, metadata

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = make_ca("Root", now=NOW)
OTHER = make_ca("Other", now=NOW)
EXPIRED = make_ca("Expired", now=NOW, days=-5)
FUTURE = make_ca("Future", now=NOW + timedelta(days=60))
INTERMEDIATE = make_ca("Intermediate", now=NOW, issuer=ROOT)
LEAF = make_ca("client", now=NOW, issuer=ROOT, is_ca=False)

SOURCE = SourceKey(SourceKind.SECRET, "apps", "ca")
OWN = SourceKey(SourceKind.SECRET, "apps", "own")
LISTS = SourceKey(SourceKind.SECRET, "apps", "crl")
TOKEN = SourceKey(SourceKind.SECRET, "system", "operator-token")
OPERATOR_KEY = CredentialKey(TOKEN, "token")
OPERATOR = OperatorCredentials(OPERATOR_KEY, (Grant(),))
GOOD: dict[SourceKey, SourceData] = {
    SOURCE: {"ca.crt": ROOT.pem.encode()},
    TOKEN: {"token": b"v1.0-good\n"},
    OWN: {"key": b"v1.0-own"},
}
READS_OWN: Mapping[str, object] = {"credentialsRef": {"name": "own", "key": "key"}}
NOBODY = OperatorCredentials(None, ())


@dataclass(frozen=True)
class Expected:
    """An outcome, a reason, and what the message must say."""

    outcome: Outcome
    reason: str
    says: str


def waits(reason: str, says: str) -> Expected:
    return Expected(Outcome.WAITING, reason, says)


def blocks(reason: str, says: str) -> Expected:
    return Expected(Outcome.BLOCKED, reason, says)


def assess(
    *,
    spec: Mapping[str, object] | None = None,
    status: Mapping[str, object] | None = None,
    changed: Mapping[SourceKey, SourceData] | None = None,
    missing: frozenset[SourceKey] = frozenset(),
    operator: OperatorCredentials = OPERATOR,
    uploaded: Mapping[str, CaCertificate] | None = None,
) -> AuthorityAssessment:
    """A CA with all that is good, but for what is said. Its lists are always told the same when they alone are asked
    for."""
    contents = {key: data for key, data in {**GOOD, **(changed or {})}.items() if key not in missing}
    record = authority(spec=spec, status=status)
    assessment = assess_authority(record, contents, operator, NOW, uploaded=uploaded)
    assert assess_revocation_lists(record, contents, NOW, uploaded or {}) == assessment.revocation
    return assessment


def told(verdict: Verdict, says: str) -> Expected:
    """What a verdict says, cut down to the words in question if they are there."""
    return Expected(verdict.outcome, verdict.reason.value, says if says in verdict.message else verdict.message)


def test_a_good_ca_can_be_acted_on() -> None:
    assessment = assess()

    assert assessment.accepted.is_ok
    assert assessment.source.is_ok
    assert assessment.source.message == (
        f"1 CA certificate(s); the first expires at {ROOT.certificate.not_valid_after_utc.isoformat()}"
    )
    assert assessment.credential == OPERATOR_KEY
    assert assessment.actionable == read_bundle(ROOT.pem.encode(), NOW)
    assert assessment.changes_at == ROOT.certificate.not_valid_after_utc - timedelta(days=30)


def test_the_token_of_the_resource_comes_before_that_of_the_operator() -> None:
    assert assess(spec=READS_OWN).credential == CredentialKey(OWN, "key")


def test_the_token_of_the_resource_needs_no_consent_of_the_operator() -> None:
    assert assess(spec=READS_OWN, operator=NOBODY).source.is_ok


def test_a_config_map_is_as_good_as_a_secret() -> None:
    trust = SourceKey(SourceKind.CONFIG_MAP, "apps", "trust")

    assessment = assess(
        spec={"source": {"configMapRef": {"name": "trust"}}}, changed={trust: {"ca.crt": ROOT.pem.encode()}}
    )

    assert assessment.actionable is not None


def test_a_spec_that_cannot_be_read_is_refused_with_its_problems_and_nothing_else_is_looked_at() -> None:
    record: AuthorityRecord = Record(
        metadata("ca"), None, CertificateAuthorityStatus(), problems=("spec.a: bad", "spec.b: worse")
    )

    assessment = assess_authority(record, GOOD, OPERATOR, NOW)

    refused = blocks("InvalidSpec", "spec.a: bad; spec.b: worse")
    unjudged = waits("Progressing", "because the spec cannot be read")
    assert told(assessment.accepted, refused.says) == refused
    assert told(assessment.source, unjudged.says) == unjudged
    assert (assessment.credential, assessment.bundle, assessment.actionable) == (None, None, None)
    assert assess_revocation_lists(record, GOOD, NOW, {}) == assessment.revocation == NOT_KNOWN


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (Unreadable("forbidden"), waits("SourceUnreadable", "Secret apps/ca cannot be read (forbidden); rbac.secret")),
        (None, waits("SourceMissing", "Secret apps/ca does not exist")),
        ({"x": b""}, waits("KeyMissing", "Secret apps/ca has no key ca.crt; its keys are: x")),
        (
            {"ca.crt": ROOT.pem.encode(), "tls.crt": INTERMEDIATE.pem.encode()},
            blocks("KeyRequired", "name the key that is meant in spec.source"),
        ),
        ({"ca.crt": b"junk"}, blocks("InvalidCertificate", "Secret apps/ca, key ca.crt: the source holds no PEM")),
        ({"ca.crt": LEAF.pem.encode()}, blocks("InvalidCertificate", "(CN=client) is not a CA")),
        ({"ca.crt": EXPIRED.pem.encode()}, blocks("CertificateExpired", "(CN=Expired) expired on")),
        ({"ca.crt": FUTURE.pem.encode()}, waits("InvalidCertificate", "(CN=Future) is not valid before")),
    ],
    ids=["unreadable", "missing", "no key", "two CAs", "junk", "no CA", "expired", "not valid yet"],
)
def test_a_source_that_gives_no_bundle_says_why(data: SourceData, expected: Expected) -> None:
    assessment = assess(changed={SOURCE: data})

    assert told(assessment.source, expected.says) == expected
    assert assessment.actionable is None


def test_a_source_that_was_not_read_yet_is_waited_for() -> None:
    expected = waits("Progressing", "Secret apps/ca is being read")

    source = assess(missing=frozenset({SOURCE})).source

    assert told(source, expected.says) == expected


def test_a_spec_that_got_past_the_crd_without_a_source_is_refused() -> None:
    expected = blocks("InvalidSpec", "spec.source names neither a Secret nor a ConfigMap")

    source = assess(spec={"source": {}}).source

    assert told(source, expected.says) == expected


def test_when_a_certificate_becomes_valid_is_known() -> None:
    assessment = assess(changed={SOURCE: {"ca.crt": FUTURE.pem.encode()}})

    assert assessment.changes_at == FUTURE.certificate.not_valid_before_utc


def test_a_problem_that_time_does_not_mend_has_no_date() -> None:
    assert assess(changed={SOURCE: {"ca.crt": EXPIRED.pem.encode()}}).changes_at is None


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (NOBODY, waits("CredentialsMissing", "the operator has no API token of its own: name one in spec.credentials")),
        (
            OperatorCredentials(OPERATOR_KEY, (Grant(namespaces=frozenset({"system"})),)),
            blocks(
                "RefNotPermitted",
                f"does not serve namespace apps and account {ACCOUNT}: name one in spec.credentialsRef, or let"
                " operatorCredentials.allowed of the operator's chart admit them",
            ),
        ),
        (
            OperatorCredentials(OPERATOR_KEY, (Grant(accounts=frozenset({"f" * 32})),)),
            blocks("RefNotPermitted", "the operator's own API token does not serve namespace apps and account"),
        ),
        (OperatorCredentials(OPERATOR_KEY, ()), blocks("RefNotPermitted", "does not serve namespace apps")),
    ],
    ids=["none", "another namespace", "another account", "nobody"],
)
def test_the_token_of_the_operator_serves_only_whom_it_may(operator: OperatorCredentials, expected: Expected) -> None:
    assessment = assess(operator=operator)

    assert told(assessment.source, expected.says) == expected
    assert (assessment.credential, assessment.actionable) == (None, None)


TOKEN_PROBLEMS = [
    (Unreadable("forbidden"), waits("SourceUnreadable", "Secret apps/own cannot be read (forbidden); rbac.secretNam")),
    (None, waits("CredentialsMissing", "Secret apps/own with the API token does not exist")),
    ({}, waits("CredentialsMissing", "Secret apps/own has no API token under key key")),
    ({"key": b" \n"}, waits("CredentialsMissing", "Secret apps/own has no API token under key key")),
    ({"key": b"Bearer x"}, blocks("CredentialsInvalid", "Secret apps/own, key key is no API token: it has characters")),
]


@pytest.mark.parametrize(
    ("data", "expected"), TOKEN_PROBLEMS, ids=["unreadable", "missing", "no key", "blank", "no token"]
)
def test_a_token_that_cannot_be_used_says_why(data: SourceData, expected: Expected) -> None:
    assessment = assess(spec=READS_OWN, changed={OWN: data})

    assert told(assessment.source, expected.says) == expected
    assert assessment.credential == CredentialKey(OWN, "key")
    assert assessment.actionable is None


def test_the_value_of_a_token_that_is_none_is_not_repeated() -> None:
    verdict = assess(spec=READS_OWN, changed={OWN: {"key": b"my secret"}}).source

    assert "secret" not in verdict.message


def test_a_token_that_was_not_read_yet_is_waited_for() -> None:
    verdict = credential_verdict(OPERATOR_KEY, {})

    assert verdict is not None
    assert (verdict.reason, verdict.message) == ("Progressing", "Secret system/operator-token is being read")


def test_a_token_that_is_there_has_nothing_wrong_with_it() -> None:
    assert credential_verdict(OPERATOR_KEY, GOOD) is None


def test_the_source_is_mended_before_the_token() -> None:
    assert assess(changed={SOURCE: None}, operator=NOBODY).source.reason == "SourceMissing"


def assess_lists(*lists: x509.CertificateRevocationList, **surroundings: Any) -> AuthorityAssessment:
    """A CA with revocation lists, and whatever else."""
    spec = {**surroundings.pop("spec", {}), "revocation": {"secretRef": {"name": "crl", "key": "crl.pem"}}}
    changed = {**surroundings.pop("changed", {}), LISTS: {"crl.pem": crl_pem(*lists).encode()}}
    return assess(spec=spec, changed=changed, **surroundings)


def test_lists_that_are_good_are_not_spoken_of_and_due_before_the_certificate_expires() -> None:
    assessment = assess_lists(make_crl(ROOT, [1], now=NOW))

    assert (assessment.sources, assessment.changes_at) == (assessment.source, NOW + timedelta(days=7))
    assert assessment.revocation.revoked is not None
    assert [issuer for issuer, _ in assessment.revocation.revoked.lists] == [ROOT.key_identifier]


def test_bad_lists_are_told_and_keep_no_certificate_from_being_uploaded() -> None:
    assessment = assess_lists(make_crl(OTHER, [1], now=NOW))

    assert (assessment.sources.reason, assessment.source.is_ok) == ("RevocationListInvalid", True)
    assert assessment.actionable is not None


def test_a_bad_source_is_told_before_bad_lists() -> None:
    assert assess_lists(make_crl(OTHER, [1], now=NOW), changed={SOURCE: None}).sources.reason == "SourceMissing"


def test_a_list_may_be_signed_by_a_ca_that_retires_and_was_seen_in_the_account() -> None:
    status = {"retiring": [{"fingerprints": [OTHER.fingerprint], "retireAfter": "2026-03-02T00:00:00Z"}]}
    bundle = uploaded_bundle(OTHER.pem)
    assert bundle is not None

    seen = assess_lists(
        make_crl(OTHER, [1], now=NOW), status=status, uploaded={OTHER.fingerprint: bundle.certificates[0]}
    )
    unseen = assess_lists(make_crl(OTHER, [1], now=NOW), status=status)

    assert seen.revocation.revoked is not None
    assert [issuer for issuer, _ in seen.revocation.revoked.lists] == [OTHER.key_identifier]
    assert (unseen.revocation.revoked, unseen.sources.is_ok) == (Revocations(), True)


def test_a_list_may_be_signed_by_a_ca_in_force_whose_source_is_not_valid_any_more() -> None:
    assessment = assess_lists(
        make_crl(EXPIRED, [1], now=NOW),
        changed={SOURCE: {"ca.crt": EXPIRED.pem.encode(), "tls.key": b"none"}},
        status={"fingerprints": [EXPIRED.fingerprint]},
    )

    assert assessment.revocation.revoked is not None
    assert [issuer for issuer, _ in assessment.revocation.revoked.lists] == [EXPIRED.key_identifier]


@pytest.mark.parametrize("aside", [{"suspend": True}, {"managementPolicy": "Observe"}], ids=["suspended", "observed"])
def test_nothing_changes_by_the_lists_of_a_ca_that_is_laid_aside(aside: Mapping[str, object]) -> None:
    assert assess_lists(make_crl(ROOT, [1], now=NOW), spec=aside).revocation == NOT_KNOWN


@pytest.mark.parametrize("in_force", [[OTHER], [ROOT, OTHER], [ROOT]], ids=["another", "one more", "the same"])
def test_a_source_that_changes_is_acted_on(in_force: Sequence[Ca]) -> None:
    assessment = assess(status={"fingerprints": [each.fingerprint for each in in_force]})

    assert assessment.accepted.is_ok
    assert assessment.actionable is not None
    assert assessment.actionable.fingerprints == {ROOT.fingerprint}


def test_a_source_that_is_gone_is_no_change_of_the_source() -> None:
    assessment = assess(changed={SOURCE: None}, status={"fingerprints": [ROOT.fingerprint]})

    assert assessment.accepted.is_ok
    assert assessment.actionable is None
