"""Which token acts for a binding, and which cleans up after one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.authority_assessment import OperatorCredentials
from mtls_operator.domain.binding_assessment import (
    Surroundings,
    cleanup_credential,
)
from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from tests.unit.domain.binding_records import (
    authority,
    binding,
    metadata,
)
from tests.unit.domain.binding_surroundings import (
    ANY_NAMESPACE,
    AROUND,
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
        (binding(), replace(AROUND, operator=OperatorCredentials(OF_OPERATOR, ())), OF_OPERATOR),
        (binding(), replace(AROUND, operator=NOBODY), None),
        (binding(spec={"suspend": True}), AROUND, OF_OPERATOR),
        (UNREADABLE, AROUND, None),
    ],
    ids=[
        "own, CA gone",
        "CA gone",
        "CA unreadable",
        "consent withdrawn",
        "none at all",
        "not served",
        "spec unreadable",
    ],
)
def test_what_a_refused_binding_owns_can_be_removed_with_the_token_that_put_it_there(
    record: BindingRecord, around: Surroundings, credential: CredentialKey | None
) -> None:
    assert assess(record, around).credential == credential
    assert cleanup_credential(record, around) == credential


def test_a_token_that_cannot_be_used_is_still_named_as_the_one_that_acts() -> None:
    assert assess(binding(spec=READS_OWN), replace(AROUND, contents={})).credential == OWN
