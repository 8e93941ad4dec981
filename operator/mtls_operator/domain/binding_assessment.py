"""What can be done for a binding before its zone is touched: is it served, permitted, resolved, inside its zone?

The verdicts come in the order in which a user would mend things: spec, CA, consent, token, zone, hostnames.
A binding that fails any of them goes on wanting what its status records (safety invariant 10).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec, RetiringCertificates, effective_rotation
from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.host_binding import HostBindingSpec
from mtls_operator.api.policies import Action, IssuerPinning
from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.domain.authority_assessment import OperatorCredentials, credential_verdict
from mtls_operator.domain.consent import asks_for_labels, is_granted_to_binding, refusal_of_binding
from mtls_operator.domain.expressions import MAX_LENGTH
from mtls_operator.domain.hostnames import is_hostname, is_inside_zone
from mtls_operator.domain.marks import NOT_COUNTED, digest_of
from mtls_operator.domain.observed import BlockResponse, CertificateId, Zone
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, ResourceKey
from mtls_operator.domain.revoked import Revocations
from mtls_operator.domain.rotation import accepted_beside, kept_beside
from mtls_operator.domain.rotation_status import standing_of
from mtls_operator.domain.sources import Contents, CredentialKey, credential_of
from mtls_operator.domain.token_state import TokenRemarks, no_remark
from mtls_operator.domain.verdicts import Verdict, blocked, ok, waiting
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import BLOCK, LOG, NO_RULE, EnforcementKey, Policy, enforcement_fits


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a binding is judged against."""

    authority: AuthorityRecord | None
    """The CA that it refers to, None when there is none of that name."""
    namespace_labels: Mapping[str, str] | None
    """Labels of the binding's namespace, None while they are not known."""
    contents: Contents
    operator: OperatorCredentials
    zone: Zone | Verdict | None
    """Its zone; None while nobody has asked for it."""
    remark_on_token: TokenRemarks = no_remark
    tolerant: bool = False
    """Whether rules match hostnames with a port or a trailing dot too (the chart's `hostMatch`)."""
    revoked: Revocations | None = None
    """What the CA's revocation lists say; None while that is not known."""


@dataclass(frozen=True, slots=True)
class BindingAssessment:
    """The verdicts on a binding. `target` is where its hostnames should be; None leaves them where they are."""

    accepted: Verdict
    resolved: Verdict
    credential: CredentialKey | None = None
    target: Target | None = None
    lacks_zone: bool = False
    """Only the zone is missing, so Cloudflare may be asked for it."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A binding whose own spec and whose CA's can be read."""

    record: BindingRecord
    spec: HostBindingSpec
    authority: AuthorityRecord
    authority_spec: CertificateAuthoritySpec
    around: Surroundings


_ACTIONS = {Action.BLOCK: BLOCK, Action.LOG: LOG, Action.NONE: NO_RULE}
_KEY_IDENTIFIER = re.compile(r"(?:[0-9A-F]{2}){1,64}")
_ACCEPTED = ok(Reason.ACCEPTED, "the spec can be served")


def authority_of(record: BindingRecord) -> ResourceKey | None:
    """The CA that a binding refers to."""
    if record.spec is None:
        return None
    reference = record.spec.certificate_authority_ref
    return ResourceKey(reference.namespace or record.metadata.namespace, reference.name)


def assess_binding(record: BindingRecord, around: Surroundings) -> BindingAssessment:
    """Judge a binding by its spec and by what it refers to."""
    spec, authority = record.spec, around.authority
    if spec is None:
        return _refused(blocked(Reason.INVALID_SPEC, "; ".join(record.problems)))
    if authority is None or authority.spec is None:
        return BindingAssessment(_ACCEPTED, _absence(record, around), cleanup_credential(record, around))
    case = _Case(record, spec, authority, authority.spec, around)
    credential = _authority_verdict(case) or _credential(case)
    if isinstance(credential, Verdict):
        return BindingAssessment(_ACCEPTED, credential, cleanup_credential(record, around))
    before = find(record.status.conditions, ConditionType.RESOLVED_REFS)
    remark = credential_verdict(credential, around.contents) or around.remark_on_token(credential, before)
    if remark is not None and not remark.is_ok:
        return BindingAssessment(_ACCEPTED, remark, credential)
    return _with_zone(case, credential, remark)


