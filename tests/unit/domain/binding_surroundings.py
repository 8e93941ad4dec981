"""A binding's surroundings in which all is well, and what to expect of a verdict where something is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.domain.authority_assessment import OperatorCredentials
from mtls_operator.domain.binding_assessment import (
    BindingAssessment,
    Surroundings,
    assess_binding,
)
from mtls_operator.domain.consent import Grant
from mtls_operator.domain.observed import Zone
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, Record
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from mtls_operator.domain.verdicts import Outcome, Verdict
from tests.unit.domain.binding_records import (
    ACCOUNT,
    CERTIFICATE,
    authority,
    binding,
    metadata,
)

FINGERPRINT = "ab" * 32
ZONE = Zone("f" * 32, "example.com", ACCOUNT)
OWN = CredentialKey(SourceKey(SourceKind.SECRET, "apps", "own"), "key")
OF_AUTHORITY = CredentialKey(SourceKey(SourceKind.SECRET, "apps", "of-ca"), "key")
OF_OPERATOR = CredentialKey(SourceKey(SourceKind.SECRET, "system", "token"), "token")
CONTENTS = {key.source: {key.key: b"v1.0-good"} for key in (OWN, OF_AUTHORITY, OF_OPERATOR)}
NOBODY = OperatorCredentials(None, ())
IN_FORCE: Mapping[str, object] = {
    "certificateId": CERTIFICATE,
    "fingerprints": [FINGERPRINT],
    "keyIdentifiers": ["AB12", "CD34"],
}
READS_OWN: Mapping[str, object] = {"credentialsRef": {"name": "own", "key": "key"}}
READS_OF_AUTHORITY: Mapping[str, object] = {"credentialsRef": {"name": "of-ca", "key": "key"}}
ANY_NAMESPACE: Mapping[str, object] = {"allowedBindings": {"namespaces": {"from": "All"}}}
BY_LABEL: Mapping[str, object] = {
    "allowedBindings": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "web"}}}}
}
CA = authority(status=IN_FORCE)
AROUND = Surroundings(CA, {}, CONTENTS, OperatorCredentials(OF_OPERATOR, (Grant(),)), ZONE)
UNREADABLE: BindingRecord = Record(metadata("binding"), None, HostBindingStatus(), ("spec.a: bad", "spec.b: worse"))
UNREADABLE_CA: AuthorityRecord = replace(CA, spec=None, problems=("bad",))


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


def told(verdict: Verdict, says: str) -> Expected:
    """What a verdict says, cut down to the words in question if they are there."""
    return Expected(verdict.outcome, verdict.reason.value, says if says in verdict.message else verdict.message)


def assess(record: BindingRecord | None = None, around: Surroundings = AROUND) -> BindingAssessment:
    return assess_binding(record or binding(), around)
