"""Brings the CA certificates of one account from where they are to where they should be, a step at a time.

The same loop as `zone_reconciler`, over CAs instead of bindings.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import CertificateInUse, CloudflareError, NotFound, Rejected
from mtls_operator.cluster.errors import ClusterError
from mtls_operator.domain.account_plan import (
    AccountKnowledge,
    AccountPlan,
    ConfirmGone,
    DeleteCertificate,
    Demand,
    ReadCertificates,
    RecordCertificate,
    RecordPendingUpload,
    Upload,
    occupants,
    plan_account,
)
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.authority_status import (
    AuthorityView,
    authority_status,
    with_certificate,
    with_pending_upload,
)
from mtls_operator.domain.certificates import bundle_fingerprint
from mtls_operator.domain.marks import certificate_name
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AddFinalizer, AuthorityRecord, RemoveFinalizer, ResourceKey
from mtls_operator.domain.verdicts import Verdict, waiting
from mtls_operator.domain.zone_places import Timing
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.resource_writer import ResourceWriter, is_waived
from mtls_operator.engine.situation import Situation, sources_of_authority
from mtls_operator.engine.troubles import pause_after, trouble_of

_LOG = logging.getLogger(__name__)

ClusterStep = AddFinalizer | RemoveFinalizer | RecordPendingUpload | RecordCertificate
CertificateStep = ReadCertificates | Upload | DeleteCertificate | ConfirmGone


@dataclass
class _Account:
    """What this process remembers of an account."""

    known: AccountKnowledge
    trouble: Verdict | None = None
    failures: int = 0


@dataclass(frozen=True)
class _Judged:
    """The CAs of an account at one moment."""

    authorities: Sequence[tuple[AuthorityRecord, AuthorityAssessment]]
    demands: tuple[Demand, ...]

    def record(self, key: ResourceKey) -> AuthorityRecord:
        return next(record for record, _ in self.authorities if record.key == key)


@dataclass
class AccountReconciler:
    """Reconciles accounts. One call at a time per account; the queue sees to that."""

    situation: Situation
    writer: ResourceWriter[AuthorityRecord]
    credentials: Credentials
    owner: str
    timing: Timing
    limit: int
    _accounts: dict[str, _Account] = field(default_factory=dict)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.situation.clock.now()

    async def reconcile(self, account_id: str) -> float | None:
        """Work until nothing can be done now; returns after how many seconds to look again, if ever."""
        if account_id not in self._accounts:
            self._accounts[account_id] = self._nothing_known(account_id)
        account = self._accounts[account_id]
        try:
            return await self._work(account_id, account)
        except CloudflareError as error:
            account.failures += 1
            account.trouble = trouble_of(error, account.failures)
            _LOG.warning("a call for an account failed", extra={"account": account_id, "error": str(error)})
            await self._report_trouble(account_id, account)
            return pause_after(error, account.failures)
        except ClusterError as error:
            account.failures += 1
            _LOG.info("a write to the cluster failed", extra={"account": account_id, "error": str(error)})
            return pause_after(error, account.failures)

    def _nothing_known(self, account_id: str) -> _Account:
        """An upload that a status announces may have been sent by the process before us, just now."""
        announced = [each.status.pending_upload for each in self.situation.authorities_in(account_id)]
        sent = {bundle_fingerprint(pending): self.started for pending in announced if pending}
        return _Account(AccountKnowledge(started=self.started, sent=sent))

    async def _work(self, account_id: str, account: _Account) -> float | None:
        while True:
            judged = self._judge(account_id)
            if waived := [record for record, _ in judged.authorities if is_waived(record)]:
                await self.writer.abandon(waived[0], f"certificate {waived[0].status.certificate_id}")
                continue
            now = self.situation.clock.now()
            plan = plan_account(judged.demands, account.known, now, self.timing, limit=self.limit, owner=self.owner)
            if not plan.steps:
                account.trouble, account.failures = None, 0
            if await self._report(account, judged, plan):
                continue
            if not plan.steps:
                return None if plan.wake_at is None else max(0.0, plan.wake_at - self.situation.clock.now())
            step = plan.steps[0]
            if isinstance(step, ReadCertificates | Upload | DeleteCertificate | ConfirmGone):
                client = self._client(judged)
                if client is None:
                    account.trouble = waiting(Reason.CREDENTIALS_MISSING, "there is no API token for the account.")
                    await self._report(account, judged, plan)
                    return None
                await self._call(client, account_id, account, step)
            else:
                await self._write(judged, plan, step)

    def _judge(self, account_id: str) -> _Judged:
        authorities = [
            (each, self.situation.assess_authority(each)) for each in self.situation.authorities_in(account_id)
        ]
        return _Judged(authorities, tuple(self._demand(record, verdict) for record, verdict in authorities))

    def _demand(self, record: AuthorityRecord, assessment: AuthorityAssessment) -> Demand:
        bundle, status = assessment.actionable, record.status
        display = (record.spec.display_name if record.spec else None) or str(record.key)
        certificate = status.certificate_id
        users = [each.key for each in self.situation.users_of(record)] if record.deleting else []
        return Demand(
            authority=record.key,
            bundle=bundle,
            name=certificate_name(display, bundle.fingerprint, self.owner) if bundle else "",
            certificate_id=CertificateId(certificate) if certificate else None,
            ownership=Ownership.ADOPTED if status.ownership == Ownership.ADOPTED else Ownership.CREATED,
            pending_upload=frozenset(status.pending_upload),
            has_finalizer=record.metadata.has_finalizer,
            deleting=record.deleting,
            used_by=tuple(users),
        )

    async def _write(self, judged: _Judged, plan: AccountPlan, step: ClusterStep) -> None:
        match step:
            case AddFinalizer(resource):
                await self.writer.add_finalizer(judged.record(resource))
            case RemoveFinalizer(resource):
                await self._release(judged.record(resource), in_use_elsewhere=resource in plan.in_use_elsewhere)
            case RecordPendingUpload(authority, bundle):
                record = judged.record(authority)
                await self.writer.write_status(record, with_pending_upload(record.status, bundle))
            case RecordCertificate(authority, certificate_id, ownership, bundle):
                record = judged.record(authority)
                status = with_certificate(record.status, certificate_id, ownership, bundle)
                await self.writer.write_status(record, status)
            case _:
                assert_never(step)

    async def _release(self, record: AuthorityRecord, *, in_use_elsewhere: bool) -> None:
        if in_use_elsewhere:
            note = f"certificate {record.status.certificate_id} stays at Cloudflare: somebody else still uses it"
            await self.writer.warn(record, "CertificateKept", note)
        await self.writer.remove_finalizer(record)
        _LOG.info("CA released", extra={"authority": str(record.key)})

    async def _call(self, client: CloudflareClient, account_id: str, account: _Account, step: CertificateStep) -> None:
        account.known = await self._perform(client, account_id, account, step)
        account.failures, account.trouble = 0, None

    async def _perform(
        self, client: CloudflareClient, account_id: str, account: _Account, step: CertificateStep
    ) -> AccountKnowledge:
        clock, known = self.situation.clock, account.known
        begun = clock.now()
        match step:
            case ReadCertificates():
                return known.with_certificates_read(await client.list_certificates(account_id), begun)
            case Upload(_, bundle, name):
                account.known = replace(known.with_upload_begun(bundle.fingerprint, begun), certificates=None)
                uploaded = await client.upload_certificate(account_id, name=name, pem=bundle.pem)
                return known.with_uploaded(uploaded, clock.now())
            case DeleteCertificate(_, certificate_id):
                return await self._delete(client, account_id, account, certificate_id)
            case ConfirmGone(_, certificate_id):
                return await self._confirm_gone(client, account_id, known, certificate_id)
            case _:
                assert_never(step)

    async def _delete(
        self, client: CloudflareClient, account_id: str, account: _Account, certificate_id: CertificateId
    ) -> AccountKnowledge:
        try:
            await client.delete_certificate(account_id, certificate_id)
        except NotFound:
            return account.known.with_gone(certificate_id)
        except (CertificateInUse, Rejected):
            # How Cloudflare words "in use" is not documented: a refusal counts as one until the facts say otherwise.
            account.known = account.known.with_deletion_refused(certificate_id, self.situation.clock.now())
            raise
        return account.known.with_gone(certificate_id)

    async def _confirm_gone(
        self, client: CloudflareClient, account_id: str, known: AccountKnowledge, certificate_id: CertificateId
    ) -> AccountKnowledge:
        try:
            await client.get_certificate(account_id, certificate_id)
        except NotFound:
            return known.with_gone(certificate_id)
        return replace(known, certificates=None)

    def _client(self, judged: _Judged) -> CloudflareClient | None:
        clients = (self.credentials.client(each.credential) for _, each in judged.authorities if each.credential)
        return next((client for client in clients if client is not None), None)

    async def _report(self, account: _Account, judged: _Judged, plan: AccountPlan) -> bool:
        """Write what has become of each CA into its status, where that says anything new. True if it did: what was
        judged is out of date then."""
        written = False
        listed = account.known.certificates is not None
        for record, assessment in judged.authorities:
            gone = record.deleting and not record.metadata.has_finalizer
            if gone or self.situation.is_loading(sources_of_authority(record)):
                continue
            users = self.situation.users_of(record)
            view = AuthorityView(
                assessment=assessment,
                used_by=[each.key for each in users],
                hostnames=len({name for each in users if each.spec for name in each.spec.hostnames}),
                occupants=occupants(account.known) if listed else None,
                limit=self.limit,
                without_slot=record.key in plan.without_slot,
                trouble=account.trouble,
            )
            status = authority_status(record, view, self.situation.clock.moment())
            written = await self.writer.write_status(record, status) or written
        return written

    async def _report_trouble(self, account_id: str, account: _Account) -> None:
        judged = self._judge(account_id)
        now = self.situation.clock.now()
        plan = plan_account(judged.demands, account.known, now, self.timing, limit=self.limit, owner=self.owner)
        try:
            await self._report(account, judged, plan)
        except ClusterError as error:
            _LOG.info("a status was not written", extra={"account": account_id, "error": str(error)})
