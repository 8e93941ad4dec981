"""Which token acts for a binding, and which cleans up after one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mtls_operator.domain.authority_assessment import OperatorCredentials
from mtls_operator.domain.binding_assessment import (
    Surroundings,
    cleanup_credential,
)
from mtls_operator.domain.consent import Grant
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from tests.unit.domain.binding_records import (
    ACCOUNT,
    CERTIFICATE,
    OTHER_CERTIFICATE,
    authority,
    binding,
    metadata,
)
from tests.unit.domain.binding_surroundings import (
    ANY_NAMESPACE,
    AROUND,
    BY_LABEL,
    CA,
    IN_FORCE,
    NOBODY,
    OF_AUTHORITY,
    OF_OPERATOR,
    OWN,
    READS_OF_AUTHORITY,
    READS_OWN,
    UNREADABLE,
    UNREADABLE_CA,
    assess,
)

TOKENS = [
    (binding(spec=READS_OWN), authority(spec=READS_OF_AUTHORITY, status=IN_FORCE), OWN),
    (binding(), authority(spec=READS_OF_AUTHORITY, status=IN_FORCE), OF_AUTHORITY),
    (binding(), CA, OF_OPERATOR),
]


@pytest.mark.parametrize(("record", "ca", "credential"), TOKENS, ids=["its own", "of the CA", "of the operator"])
def test_the_nearest_token_acts_for_a_binding(
    record: BindingRecord, ca: AuthorityRecord, credential: CredentialKey
) -> None:
    around = replace(AROUND, authority=ca)

    assert assess(record, around).credential == credential
    assert cleanup_credential(record, around) == credential


def test_the_token_of_a_ca_in_another_namespace_is_taken_from_there() -> None:
    ca = authority(spec={**ANY_NAMESPACE, **READS_OF_AUTHORITY}, status=IN_FORCE, meta=metadata("ca", namespace="pki"))

    assert assess(around=replace(AROUND, authority=ca)).credential == CredentialKey(
        SourceKey(SourceKind.SECRET, "pki", "of-ca"), "key"
    )


@pytest.mark.parametrize(
    ("record", "around", "credential"),
    [
        (binding(spec=READS_OWN), replace(AROUND, authority=None), OWN),
        (binding(), replace(AROUND, authority=None), OF_OPERATOR),
        (binding(), replace(AROUND, authority=UNREADABLE_CA), OF_OPERATOR),
        (binding(), replace(AROUND, operator=NOBODY), None),
        (binding(spec={"suspend": True}), AROUND, OF_OPERATOR),
        (UNREADABLE, AROUND, None),
    ],
    ids=[
        "own, CA gone",
        "CA gone",
        "CA unreadable",
        "none at all",
        "not served",
        "spec unreadable",
    ],
)
def test_what_a_refused_binding_owns_can_be_removed_with_the_token_that_serves_it(
    record: BindingRecord, around: Surroundings, credential: CredentialKey | None
) -> None:
    assert assess(record, around).credential == credential
    assert cleanup_credential(record, around) == credential


HAS = {CERTIFICATE: ["api.example.com"]}
ELSEWHERE = metadata("ca", namespace="platform")
OF_PLATFORM = CredentialKey(SourceKey(SourceKind.SECRET, "platform", "of-ca"), "key")
NOT_GRANTED = replace(AROUND, operator=OperatorCredentials(OF_OPERATOR, ()))
IN_A_ROTATION = {
    **IN_FORCE,
    "certificateId": OTHER_CERTIFICATE,
    "retiring": [{"certificateId": CERTIFICATE, "fingerprints": [], "retireAfter": "2026-01-01T00:00:00Z"}],
}


@pytest.mark.parametrize(
    "around",
    [NOT_GRANTED, replace(NOT_GRANTED, authority=None), replace(NOT_GRANTED, authority=UNREADABLE_CA)],
    ids=["its CA names no token any more", "no such CA", "CA unreadable"],
)
def test_the_operators_own_token_removes_nothing_for_whom_it_does_not_serve(around: Surroundings) -> None:
    assert assess(binding(managed=HAS), around).credential is None


@pytest.mark.parametrize(
    ("grant", "credential"),
    [
        (Grant(frozenset({"apps"}), frozenset({ACCOUNT}), frozenset({"f" * 32})), OF_OPERATOR),
        (Grant(hostnames=("api.example.com",)), OF_OPERATOR),
        (Grant(namespaces=frozenset({"platform"})), None),
        (Grant(accounts=frozenset({"9" * 32})), None),
        (Grant(zones=frozenset({"example.org"})), None),
        (Grant(hostnames=("www.example.com",)), None),
    ],
)
def test_whom_the_operators_own_token_serves_is_judged_by_what_the_binding_has(
    grant: Grant, credential: CredentialKey | None
) -> None:
    record = binding("binding", "www.example.com", "new.example.org", managed=HAS)
    around = replace(AROUND, authority=None, operator=OperatorCredentials(OF_OPERATOR, (grant,)))

    assert assess(record, around).credential == credential


def test_the_account_of_the_ca_counts_while_the_zone_is_not_known() -> None:
    granted = OperatorCredentials(OF_OPERATOR, (Grant(accounts=frozenset({ACCOUNT})),))
    refusing = authority(spec={"allowedBindings": {"hostnames": ["*.example.org"]}}, status=IN_FORCE)

    assert cleanup_credential(binding(), replace(AROUND, operator=granted, authority=refusing, zone=None)) is not None
    assert cleanup_credential(binding(), replace(AROUND, operator=granted, authority=None, zone=None)) is None


@pytest.mark.parametrize(
    ("consent", "status", "managed", "credential"),
    [
        ({}, IN_FORCE, {OTHER_CERTIFICATE: ["api.example.com"]}, None),
        ({}, {}, HAS, None),
        ({}, IN_FORCE, HAS, OF_PLATFORM),
        ({}, IN_A_ROTATION, HAS, OF_PLATFORM),
        (ANY_NAMESPACE, {}, HAS, OF_PLATFORM),
        (BY_LABEL, {}, HAS, None),
    ],
    ids=[
        "never admitted",
        "nobody knows",
        "admitted once",
        "admitted before a rotation",
        "admitted",
        "not selected",
    ],
)
def test_the_token_of_a_ca_elsewhere_removes_what_that_ca_admits_or_has_admitted(
    consent: Mapping[str, object],
    status: Mapping[str, object],
    managed: Mapping[CertificateId, list[str]],
    credential: CredentialKey | None,
) -> None:
    ca = authority(spec={**consent, **READS_OF_AUTHORITY}, status=status, meta=ELSEWHERE)

    assert assess(binding(managed=managed), replace(NOT_GRANTED, authority=ca)).credential == credential


def test_a_ca_that_asks_for_labels_has_not_consented_while_they_are_not_known() -> None:
    ca = authority(spec={**BY_LABEL, **READS_OF_AUTHORITY}, status=IN_FORCE, meta=ELSEWHERE)
    unknown = replace(NOT_GRANTED, authority=ca, namespace_labels=None)

    assert assess(binding(), unknown).credential is None
    assert assess(binding(managed=HAS), unknown).credential == OF_PLATFORM
    assert assess(binding(), replace(unknown, namespace_labels={"team": "web"})).credential == OF_PLATFORM


def test_a_token_of_the_bindings_own_namespace_needs_nobodys_consent() -> None:
    refusing = authority(
        spec={"allowedBindings": {"hostnames": ["*.example.org"]}, **READS_OF_AUTHORITY}, status=IN_FORCE
    )

    assert assess(binding(), replace(NOT_GRANTED, authority=refusing)).credential == OF_AUTHORITY


def test_a_token_that_cannot_be_used_is_still_named_as_the_one_that_acts() -> None:
    assert assess(binding(spec=READS_OWN), replace(AROUND, contents={})).credential == OWN