def named_credential(record: BindingRecord, around: Surroundings) -> CredentialKey | None:
    """The token that a binding would act with, whether or not anybody consents to that."""
    own = credential_of(record.spec.credentials_ref, record.metadata.namespace) if record.spec else None
    return own or _credential_of_authority(around.authority) or around.operator.key


def cleanup_credential(record: BindingRecord, around: Surroundings) -> CredentialKey | None:
    """The token that keeps and removes what a binding has, though it is refused, or its CA is not there. It is used by
    consent alone (safety invariant 12): the binding's own; that of its CA if that admits the binding, or did when it
    recorded what it has; or the operator's if that serves it. None where nobody consents, and when the spec cannot be
    read: which token served it is not known then."""
    if record.spec is None:
        return None
    namespace, operator, zone = record.metadata.namespace, around.operator, around.zone
    if own := credential_of(record.spec.credentials_ref, namespace):
        return own
    if (of_authority := _credential_of_authority(around.authority)) and _has_consented(record, record.spec, around):
        return of_authority
    recorded = tuple(name for each in record.status.managed for name in each.hostnames)
    account = (zone.account_id if isinstance(zone, Zone) else "") or _account_of(around.authority)
    names = recorded or record.spec.hostnames
    is_granted = is_granted_to_binding(operator.grants, namespace, account, _zone_names(zone), names)
    return operator.key if is_granted else None


def _credential_of_authority(authority: AuthorityRecord | None) -> CredentialKey | None:
    if authority is None or authority.spec is None:
        return None
    return credential_of(authority.spec.credentials_ref, authority.key.namespace)


def _account_of(authority: AuthorityRecord | None) -> str:
    return authority.spec.account_id if authority and authority.spec else ""


def _has_consented(record: BindingRecord, spec: HostBindingSpec, around: Surroundings) -> bool:
    """Whether the token of the CA serves a binding: it crosses no namespace, the CA admits it, or it has hostnames on a
    list of the CA, which it admitted it to."""
    authority, namespace = around.authority, record.metadata.namespace
    if authority is None or authority.spec is None or authority.key.namespace == namespace:
        return authority is not None
    labels, allowed = around.namespace_labels, authority.spec.allowed_bindings
    is_told = labels is not None or not asks_for_labels(allowed)
    if is_told and refusal_of_binding(allowed, authority.key, namespace, labels or {}, spec.hostnames) is None:
        return True
    objects = {authority.status.certificate_id, *(each.certificate_id for each in authority.status.retiring)}
    return any(each.certificate_id in objects for each in record.status.managed)


def _absence(record: BindingRecord, around: Surroundings) -> Verdict:
    key = authority_of(record)
    if around.authority is None:
        return waiting(Reason.CERTIFICATE_AUTHORITY_MISSING, f"there is no MtlsCertificateAuthority {key}")
    return waiting(
        Reason.CERTIFICATE_AUTHORITY_NOT_READY,
        f"the spec of MtlsCertificateAuthority {key} cannot be read; its own conditions say why",
    )


