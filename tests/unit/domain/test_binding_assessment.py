"""Verdicts on a binding before its zone is touched: each problem in its order, its reason, and words that help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.authority_assessment import OperatorCredentials
from mtls_operator.domain.binding_assessment import (
    Surroundings,
    authority_of,
)
from mtls_operator.domain.consent import Grant
from mtls_operator.domain.marks import NOT_COUNTED
from mtls_operator.domain.observed import BlockResponse
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.verdicts import Verdict, waiting
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.binding_records import (
    ACCOUNT,
    CERTIFICATE,
    OTHER_CERTIFICATE,
    authority,
    binding,
    metadata,
)
from tests.unit.domain.binding_surroundings import (
    AROUND,
    BY_LABEL,
    FINGERPRINT,
    IN_FORCE,
    NOBODY,
    OF_OPERATOR,
    UNREADABLE,
    UNREADABLE_CA,
    ZONE,
    Expected,
    assess,
    blocks,
    told,
    waits,
)


def test_a_good_binding_knows_where_its_hostnames_should_be() -> None:
    assessment = assess()

    assert assessment.accepted.is_ok
    assert assessment.resolved.is_ok
    assert assessment.resolved.message == "CA apps/ca, zone example.com"
    assert assessment.credential == OF_OPERATOR
    assert assessment.target == Target(
        CERTIFICATE,
        aim=frozenset({FINGERPRINT[:16]}),
        in_force=frozenset({FINGERPRINT[:16]}),
        policy=Policy(frozenset({"AB12", "CD34"}), "block", None),
        authority=ResourceKey("apps", "ca"),
        overlap=86400.0,
        issuers=frozenset({"AB12", "CD34"}),
    )
    assert not assessment.lacks_zone


def test_hostnames_stay_beside_on_an_earlier_certificate_whose_cas_the_current_one_lacks() -> None:
    rotation = {"phase": "Overlap", "target": [FINGERPRINT], "startedAt": "2026-03-01T00:00:00Z"}
    earlier = {
        "certificateId": OTHER_CERTIFICATE,
        "fingerprints": ["cd" * 32],
        "keyIdentifiers": ["EF56"],
        "retireAfter": "2026-03-02T00:00:00Z",
    }
    rotating = authority(status={**IN_FORCE, "rotation": rotation, "retiring": [earlier]})

    target = assess(around=replace(AROUND, authority=rotating)).target

    assert target is not None
    assert target.policy is not None
    assert target.certificate == CERTIFICATE
    assert target.beside == frozenset({OTHER_CERTIFICATE})
    assert target.policy.issuers == frozenset({"AB12", "CD34", "EF56"})
    assert target.until == "2026-03-02T00:00:00Z"
    assert target.retiring == frozenset({"EF56"})


def test_an_overlap_that_is_not_counted_yet_ends_at_no_moment_that_others_could_wait_for() -> None:
    rotation = {"phase": "Widening", "target": [FINGERPRINT], "startedAt": "2026-03-01T00:00:00Z"}
    earlier = {"fingerprints": ["cd" * 32], "retireAfter": "2026-03-02T00:00:00Z", "provisional": True}
    rotating = authority(status={**IN_FORCE, "rotation": rotation, "retiring": [earlier]})

    target = assess(around=replace(AROUND, authority=rotating)).target

    assert target is not None
    assert target.until == NOT_COUNTED


def test_a_response_of_its_own_is_part_of_the_policy() -> None:
    response = {"statusCode": 403, "contentType": "text/plain", "content": "no"}

    target = assess(binding(spec={"enforcement": {"response": response}})).target

    assert target is not None
    assert target.policy is not None
    assert target.policy.response == BlockResponse(403, "text/plain", "no")


def test_enforcement_without_a_response_is_that_of_cloudflare() -> None:
    assert assess(binding(spec={"enforcement": {"action": "Block"}})).target == assess().target


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ({"name": "ca"}, ResourceKey("apps", "ca")),
        ({"name": "ca", "namespace": "pki"}, ResourceKey("pki", "ca")),
    ],
    ids=["own namespace", "another"],
)
def test_a_binding_refers_to_a_ca_of_its_own_or_of_another_namespace(
    reference: Mapping[str, str], found: ResourceKey
) -> None:
    assert authority_of(binding(spec={"certificateAuthorityRef": reference})) == found


def test_a_binding_that_cannot_be_read_refers_to_nothing() -> None:
    assert authority_of(UNREADABLE) is None


def test_a_spec_that_cannot_be_read_is_refused_and_nothing_else_is_looked_at() -> None:
    assessment, expected = assess(UNREADABLE), blocks("InvalidSpec", "spec.a: bad; spec.b: worse")

    unjudged = waits("Progressing", "not looked at, because the spec is not accepted")
    assert told(assessment.accepted, expected.says) == expected
    assert told(assessment.resolved, unjudged.says) == unjudged
    assert assessment.target is None


UNRESOLVED = [
    (
        replace(AROUND, authority=None),
        waits("CertificateAuthorityMissing", "there is no MtlsCertificateAuthority apps/ca"),
    ),
    (
        replace(AROUND, authority=UNREADABLE_CA),
        waits("CertificateAuthorityNotReady", "the spec of MtlsCertificateAuthority apps/ca cannot be read"),
    ),
    (
        replace(AROUND, authority=authority(spec=BY_LABEL, status=IN_FORCE), namespace_labels=None),
        waits("Progressing", "the labels of namespace apps are being read"),
    ),
    (
        replace(AROUND, authority=authority(spec=BY_LABEL, status=IN_FORCE)),
        blocks(
            "RefNotPermitted",
            "the CA apps/ca does not admit bindings of namespace apps: its spec.allowedBindings.namespaces would have",
        ),
    ),
    (
        replace(AROUND, authority=authority(spec=BY_LABEL, status=IN_FORCE), namespace_labels={"team": "db"}),
        blocks("RefNotPermitted", "does not admit bindings of namespace apps"),
    ),
    (
        replace(
            AROUND, authority=authority(spec={"allowedBindings": {"hostnames": ["*.example.org"]}}, status=IN_FORCE)
        ),
        blocks("RefNotPermitted", "does not admit api.example.com: its spec.allowedBindings.hostnames would have to"),
    ),
    (
        replace(AROUND, authority=authority(status=IN_FORCE, meta=metadata("ca", deleting=True))),
        waits("CertificateAuthorityNotReady", "MtlsCertificateAuthority apps/ca is being deleted: no new bindings"),
    ),
    (
        replace(AROUND, authority=authority()),
        waits("CertificateAuthorityNotReady", "MtlsCertificateAuthority apps/ca has no certificate at Cloudflare yet"),
    ),
    (
        replace(AROUND, operator=NOBODY),
        waits("CredentialsMissing", "no API token: name one in spec.credentialsRef here or at the CA"),
    ),
    (
        replace(AROUND, operator=OperatorCredentials(OF_OPERATOR, ())),
        blocks(
            "RefNotPermitted",
            "the operator's own API token does not serve this binding in namespace apps: name one in"
            " spec.credentialsRef, or let operatorCredentials.allowed of the operator's chart admit it",
        ),
    ),
    (
        replace(AROUND, operator=OperatorCredentials(OF_OPERATOR, (Grant(zones=frozenset({"example.org"})),))),
        blocks("RefNotPermitted", "does not serve this binding"),
    ),
    (
        replace(AROUND, operator=OperatorCredentials(OF_OPERATOR, (Grant(hostnames=("*.example.org",)),))),
        blocks("RefNotPermitted", "does not serve this binding"),
    ),
    (
        replace(AROUND, operator=OperatorCredentials(OF_OPERATOR, (Grant(accounts=frozenset({"f" * 32})),))),
        blocks("RefNotPermitted", "does not serve this binding"),
    ),
    (replace(AROUND, contents={}), waits("Progressing", "Secret system/token is being read")),
    (
        replace(AROUND, contents={OF_OPERATOR.source: None}),
        waits("CredentialsMissing", "Secret system/token with the API token does not exist"),
    ),
    (replace(AROUND, zone=None), waits("Progressing", "zone example.com is being looked up")),
    (
        replace(AROUND, zone=waiting(Reason.ZONE_NOT_FOUND, "the API token sees no zone example.com")),
        waits("ZoneNotFound", "the API token sees no zone example.com"),
    ),
    (
        replace(AROUND, zone=replace(ZONE, account_id="e" * 32)),
        blocks(
            "ZoneNotInAccount",
            f"zone example.com belongs to account {'e' * 32}, the CA to {ACCOUNT}: refer to a CA of the zone's account",
        ),
    ),
]
_NAMES = [
    "no CA",
    "unreadable CA",
    "labels not known",
    "labels not there",
    "other labels",
    "hostname not admitted",
    "CA being deleted",
    "CA without certificate",
    "no token",
    "token for nobody",
    "token for another zone",
    "token for other hostnames",
    "token for another account",
    "token not read",
    "token gone",
    "zone not asked for",
    "zone not found",
    "zone of another account",
]


NEW = binding(meta=metadata("binding", finalizer=False))


@pytest.mark.parametrize(("around", "expected"), UNRESOLVED, ids=_NAMES)
def test_what_a_binding_lacks_is_named(around: Surroundings, expected: Expected) -> None:
    assessment = assess(NEW, around)

    assert assessment.accepted.is_ok
    assert told(assessment.resolved, expected.says) == expected
    assert assessment.target is None


@pytest.mark.parametrize(("around", "expected"), UNRESOLVED[:8], ids=_NAMES[:8])
def test_a_problem_with_the_ca_is_told_before_one_with_token_or_zone(around: Surroundings, expected: Expected) -> None:
    resolved = assess(NEW, replace(around, operator=NOBODY, zone=None)).resolved

    assert told(resolved, expected.says) == expected


@pytest.mark.parametrize(("around", "expected"), UNRESOLVED[8:13], ids=_NAMES[8:13])
def test_a_lack_of_consent_is_told_before_what_the_token_or_the_zone_is(
    around: Surroundings, expected: Expected
) -> None:
    resolved = assess(around=replace(around, contents={}, zone=replace(ZONE, account_id="e" * 32))).resolved

    assert told(resolved, expected.says) == expected


@pytest.mark.parametrize(("around", "expected"), UNRESOLVED[13:15], ids=_NAMES[13:15])
def test_a_problem_with_the_token_is_told_before_one_with_the_zone(around: Surroundings, expected: Expected) -> None:
    resolved = assess(around=replace(around, zone=None)).resolved

    assert told(resolved, expected.says) == expected


def test_a_zone_that_is_looked_up_by_id_is_named_by_it() -> None:
    record = binding(spec={"zone": {"id": "a" * 32}})

    assert assess(record, replace(AROUND, zone=None)).resolved.message == f"zone {'a' * 32} is being looked up"


@pytest.mark.parametrize("zone", [None, waiting(Reason.ZONE_NOT_FOUND, "not there")], ids=["not asked", "not found"])
def test_cloudflare_is_asked_for_a_zone_when_nothing_else_is_missing(zone: Verdict | None) -> None:
    assert assess(around=replace(AROUND, zone=zone)).lacks_zone


def test_cloudflare_is_not_asked_for_a_zone_without_consent() -> None:
    assert not assess(around=replace(AROUND, zone=None, operator=OperatorCredentials(OF_OPERATOR, ()))).lacks_zone


def test_a_grant_for_a_zone_lets_the_token_ask_for_it_and_counts_when_it_is_known() -> None:
    granted = replace(AROUND, operator=OperatorCredentials(OF_OPERATOR, (Grant(zones=frozenset({"f" * 32})),)))

    assert assess(around=replace(granted, zone=None)).lacks_zone
    assert assess(around=granted).target is not None


REFUSED_HOSTNAMES = [
    (
        binding("b", "API.example.com", 'a".example.com'),
        blocks("InvalidSpec", "spec.hostnames: not a hostname: 'API.example.com', 'a\".example.com'"),
    ),
    (
        binding("b", "api.example.com", "a.example.org", "badexample.com", spec={"zone": {"id": "f" * 32}}),
        blocks("HostnameNotInZone", "not inside zone example.com: a.example.org, badexample.com"),
    ),
]


@pytest.mark.parametrize(("record", "expected"), REFUSED_HOSTNAMES, ids=["malformed", "outside the zone"])
def test_hostnames_that_cannot_be_bound_are_refused_when_all_else_is_there(
    record: BindingRecord, expected: Expected
) -> None:
    assessment = assess(record)

    assert told(assessment.accepted, expected.says) == expected
    assert assessment.resolved.is_ok
    assert assessment.credential == OF_OPERATOR
    assert assessment.target is None


def test_a_ca_that_cannot_be_pinned_is_refused() -> None:
    expected = blocks("UnsupportedValue", "CA apps/ca has a certificate without a subject key identifier")

    accepted = assess(around=replace(AROUND, authority=authority(status={**IN_FORCE, "keyIdentifiers": []}))).accepted

    assert told(accepted, expected.says) == expected


def test_hostnames_that_are_on_the_list_of_the_ca_already_are_no_change() -> None:
    assert assess(binding(managed={CERTIFICATE: ["api.example.com"]})).target is not None


def saying(status: str, reason: str) -> HostBindingStatus:
    said = {
        "type": "Associated",
        "status": status,
        "reason": reason,
        "message": "",
        "observedGeneration": 3,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return HostBindingStatus.model_validate({"conditions": [said]})


@pytest.mark.parametrize(
    "record",
    [
        binding(managed={CERTIFICATE: ["api.example.com"]}),
        binding(meta=metadata("binding", deleting=True)),
        binding(meta=metadata("binding", finalizer=True)),
        binding(status=saying("True", "Associated")),
        binding(status=saying("False", "Conflicted")),
    ],
    ids=["owns hostnames", "is being deleted too", "has lost its status", "is well without it", "is conflicted"],
)
def test_a_ca_being_deleted_goes_on_serving_those_who_use_it(record: BindingRecord) -> None:
    deleted = authority(status=IN_FORCE, meta=metadata("ca", deleting=True))

    assert assess(record, replace(AROUND, authority=deleted)).target is not None


MANY_ISSUERS = [f"{number:02X}" * 64 for number in range(50)]


def test_issuers_that_leave_no_room_for_a_hostname_in_a_rule_are_refused() -> None:
    crowded = binding(spec={"enforcement": {"additionalIssuers": MANY_ISSUERS}})
    unpinned = binding(spec={"enforcement": {"additionalIssuers": MANY_ISSUERS, "issuerPinning": "Never"}})
    fewer = binding(spec={"enforcement": {"additionalIssuers": MANY_ISSUERS[:28]}})

    refused = assess(crowded)

    assert refused.target is None
    assert refused.accepted.reason is Reason.UNSUPPORTED_VALUE
    assert "the 52 issuers of CA apps/ca and of spec.enforcement.additionalIssuers" in refused.accepted.message
    assert assess(unpinned).target is not None
    assert assess(fewer).target is not None


def test_with_action_none_nothing_that_a_rule_would_say_makes_two_bindings_differ() -> None:
    one = binding(spec={"enforcement": {"action": "None", "issuerPinning": "Never"}})
    other = binding(spec={"enforcement": {"action": "None"}})

    assert assess(one).target == assess(other).target


@pytest.mark.parametrize("issuer", ["", "A", "aa01", 'AA" or "', "AA}"])
def test_an_issuer_that_could_not_stand_in_an_expression_is_refused_on_its_binding_alone(issuer: str) -> None:
    record = binding(spec={"enforcement": {"additionalIssuers": ["AA01"]}})
    assert record.spec is not None
    assert record.spec.enforcement is not None
    enforcement = record.spec.enforcement.model_copy(update={"additional_issuers": ("AA01", issuer)})

    refused = assess(replace(record, spec=record.spec.model_copy(update={"enforcement": enforcement})))

    assert refused.target is None
    assert refused.accepted.message == f"spec.enforcement.additionalIssuers: not a key identifier: {issuer!r}"
