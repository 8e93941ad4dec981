"""From a CA resource and its surroundings to what it asks of its account."""

from __future__ import annotations

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.api.policies import RotationStrategy
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.binding_assessment import authority_of
from mtls_operator.domain.handling import adopts, is_idle, is_observed, is_retained
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AuthorityRecord
from mtls_operator.domain.rotation_status import standing_of
from mtls_operator.engine.situation import Situation, rotation_of


def demand_of(
    record: AuthorityRecord, assessment: AuthorityAssessment, situation: Situation, *, is_halted: bool = False
) -> Demand:
    """The demand of a CA at this moment. `is_halted`: nothing may be written in its account."""
    status = record.status
    certificate, standing = status.certificate_id, standing_of(status)
    rotation = rotation_of(record)
    users = [each.key for each in situation.users_of(record)] if record.deleting else []
    owns_something = bool(certificate or status.pending_upload)
    is_free = record.deleting and (is_retained(record.spec) or not owns_something)
    return Demand(
        authority=record.key,
        token=str(assessment.credential),
        bundle=assessment.actionable,
        display_name=(record.spec.display_name if record.spec else None) or str(record.key),
        certificate_id=CertificateId(certificate) if certificate else None,
        ownership=Ownership.ADOPTED if status.ownership == Ownership.ADOPTED else Ownership.CREATED,
        standing=standing,
        pending_upload=frozenset(status.pending_upload),
        has_finalizer=record.metadata.has_finalizer,
        deleting=record.deleting,
        retains=is_retained(record.spec),
        adopts=adopts(record.spec),
        observed=is_observed(record.spec) and not record.deleting,
        idle=is_idle(record, owns_something=owns_something),
        halted=is_halted and not is_free,
        used_by=tuple(users),
        named_by_users=_named_by_users(record, situation),
        occupied=situation.occupied(record) if standing.objects else frozenset(),
        behind=tuple(each.key for each in situation.behind(record)) if standing.rotation else (),
        claimed_by_others=situation.claimed_by_others(),
        overlap=rotation.overlap.total_seconds(),
        side_by_side=rotation.strategy == RotationStrategy.SIDE_BY_SIDE,
    )


def _named_by_users(record: AuthorityRecord, situation: Situation) -> frozenset[CertificateId]:
    users = (each for each in situation.bindings if authority_of(each) == record.key) if record.deleting else ()
    return frozenset(CertificateId(each.certificate_id) for binding in users for each in binding.status.managed)
