"""One step of an account's plan at Cloudflare: one call, for a deletion two, and what is known after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import (
    AlreadyExists,
    CertificateInUse,
    CloudflareError,
    NotFound,
    PermissionDenied,
    Rejected,
)
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_steps import ConfirmGone, DeleteCertificate, ReadCertificates, Upload
from mtls_operator.engine.clock import Clock

CertificateStep = ReadCertificates | Upload | DeleteCertificate | ConfirmGone
After = tuple[AccountKnowledge, CloudflareError | None]
_DENIED_SECONDS = 300.0
"""So long it is tried to learn who uses a certificate before it is deleted without that."""
_SAID_BY_A_GATEWAY = frozenset({408, 502, 504, 520, 522, 524})
"""Statuses by which somebody on the way says that he had no answer: whoever was asked may be at work still."""


@dataclass(frozen=True)
class AccountCalls:
    """Makes the calls of one account's steps with one token, which `token` names."""

    client: CloudflareClient
    account_id: str
    token: str
    clock: Clock

    async def perform(self, step: CertificateStep, known: AccountKnowledge) -> After:
        """Make the call of a step; what is known then, and what went wrong."""
        try:
            match step:
                case ReadCertificates():
                    begun = self.clock.now()
                    listed = await self.client.list_certificates(self.account_id)
                    return known.with_listing(self.token, listed, begun), None
                case Upload():
                    return await self._upload(step, known)
                case DeleteCertificate():
                    return await self._delete(step, known)
                case ConfirmGone():
                    return await self._confirm_gone(step, known)
                case _:
                    assert_never(step)
        except CloudflareError as error:
            return known, error

    async def _upload(self, step: Upload, known: AccountKnowledge) -> After:
        try:
            uploaded = await self.client.upload_certificate(self.account_id, name=step.name, pem=step.bundle.pem)
        except CloudflareError as error:
            fingerprint, now = step.bundle.fingerprint, self.clock.now()
            if isinstance(error, AlreadyExists):
                return known.with_upload_existing(fingerprint, now), error
            if error.answer_lost:
                is_under_way = error.status is None or error.status in _SAID_BY_A_GATEWAY
                return known.with_upload_lost(fingerprint, now, is_under_way=is_under_way), error
            if isinstance(error, Rejected):
                return known.with_upload_refused(fingerprint, str(error), now), error
            # A refusal proves that nothing was made.
            return known.with_listings_forgotten(), error
        return known.with_uploaded(self.token, uploaded, self.clock.now()), None

    async def _delete(self, step: DeleteCertificate, known: AccountKnowledge) -> After:
        try:
            is_used = await self._is_used(step)
            known = known.with_use_told(step.certificate_id)
        except (PermissionDenied, Rejected) as error:
            known = known.with_use_denied(step.certificate_id, self.clock.now())
            since, last = known.use_denied[step.certificate_id]
            if last < since + _DENIED_SECONDS:
                return known, error
            is_used = False
        if is_used:
            return known.with_deletion_refused(step.certificate_id, self.clock.now()), None
        try:
            await self.client.delete_certificate(self.account_id, step.certificate_id)
        except NotFound:
            return known.with_gone(step.certificate_id), None
        except (CertificateInUse, Rejected) as error:
            # How Cloudflare words "in use" is not documented: a refusal counts as one until the facts say otherwise.
            return known.with_deletion_refused(step.certificate_id, self.clock.now()), error
        except CloudflareError as error:
            if error.answer_lost:
                return known.with_deletion_lost(step.certificate_id, self.clock.now()), error
            raise
        return known.with_gone(step.certificate_id), None

    async def _is_used(self, step: DeleteCertificate) -> bool:
        """Whether somebody has hostnames on it, be it in a zone that is none of ours: then not even a try is made. What
        cannot be told so, the deletion tells. Raises PermissionDenied, which a fresh token gets for a while, and
        Rejected, which may be a mishap."""
        try:
            return await self.client.is_certificate_used(self.account_id, step.certificate_id)
        except NotFound:
            return False

    async def _confirm_gone(self, step: ConfirmGone, known: AccountKnowledge) -> After:
        begun = self.clock.now()
        try:
            found = await self.client.get_certificate(self.account_id, step.certificate_id)
        except NotFound:
            return known.with_gone(step.certificate_id), None
        return known.with_found(self.token, found, begun), None