def _authority_verdict(case: _Case) -> Verdict | None:
    record, authority, labels = case.record, case.authority, case.around.namespace_labels
    allowed = case.authority_spec.allowed_bindings
    if labels is None and asks_for_labels(allowed):
        return waiting(Reason.PROGRESSING, f"the labels of namespace {record.metadata.namespace} are being read")
    refusal = refusal_of_binding(allowed, authority.key, record.metadata.namespace, labels or {}, case.spec.hostnames)
    if refusal is not None:
        return blocked(Reason.REF_NOT_PERMITTED, refusal)
    # One that is held by our finalizer may have lost its status.
    is_new = not (record.deleting or record.status.managed or record.metadata.has_finalizer)
    if authority.deleting and is_new:
        return waiting(
            Reason.CERTIFICATE_AUTHORITY_NOT_READY,
            f"MtlsCertificateAuthority {authority.key} is being deleted: no new bindings",
        )
    if authority.status.certificate_id is None:
        return waiting(
            Reason.CERTIFICATE_AUTHORITY_NOT_READY,
            f"MtlsCertificateAuthority {authority.key} has no certificate at Cloudflare yet",
        )
    return None


def _credential(case: _Case) -> CredentialKey | Verdict:
    namespace, operator = case.record.metadata.namespace, case.around.operator
    own = credential_of(case.spec.credentials_ref, namespace)
    if named := own or _credential_of_authority(case.authority):
        return named
    if operator.key is None:
        return waiting(
            Reason.CREDENTIALS_MISSING,
            "no API token: name one in spec.credentialsRef here or at the CA; the operator has none of its own",
        )
    account, zone = case.authority_spec.account_id, _zone_names(case.around.zone)
    if not is_granted_to_binding(operator.grants, namespace, account, zone, case.spec.hostnames):
        return blocked(
            Reason.REF_NOT_PERMITTED,
            f"the operator's own API token does not serve this binding in namespace {namespace}: name one in"
            " spec.credentialsRef, or let operatorCredentials.allowed of the operator's chart admit it",
        )
    return operator.key


def _zone_names(zone: Zone | Verdict | None) -> frozenset[str] | None:
    return frozenset({zone.id, zone.name}) if isinstance(zone, Zone) else None


def _with_zone(case: _Case, credential: CredentialKey, remark: Verdict | None) -> BindingAssessment:
    spec, zone, authority = case.spec, case.around.zone, case.authority
    if not isinstance(zone, Zone):
        asking = waiting(Reason.PROGRESSING, f"zone {spec.zone.name or spec.zone.id} is being looked up")
        return BindingAssessment(_ACCEPTED, zone or asking, credential, lacks_zone=True)
    if zone.account_id not in {"", case.authority_spec.account_id}:
        message = (
            f"zone {zone.name} belongs to account {zone.account_id}, the CA to {case.authority_spec.account_id}:"
            " refer to a CA of the zone's account"
        )
        return BindingAssessment(_ACCEPTED, blocked(Reason.ZONE_NOT_IN_ACCOUNT, message), credential)
    resolved = remark or ok(Reason.RESOLVED, f"CA {authority.key}, zone {zone.name}")
    target = _target(case)
    problem = (
        _hostname_problem(spec, zone)
        or _issuer_problem(spec)
        or _pinning_problem(spec, authority)
        or _length_problem(case, target)
    )
    if problem is not None:
        return BindingAssessment(problem, resolved, credential)
    return BindingAssessment(_ACCEPTED, resolved, credential, target)


def _hostname_problem(spec: HostBindingSpec, zone: Zone) -> Verdict | None:
    if malformed := [name for name in spec.hostnames if not is_hostname(name)]:
        return blocked(Reason.INVALID_SPEC, f"spec.hostnames: not a hostname: {', '.join(map(repr, malformed))}")
    outside = [name for name in spec.hostnames if not is_inside_zone(name, zone.name)]
    if not outside:
        return None
    return blocked(Reason.HOSTNAME_NOT_IN_ZONE, f"not inside zone {zone.name}: {', '.join(outside)}")


