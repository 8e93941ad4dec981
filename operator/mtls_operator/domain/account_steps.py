"""The steps of an account's plan: every single thing that the engine may do to an account and its CAs."""

from __future__ import annotations

from dataclasses import dataclass

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.certificates import Bundle
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.rotation import Retiring, Rotation


@dataclass(frozen=True, slots=True)
class ReadCertificates:
    """List the account's certificates, with the token of this CA."""

    authority: ResourceKey


@dataclass(frozen=True, slots=True)
class RecordPendingUpload:
    """Write into the status that an upload is about to be sent."""

    authority: ResourceKey
    bundle: Bundle


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload a bundle."""

    authority: ResourceKey
    bundle: Bundle
    name: str


@dataclass(frozen=True, slots=True)
class RecordCertificate:
    """Write into the status which certificate of the account is used, whose it is, and what it holds."""

    authority: ResourceKey
    certificate_id: CertificateId
    ownership: Ownership
    bundle: Bundle
    retiring: tuple[Retiring, ...] = ()
    """The CAs and objects that it takes the place of."""


@dataclass(frozen=True, slots=True)
class RecordRotation:
    """Write into the status how far a rotation is."""

    authority: ResourceKey
    rotation: Rotation | None
    retiring: tuple[Retiring, ...]
    kept: CertificateId | None = None
    """An earlier object that stays in the account though it carries a mark, because somebody else uses it."""


@dataclass(frozen=True, slots=True)
class ClearPendingUpload:
    """Strike the announcement of an upload that was looked for and was never made."""

    authority: ResourceKey


@dataclass(frozen=True, slots=True)
class DeleteCertificate:
    """Delete a certificate of ours that no binding of this cluster uses."""

    authority: ResourceKey
    certificate_id: CertificateId


@dataclass(frozen=True, slots=True)
class ConfirmGone:
    """Ask for a certificate by its id: only a 404 proves that it is gone."""

    authority: ResourceKey
    certificate_id: CertificateId


AccountStep = (
    AddFinalizer
    | RemoveFinalizer
    | ReadCertificates
    | RecordPendingUpload
    | Upload
    | RecordCertificate
    | RecordRotation
    | ClearPendingUpload
    | DeleteCertificate
    | ConfirmGone
)


def authority_of_step(step: AccountStep) -> ResourceKey:
    """The CA that a step is taken for."""
    return step.resource if isinstance(step, AddFinalizer | RemoveFinalizer) else step.authority
