"""The status of a CA, from the verdicts on it and from what its account holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mtls_operator.api.certificate_authority import (
    CertificateAuthorityStatus,
    MtlsCertificateAuthority,
    Ownership,
    Quota,
    RotationPhase,
)
from mtls_operator.api.conditions import Condition, ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.certificates import Bundle
from mtls_operator.domain.condition_set import conditions_of, observed
from mtls_operator.domain.handling import is_observed, retaining_field, suspension
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.records import AuthorityRecord, ResourceKey
from mtls_operator.domain.rotation import Retiring
from mtls_operator.domain.rotation_status import retiring_fields
from mtls_operator.domain.verdicts import Verdict, blocked, left_alone, ok, waiting

_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class AuthorityView:
    """What is known about a CA besides its spec."""

    assessment: AuthorityAssessment
    used_by: Sequence[ResourceKey] = ()
    hostnames: int = 0
    counted: bool = True
    """False while it cannot be told yet who uses it, so that the numbers that were said stay."""
    occupants: Sequence[Certificate] | None = None
    """What occupies the account's slots; None while it was not listed."""
    limit: int = 0
    unused: frozenset[CertificateId] = frozenset()
    """Occupants that carry our mark and that no resource of this cluster relies on."""
    without_slot: bool = False
    not_adopted: Certificate | None = None
    """Holds what the CA wants, and may not be adopted."""
    plan: Sequence[str] | None = None
    """What would be done for it, if it is only observed; None while that cannot be told."""
    behind: Sequence[ResourceKey] = ()
    """Bindings that a rotation waits for."""
    bundle_refused: str | None = None
    """What Cloudflare says against new and previous CAs in one object, if it does."""
    is_doubted: bool = False
    """Whether a fresh look at the account was asked for that has not been taken yet."""
    rivalry: Verdict | None = None
    """That another cluster uses our ownerId in a zone of the account: nothing is written."""
    remark: Verdict | None = None
    """What Ready says of a CA that has all it asks for, besides that."""
    trouble: Verdict | None = None
    """What Cloudflare said when the account was last worked on, if it went wrong. It says nothing about another CA
    of the account that has its certificate."""


def authority_status(record: AuthorityRecord, view: AuthorityView, now: datetime) -> CertificateAuthorityStatus:
    """The whole status but what the steps of `account_plan` record. Equal facts give an equal status."""
    quota = record.status.quota
    if view.occupants is not None:
        quota = Quota(used=len(view.occupants), limit=view.limit)
    return record.status.model_copy(
        update={
            "observed_generation": record.metadata.generation,
            "conditions": _conditions(record, view, now),
            "effective": _effective(record),
            "bindings": len(view.used_by) if view.counted else record.status.bindings,
            "hostnames": view.hostnames if view.counted else record.status.hostnames,
            "quota": quota,
            "plan": _plan(record, view),
            "last_handled_reconcile_at": record.status.last_handled_reconcile_at
            if view.is_doubted
            else record.metadata.reconcile_requested_at,
        }
    )


def with_pending_upload(status: CertificateAuthorityStatus, bundle: Bundle) -> CertificateAuthorityStatus:
    """The status with the announcement of an upload."""
    return status.model_copy(update={"pending_upload": tuple(sorted(bundle.fingerprints))})


def without_pending_upload(status: CertificateAuthorityStatus) -> CertificateAuthorityStatus:
    """The status once an announced upload is known never to have been made."""
    return status.model_copy(update={"pending_upload": ()})


def with_certificate(
    status: CertificateAuthorityStatus,
    certificate_id: CertificateId,
    ownership: Ownership,
    bundle: Bundle,
    retiring: Sequence[Retiring] = (),
) -> CertificateAuthorityStatus:
    """The status with the certificate that is in force, and what it takes the place of; an announced upload is answered
    by it."""
    return status.model_copy(
        update=retiring_fields(retiring)
        | {
            "certificate_id": str(certificate_id),
            "ownership": ownership.value,
            "pending_upload": (),
            "fingerprints": tuple(each.fingerprint for each in bundle.certificates),
            "subject": bundle.subject,
            "not_after": bundle.not_after,
            "key_identifiers": _pins(bundle),
        }
    )


