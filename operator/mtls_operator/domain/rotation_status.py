"""The standing of a CA as its status writes it down, in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil

from mtls_operator.api.certificate_authority import (
    CertificateAuthorityStatus,
    RetiringCertificates,
    RotationPhase,
    RotationStatus,
)
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.rotation import Retiring, Rotation, Standing


def standing_of(status: CertificateAuthorityStatus) -> Standing:
    """What of a CA is in force, by its status."""
    return Standing(
        in_force=frozenset(status.fingerprints),
        key_identifiers=frozenset(status.key_identifiers),
        rotation=_rotation(status.rotation) if status.rotation else None,
        retiring=tuple(_retiring(each) for each in status.retiring),
    )


def with_rotation(
    status: CertificateAuthorityStatus, rotation: Rotation | None, retiring: Sequence[Retiring]
) -> CertificateAuthorityStatus:
    """The status with another stage of a rotation."""
    written = rotation and RotationStatus(
        phase=rotation.phase.value, target=tuple(sorted(rotation.target)), started_at=_moment(rotation.started)
    )
    return status.model_copy(update={"rotation": written}).model_copy(update=retiring_fields(retiring))


def retiring_fields(retiring: Sequence[Retiring]) -> dict[str, object]:
    """The field of the status that holds what retires."""
    return {"retiring": tuple(_written(each) for each in retiring)}


def _rotation(status: RotationStatus) -> Rotation:
    """In a phase that this version does not know nothing narrows."""
    known = {phase.value: phase for phase in RotationPhase}
    phase = known.get(status.phase, RotationPhase.WIDENING)
    return Rotation(phase, frozenset(status.target), status.started_at.timestamp())


def _retiring(status: RetiringCertificates) -> Retiring:
    return Retiring(
        fingerprints=frozenset(status.fingerprints),
        retire_after=status.retire_after.timestamp(),
        provisional=status.provisional is True,
        certificate_id=CertificateId(status.certificate_id) if status.certificate_id else None,
        key_identifiers=frozenset(status.key_identifiers),
    )


def _written(retiring: Retiring) -> RetiringCertificates:
    return RetiringCertificates(
        certificate_id=str(retiring.certificate_id) if retiring.certificate_id else None,
        fingerprints=tuple(sorted(retiring.fingerprints)),
        key_identifiers=tuple(sorted(retiring.key_identifiers)),
        # Written in whole seconds: up, so that nothing is withdrawn early.
        retire_after=_moment(ceil(retiring.retire_after)),
        provisional=True if retiring.provisional else None,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
