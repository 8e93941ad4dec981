"""Which key of a Secret or ConfigMap holds the CA, and what is said when none does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.certificates import Bundle
from mtls_operator.domain.source_choice import SourceProblem, choose_bundle
from tests.certificates import Ca, make_ca

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = make_ca("Root", now=NOW)
INTERMEDIATE = make_ca("Intermediate", now=NOW, issuer=ROOT)
LEAF = make_ca("client", now=NOW, issuer=ROOT, is_ca=False)
EXPIRED = make_ca("Expired", now=NOW, days=-1)
EARLY = make_ca("Early", now=NOW + timedelta(days=60))
UNUSABLE = make_ca("Unusable", now=NOW, issuer=ROOT, key="ed25519")
WHAT = "Secret apps/ca"


def chosen(data: Mapping[str, str] | None, key: str | None = None) -> Bundle | SourceProblem:
    encoded = None if data is None else {name: text.encode() for name, text in data.items()}
    return choose_bundle(WHAT, encoded, key, NOW)


def fingerprints(result: Bundle | SourceProblem) -> list[str]:
    assert isinstance(result, Bundle)
    return [each.fingerprint for each in result.certificates]


@pytest.mark.parametrize(
    "data",
    [
        {"ca.crt": ROOT.pem},
        {"ca.crt": ROOT.pem, "tls.crt": LEAF.pem, "tls.key": LEAF.key_pem},
        {"ca.crt": ROOT.pem, "tls.crt": ROOT.pem, "tls.key": ROOT.key_pem},
        {"ca.crt": ROOT.pem, "tls.crt": "not a certificate"},
    ],
    ids=["alone", "beside a leaf", "a self-signed CA's Secret", "beside something else"],
)
def test_without_a_key_the_ca_is_under_its_usual_name(data: Mapping[str, str]) -> None:
    assert fingerprints(chosen(data)) == [ROOT.fingerprint]


@pytest.mark.parametrize(
    "usual", [ROOT.pem, "not a certificate", EXPIRED.pem], ids=["another CA", "something else", "an expired one"]
)
def test_where_tls_crt_is_another_ca_a_key_is_required(usual: str) -> None:
    problem = chosen({"ca.crt": usual, "tls.crt": INTERMEDIATE.pem})

    assert isinstance(problem, SourceProblem)
    assert problem.reason is Reason.KEY_REQUIRED
    assert problem.message == (
        "Secret apps/ca: tls.crt is itself a CA and differs from ca.crt, which would admit every sibling of it;"
        " name the key that is meant in spec.source"
    )


@pytest.mark.parametrize("other", [EXPIRED, EARLY, UNUSABLE], ids=["expired", "not valid yet", "of no use"])
def test_the_other_ca_counts_though_it_could_not_be_used_because_the_usual_one_admits_its_siblings(other: Ca) -> None:
    problem = chosen({"ca.crt": ROOT.pem, "tls.crt": other.pem})

    assert isinstance(problem, SourceProblem)
    assert problem.reason is Reason.KEY_REQUIRED


def test_a_client_certificate_with_its_chain_is_no_other_ca() -> None:
    assert fingerprints(chosen({"ca.crt": ROOT.pem, "tls.crt": LEAF.pem + INTERMEDIATE.pem})) == [ROOT.fingerprint]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("ca.crt", ROOT.fingerprint), ("tls.crt", INTERMEDIATE.fingerprint)],
    ids=["the usual one", "the other"],
)
def test_a_key_that_is_named_is_taken(key: str, expected: str) -> None:
    assert fingerprints(chosen({"ca.crt": ROOT.pem, "tls.crt": INTERMEDIATE.pem}, key)) == [expected]


@pytest.mark.parametrize(
    ("data", "key", "reason", "message"),
    [
        (None, None, Reason.SOURCE_MISSING, "Secret apps/ca does not exist; it is picked up when it appears"),
        ({}, None, Reason.KEY_MISSING, "Secret apps/ca has no key ca.crt; its keys are: none"),
        (
            {"tls.key": "x", "root.pem": "x"},
            "roots.pem",
            Reason.KEY_MISSING,
            "Secret apps/ca has no key roots.pem; its keys are: root.pem, tls.key",
        ),
        (
            {"ca.crt": "words"},
            None,
            Reason.INVALID_CERTIFICATE,
            "Secret apps/ca, key ca.crt: the source holds no PEM block of type CERTIFICATE",
        ),
        (
            {"ca.crt": LEAF.pem},
            None,
            Reason.INVALID_CERTIFICATE,
            "Secret apps/ca, key ca.crt: certificate 1 of 1 (CN=client) is not a CA:"
            " it has no Basic Constraints that say CA:TRUE",
        ),
        (
            {"ca.crt": EXPIRED.pem},
            None,
            Reason.CERTIFICATE_EXPIRED,
            "Secret apps/ca, key ca.crt: certificate 1 of 1 (CN=Expired) expired on 2026-02-28T00:00:00+00:00",
        ),
    ],
    ids=["no object", "no key", "no such key", "no certificate", "no CA", "expired"],
)
def test_what_is_wrong_with_a_source_is_said(
    data: Mapping[str, str] | None, key: str | None, reason: Reason, message: str
) -> None:
    assert chosen(data, key) == SourceProblem(reason, message)


def test_a_certificate_that_is_not_valid_yet_says_when_it_will_be() -> None:
    problem = chosen({"ca.crt": EARLY.pem})

    assert isinstance(problem, SourceProblem)
    assert problem.valid_from == NOW + timedelta(days=30)


def test_a_private_key_in_the_source_is_in_nothing_that_is_said_of_it() -> None:
    results = [
        chosen({"ca.crt": ROOT.key_pem}),
        chosen({"ca.crt": ROOT.pem + ROOT.key_pem}),
        chosen({"tls.key": ROOT.key_pem}),
    ]

    assert "".join(ROOT.key_pem.splitlines()[1:-1])[:32] not in repr(results)