def _pins(bundle: Bundle) -> tuple[str, ...]:
    """The issuers to pin to; none at all if one certificate has no identifier, because its clients would be refused."""
    if any(each.key_identifier is None for each in bundle.certificates):
        return ()
    return tuple(sorted(bundle.key_identifiers))


def _conditions(record: AuthorityRecord, view: AuthorityView, now: datetime) -> tuple[Condition, ...]:
    aspects = {
        ConditionType.ACCEPTED: view.assessment.accepted,
        ConditionType.SOURCE_RESOLVED: view.assessment.sources,
        ConditionType.UPLOADED: _uploaded(record, view),
        ConditionType.ROTATED: _rotated(record, view),
        ConditionType.QUOTA_AVAILABLE: _quota(view),
    }
    others = _obstacles(record, view)
    if is_observed(record.spec) and not record.deleting:
        aspects, others = observed(aspects, others, _plan(record, view))
    halted = suspension(record, owns_something=_has_made_something(record))
    if halted is not None:
        others = [halted]
    elif record.deleting:
        others = [_deletion(record, view)]
    if halted is not None or record.deleting:
        aspects = {kind: left_alone(verdict) for kind, verdict in aspects.items()}
    return conditions_of(aspects, others, record.status.conditions, record.metadata.generation, now)


def _plan(record: AuthorityRecord, view: AuthorityView) -> tuple[str, ...]:
    if record.deleting or not is_observed(record.spec) or view.assessment.actionable is None:
        return ()
    return record.status.plan if view.plan is None else tuple(view.plan)


def _obstacles(record: AuthorityRecord, view: AuthorityView) -> list[Verdict]:
    """Why the certificate is not there, or not the one that the source asks for, if something keeps it: said by Ready
    before that it is not uploaded or not rotated yet."""
    if view.rivalry is not None:
        return [view.rivalry]
    if view.bundle_refused is not None:
        return []
    if record.status.certificate_id and not _is_rotating(record, view):
        return [_not_adopted(view.not_adopted)] if view.not_adopted else [view.remark] if view.remark else []
    return [*([view.trouble] if view.trouble else []), *([_quota(view)] if view.without_slot else [])]


def _deletion(record: AuthorityRecord, view: AuthorityView) -> Verdict:
    if view.used_by:
        named = ", ".join(f"MtlsHostBinding {each}" for each in view.used_by)
        return waiting(Reason.IN_USE, f"still used by {named}; the CA goes with the last of them")
    made = _has_made_something(record) or is_forgotten(record)
    blocker = view.rivalry or view.trouble
    kept_by = retaining_field(record.spec)
    if kept_by is not None and not record.status.pending_upload:
        return waiting(Reason.DELETING, f"let go of, the certificate stays: {kept_by}")
    if made and blocker is not None:
        return waiting(
            Reason.DELETION_BLOCKED,
            f"{blocker.message} Retried until it succeeds; annotate with apishield-mtls.io/force-orphan=true to"
            " let go and leave the certificate behind.",
        )
    return waiting(Reason.DELETING, "the certificate is being deleted at Cloudflare")


def is_forgotten(record: AuthorityRecord) -> bool:
    """Whether a CA is held by our finalizer and its status names nothing, so that nobody knows what was made for it; be
    it for the moment in which one that comes is about to announce its first upload."""
    return record.metadata.has_finalizer and not (_has_made_something(record) or record.status.retiring)


def _has_made_something(record: AuthorityRecord) -> bool:
    return bool(record.status.certificate_id or record.status.pending_upload)


def _uploaded(record: AuthorityRecord, view: AuthorityView) -> Verdict:
    status = record.status
    if status.certificate_id is None:
        if view.not_adopted is not None:
            return _not_adopted(view.not_adopted)
        if view.occupants is None and (before := _refused_before(record)):
            return before
        if status.pending_upload:
            return waiting(Reason.UPLOAD_PENDING, "an upload was begun and is being looked for in the account")
        return waiting(Reason.PROGRESSING, "not uploaded yet")
    if status.ownership == Ownership.ADOPTED:
        return ok(Reason.ADOPTED, f"identical certificates were there already: {status.certificate_id}")
    return ok(Reason.UPLOADED, f"certificate {status.certificate_id}")