def _issuer_problem(spec: HostBindingSpec) -> Verdict | None:
    """What the CRD refuses an older CRD may have let in; it must not get into an expression."""
    additional = spec.enforcement.additional_issuers if spec.enforcement else ()
    malformed = [each for each in additional if _KEY_IDENTIFIER.fullmatch(each) is None]
    if not malformed:
        return None
    named = ", ".join(map(repr, malformed))
    return blocked(Reason.INVALID_SPEC, f"spec.enforcement.additionalIssuers: not a key identifier: {named}")


def _pinning_problem(spec: HostBindingSpec, authority: AuthorityRecord) -> Verdict | None:
    is_pinned = spec.action is not Action.NONE and spec.issuer_pinning is IssuerPinning.ALWAYS
    if authority.status.key_identifiers or not is_pinned:
        return None
    return blocked(
        Reason.UNSUPPORTED_VALUE,
        f"CA {authority.key} has a certificate without a subject key identifier of 1 to 64 bytes, so its issuer cannot"
        " be pinned: use a CA that has one, or set spec.enforcement.issuerPinning to Never",
    )


def _length_problem(case: _Case, target: Target) -> Verdict | None:
    """A rule that Cloudflare would refuse would keep everything else in the zone from being done."""
    policy = target.policy
    if policy is None or policy.issuers is None:
        return None
    if all(enforcement_fits(EnforcementKey(policy), {hostname}) for hostname in case.spec.hostnames):
        return None
    return blocked(
        Reason.UNSUPPORTED_VALUE,
        f"the {len(policy.issuers)} issuers of CA {case.authority.key} and of spec.enforcement.additionalIssuers leave"
        f" no room for a hostname in a rule, which may have {MAX_LENGTH} characters: name fewer, use a CA with fewer"
        " certificates, or set spec.enforcement.issuerPinning to Never",
    )


def _target(case: _Case) -> Target:
    """Where the hostnames should be by the CA's status. What a rotation keeps in force, the status says too."""
    authority = case.authority
    status, standing = authority.status, standing_of(authority.status)
    issuers = frozenset(status.key_identifiers) | accepted_beside(standing)
    return Target(
        certificate=CertificateId(status.certificate_id or ""),
        aim=_digests(status.rotation.target if status.rotation else status.fingerprints),
        in_force=_digests(status.fingerprints),
        until=max((_kept_until(each) for each in status.retiring), default=None),
        authority=authority.key,
        beside=kept_beside(standing),
        earlier=frozenset(standing.objects),
        overlap=effective_rotation(authority.spec.rotation if authority.spec else None).overlap.total_seconds(),
        issuers=issuers,
        retiring=frozenset[str]().union(*(each.key_identifiers for each in standing.retiring)),
        policy=_policy(case.spec, issuers, tolerant=case.around.tolerant),
        revoked=case.around.revoked,
    )


def _kept_until(retiring: RetiringCertificates) -> str:
    """As long as the overlap is not counted, others must not take the moment that it would end for its end."""
    return NOT_COUNTED if retiring.provisional else format_moment(retiring.retire_after)


def _policy(spec: HostBindingSpec, issuers: frozenset[str], *, tolerant: bool) -> Policy:
    if spec.action is Action.NONE:
        # What a rule would say makes no difference, so two bindings never contradict each other about it.
        return Policy(None, _ACTIONS[spec.action], tolerant=tolerant)
    response = spec.enforcement.response if spec.enforcement else None
    additional = spec.enforcement.additional_issuers if spec.enforcement else ()
    return Policy(
        issuers=issuers.union(additional) if spec.issuer_pinning is IssuerPinning.ALWAYS else None,
        action=_ACTIONS[spec.action],
        response=BlockResponse(response.status_code, response.content_type, response.content) if response else None,
        tolerant=tolerant,
    )


def _digests(fingerprints: Iterable[str]) -> frozenset[str]:
    return frozenset(map(digest_of, fingerprints))


def _refused(verdict: Verdict) -> BindingAssessment:
    unjudged = waiting(Reason.PROGRESSING, "not looked at, because the spec is not accepted")
    return BindingAssessment(verdict, unjudged)