def _refused_before(record: AuthorityRecord) -> Verdict | None:
    """What a process that has not listed the account yet leaves as the one before it said."""
    said = find(record.status.conditions, ConditionType.UPLOADED)
    if said is None or said.reason != Reason.ADOPTION_REFUSED or said.observed_generation != record.metadata.generation:
        return None
    return blocked(Reason.ADOPTION_REFUSED, said.message)


def _not_adopted(certificate: Certificate) -> Verdict:
    return blocked(
        Reason.ADOPTION_REFUSED,
        f"certificate {certificate.id} ({certificate.name or 'without a name'}) of the account holds the same"
        " certificates without a mark of this operator, and spec.adoptionPolicy is Never: set it to IfIdentical to use"
        " that one, or delete it at Cloudflare. Nothing is uploaded meanwhile.",
    )


def _is_rotating(record: AuthorityRecord, view: AuthorityView) -> bool:
    """Whether the source holds other certificates than those in force, or earlier ones are left."""
    source = view.assessment.actionable
    changed = source is not None and source.fingerprints != frozenset(record.status.fingerprints)
    return changed or record.status.rotation is not None


def _rotated(record: AuthorityRecord, view: AuthorityView) -> Verdict:
    if record.status.certificate_id is None:
        return waiting(Reason.PROGRESSING, "nothing is in force yet")
    if not _is_rotating(record, view):
        return ok(Reason.CURRENT, "no earlier certificates are accepted")
    if view.bundle_refused is not None:
        return blocked(
            Reason.BUNDLE_REFUSED,
            f"Cloudflare does not take new and previous CA certificates in one upload: {view.bundle_refused}. What is"
            " in force stays. spec.rotation.strategy SideBySide uploads the new ones alone; it is right only if clients"
            " of the previous ones still verify meanwhile.",
        )
    if view.without_slot:
        return waiting(Reason.QUOTA_EXHAUSTED, "a rotation needs a free slot in the account; what is in force stays")
    return waiting(Reason.ROTATING, _stage(record.status, view.behind))


def _stage(status: CertificateAuthorityStatus, behind: Sequence[ResourceKey]) -> str:
    """How far a rotation is, in words."""
    phase = status.rotation.phase if status.rotation else RotationPhase.WIDENING
    if phase == RotationPhase.OVERLAP:
        until = max((each.retire_after for each in status.retiring), default=None)
        moment = f" until {format_moment(until)} at least" if until is not None else ""
        return f"clients of new and previous CA certificates are accepted{moment}"
    named = ", ".join(f"MtlsHostBinding {each}" for each in behind[:_NAMED_AT_MOST])
    more = ", and others" if len(behind) > _NAMED_AT_MOST else ""
    waits = (
        f"; hostnames are still on an earlier certificate, or another installation refuses the new one: {named}{more}"
        if named
        else ""
    )
    if phase == RotationPhase.NARROWING:
        return f"the previous CA certificates are being withdrawn{waits}"
    return f"the new CA certificates are being put in force beside the previous ones{waits}"


def _quota(view: AuthorityView) -> Verdict:
    if view.trouble is not None and view.trouble.reason is Reason.QUOTA_EXHAUSTED:
        # Cloudflare granted less than the operator is told: only its refusal shows it.
        return view.trouble
    if not view.without_slot:
        return ok(Reason.QUOTA_AVAILABLE, "a slot is there, or none is needed")
    names = ", ".join(_named(each, view) for each in view.occupants or ())
    return waiting(
        Reason.QUOTA_EXHAUSTED,
        f"the account has {view.limit} slots for CA certificates and all are occupied, by: {names}. Free one, or raise"
        " cloudflare.certificateLimit in the operator's chart if Cloudflare granted more.",
    )


def _named(occupant: Certificate, view: AuthorityView) -> str:
    unused = ", unused: of this installation, and no resource of this cluster relies on it"
    return f"{occupant.name or 'without a name'} ({occupant.id}{unused if occupant.id in view.unused else ''})"


def _effective(record: AuthorityRecord) -> object:
    if record.spec is None:
        return record.status.effective
    return MtlsCertificateAuthority(metadata=record.metadata, spec=record.spec).effective()
