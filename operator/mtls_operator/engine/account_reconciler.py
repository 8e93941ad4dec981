"""Brings the CA certificates of one account from where they are to where they should be, a step at a time.

The same loop as `zone_reconciler`, over CAs instead of bindings.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.cluster.errors import AccessDenied, ClusterError, ResourceChanged, ResourceGone, WriteRefused
from mtls_operator.domain.account_foresight import foresee
from mtls_operator.domain.account_knowledge import AccountKnowledge, occupants
from mtls_operator.domain.account_plan import AccountPlan, plan_account
from mtls_operator.domain.account_steps import (
    AccountStep,
    ClearPendingUpload,
    ConfirmGone,
    DeleteCertificate,
    ReadCertificates,
    RecordCertificate,
    RecordPendingUpload,
    RecordRotation,
    Upload,
    authority_of_step,
)
from mtls_operator.domain.authority_status import (
    AuthorityView,
    authority_status,
    with_certificate,
    with_pending_upload,
    without_pending_upload,
)
from mtls_operator.domain.certificates import bundle_fingerprint
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.records import AddFinalizer, AuthorityRecord, RemoveFinalizer, ResourceKey
from mtls_operator.domain.resync import overdue, said_before
from mtls_operator.domain.rotation_status import with_rotation
from mtls_operator.domain.urgency import urgency_in_account
from mtls_operator.domain.verdicts import Verdict, waiting
from mtls_operator.domain.zone_places import Timing
from mtls_operator.engine.account_calls import AccountCalls, CertificateStep
from mtls_operator.engine.account_demands import demand_of
from mtls_operator.engine.account_judgement import AccountJudgement
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.outcome import Reconciled, failed, reconciled
from mtls_operator.engine.referred_sources import sources_of_authority
from mtls_operator.engine.resource_writer import ResourceWriter, is_waived
from mtls_operator.engine.rivalry import Rivalries
from mtls_operator.engine.setbacks import Setbacks
from mtls_operator.engine.situation import Situation
from mtls_operator.engine.troubles import pause_after, told_trouble
from mtls_operator.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)

ClusterStep = (
    AddFinalizer | RemoveFinalizer | RecordPendingUpload | ClearPendingUpload | RecordCertificate | RecordRotation
)


@dataclass
class _Account:
    """What this process remembers of an account."""

    known: AccountKnowledge
    setbacks: Setbacks[ResourceKey]
    unwritable: Setbacks[ResourceKey]
    """CAs whose status or finalizer the API server does not let us write."""
    cluster_failures: int = 0
    look_afresh: bool = False
    """Somebody asked for a fresh look, or one is due."""
    tried: set[ResourceKey] = field(default_factory=set)
    """CAs of which this process knows itself whether they get on."""
    changes_at: float | None = None
    """When time alone changes what is said of a CA: a certificate becomes valid or expires."""
    listed_at: dict[ResourceKey, float] = field(default_factory=dict)
    """When the last listing by the token of a CA was begun."""
    last: tuple[CertificateStep, AccountKnowledge] | None = None
    """The last call of this reconcile, and what was known after it."""


@dataclass(repr=False)
class AccountReconciler:
    """Reconciles accounts. One call at a time per account; the queue sees to that."""

    situation: Situation
    writer: ResourceWriter[AuthorityRecord]
    credentials: Credentials
    owner: str
    rivalries: Rivalries
    timing: Timing
    limit: int
    metrics: Metrics
    _accounts: dict[str, _Account] = field(default_factory=dict)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.situation.clock.now()

    async def reconcile(self, account_id: str) -> Reconciled:
        """Work until nothing can be done now."""
        if account_id not in self._accounts:
            self._accounts[account_id] = self._nothing_known(account_id)
        account = self._accounts[account_id]
        account.last = None
        try:
            wake_at = await self._work(account_id, account)
        except ClusterError as error:
            account.cluster_failures += 1
            _LOG.warning("the API server cannot be used, account %s waits: %s", account_id, error)
            return failed(pause_after(error, account.cluster_failures, self.situation.clock.chance))
        account.cluster_failures = 0
        failing = account.setbacks.any() or account.unwritable.any()
        return reconciled(wake_at, self.situation.clock.now(), failing=failing, changes_at=account.changes_at)

    def doubt(self, account_id: str) -> None:
        """A fresh look is asked for, or due: the account is listed again before anything is called well."""
        if account := self._accounts.get(account_id):
            account.look_afresh = True

    def _nothing_known(self, account_id: str) -> _Account:
        """An upload that a status announces may have been sent by the process before us, just now."""
        announced = [each.status.pending_upload for each in self.situation.authorities_in(account_id)]
        sent = {bundle_fingerprint(pending): self.started for pending in announced if pending}
        known = AccountKnowledge(started=self.started, sent=sent, unanswered=frozenset(sent))
        clock = self.situation.clock
        return _Account(known, Setbacks(clock), Setbacks(clock))

    async def _work(self, account_id: str, account: _Account) -> float | None:
        """Until nothing can be done now; returns when to look again."""
        while True:
            if account.look_afresh:
                account.look_afresh = False
                account.known = replace(account.known, doubted=self.situation.clock.now())
            judged = self._judge(account_id)
            account.changes_at = judged.changes_at()
            if await self._let_go(account, judged):
                continue
            now = self.situation.clock.now()
            plan = plan_account(judged.demands, account.known, now, self.timing, limit=self.limit, owner=self.owner)
            if await self._report(account, judged, plan):
                continue
            if (wakes := await self._act(account_id, account, judged, plan)) is not None:
                return min(wakes, default=None)

    async def _act(
        self, account_id: str, account: _Account, judged: AccountJudgement, plan: AccountPlan
    ) -> list[float] | None:
        """Take one step for a CA that may act; None when one was taken, else when to look again."""
        now = self.situation.clock.now()
        waits: list[float] = []
        for step in plan.steps:
            if (not_before := self._not_before(account, judged, step)) is not None:
                waits.append(not_before)
            elif await self._take(account_id, account, judged, plan, step):
                return None
        if plan.wake_at is not None and (plan.wake_at > now or not waits):
            # A time that is over makes no difference as long as a step has to wait.
            waits.append(plan.wake_at)
        if (unwritable_until := account.unwritable.wake_at()) is not None:
            waits.append(unwritable_until)
        return waits

    def _not_before(self, account: _Account, judged: AccountJudgement, step: AccountStep) -> float | None:
        """Until when a step must wait; None when it may be taken now."""
        authority = authority_of_step(step)
        record = judged.record(authority)
        held_until = account.unwritable.held_until(authority, record.metadata.resource_version)
        if held_until is not None:
            return held_until
        if account.last is not None and account.last[0] == step and account.last[1] is account.known:
            # The same again (a read that took longer than its pause): later, not at once again.
            return self.situation.clock.now() + self.timing.poll
        held_until = account.setbacks.held_until(authority, self._circumstances(judged, authority))
        credential = judged.credential(authority)
        if held_until is not None or credential is None or not isinstance(step, CertificateStep):
            return held_until
        return self.credentials.quiet_until(credential, urgency_in_account(judged.demand(authority), step))

    async def _take(
        self, account_id: str, account: _Account, judged: AccountJudgement, plan: AccountPlan, step: AccountStep
    ) -> bool:
        """False when there is no token to call with."""
        if not isinstance(step, ReadCertificates | Upload | DeleteCertificate | ConfirmGone):
            record = judged.record(authority_of_step(step))
            return await self._try(account, record, self._write(account, judged, plan, step))
        credential = judged.credential(step.authority)
        urgency = urgency_in_account(judged.demand(step.authority), step)
        client = self.credentials.client(credential, urgency) if credential else None
        if client is None:
            return False
        calls = AccountCalls(client, account_id, str(credential), self.situation.clock)
        account.known, error = await calls.perform(step, account.known)
        account.last = (step, account.known)
        self.situation.note_uploaded(account.known)
        if error is not None:
            was_patient = told_trouble(judged.record(step.authority)) == Reason.CREDENTIALS_INSUFFICIENT
            circumstances = self._circumstances(judged, step.authority)
            account.setbacks.note(step.authority, error, circumstances, was_patient=was_patient)
            _LOG.warning("a call for account %s failed: %s", account_id, error)
        elif isinstance(step, ReadCertificates):
            # A read that goes well says nothing about a write that did not.
            account.setbacks.note_answer(step.authority)
        else:
            account.setbacks.clear(step.authority)
            account.tried.add(step.authority)
            if isinstance(step, Upload) and judged.demand(step.authority).certificate_id in account.known.gone:
                self.metrics.repaired("certificate")
        return True

    def _circumstances(self, judged: AccountJudgement, authority: ResourceKey) -> object:
        """What a new try would rest on."""
        credential, demand = judged.credential(authority), judged.demand(authority)
        token = self.credentials.token(credential) if credential else None
        wanted = demand.bundle, demand.deleting, demand.retains, demand.used_by, demand.standing, demand.side_by_side
        return wanted, token

    def _judge(self, account_id: str) -> AccountJudgement:
        authorities = [
            (each, self.situation.assess_authority(each)) for each in self.situation.authorities_in(account_id)
        ]
        readable = [(record, verdict) for record, verdict in authorities if record.status_is_readable]
        rivalry = self.rivalries.verdict_on(account_id)
        demands = (
            demand_of(record, verdict, self.situation, is_halted=rivalry is not None) for record, verdict in readable
        )
        return AccountJudgement(authorities, tuple(demands), rivalry)

    async def _let_go(self, account: _Account, judged: AccountJudgement) -> bool:
        """Let go of the first CA whose clean-up is waived. True if one was, or turned out not to be possible."""
        waived = (record for record, _ in judged.authorities if is_waived(record) and not _is_held(account, record))
        record = next(waived, None)
        return record is not None and await self._try(account, record, self._abandon(account, record))

    async def _abandon(self, account: _Account, record: AuthorityRecord) -> bool:
        await self.writer.abandon(record, _left_behind(record))
        self._note_left(account, record)
        return True

    async def _try(self, account: _Account, record: AuthorityRecord, write: Awaitable[bool]) -> bool:
        """Whether anything is different now. A refusal concerns this CA alone; any other failure is raised."""
        try:
            written = await write
        except (ResourceChanged, ResourceGone):
            # What is there now has been read; it is decided on anew.
            return True
        except (WriteRefused, AccessDenied) as error:
            account.unwritable.note(record.key, error, record.metadata.resource_version)
            _LOG.warning("a CA cannot be written to: %s", error, extra={"authority": str(record.key)})
            return True
        account.unwritable.clear(record.key)
        return written

    async def _write(self, account: _Account, judged: AccountJudgement, plan: AccountPlan, step: ClusterStep) -> bool:
        match step:
            case AddFinalizer(resource):
                await self.writer.add_finalizer(judged.record(resource))
            case RemoveFinalizer(resource):
                await self._release(account, judged.record(resource), kept=resource in plan.in_use_elsewhere)
            case RecordPendingUpload(authority, bundle):
                record = judged.record(authority)
                await self.writer.write_status(record, with_pending_upload(record.status, bundle))
            case ClearPendingUpload(authority):
                record = judged.record(authority)
                await self.writer.write_status(record, without_pending_upload(record.status))
            case RecordCertificate(authority, certificate_id, ownership, bundle, retiring):
                record = judged.record(authority)
                status = with_certificate(record.status, certificate_id, ownership, bundle, retiring)
                await self.writer.write_status(record, status)
            case RecordRotation(authority, rotation, retiring, kept):
                record = judged.record(authority)
                await self.writer.write_status(record, with_rotation(record.status, rotation, retiring))
                if kept is not None:
                    await self._say_kept(record, kept)
            case _:
                assert_never(step)
        return True

    async def _release(self, account: _Account, record: AuthorityRecord, *, kept: bool) -> None:
        if kept:
            await self._say_kept(record, record.status.certificate_id)
        await self.writer.remove_finalizer(record)
        self._note_left(account, record)
        _LOG.info("CA released", extra={"authority": str(record.key)})

    def _note_left(self, account: _Account, record: AuthorityRecord) -> None:
        fingerprint, now = bundle_fingerprint(record.status.fingerprints), self.situation.clock.now()
        account.known = account.known.with_left(record.status.certificate_id, fingerprint, now)

    async def _say_kept(self, record: AuthorityRecord, certificate_id: str | None) -> None:
        note = f"certificate {certificate_id} stays at Cloudflare: somebody else still uses it"
        await self.writer.warn(record, "CertificateKept", note)

    async def _report(self, account: _Account, judged: AccountJudgement, plan: AccountPlan) -> bool:
        """Write what has become of each CA into its status, where that says anything new. True if it did: what was
        judged is out of date then."""
        written = False
        for record, assessment in judged.authorities:
            gone = record.deleting and not record.metadata.has_finalizer
            mute = gone or not record.status_is_readable or _is_held(account, record)
            if mute or self.situation.is_loading(sources_of_authority(record)):
                continue
            if plan.wake_at is None and all(authority_of_step(step) != record.key for step in plan.steps):
                account.setbacks.clear(record.key)
            trouble = account.setbacks.verdict(record.key) or self._lack_of_token(judged, plan, record)
            if trouble is not None or self._has_tried(plan, record.key):
                account.tried.add(record.key)
            elif record.key not in account.tried and told_trouble(record) is not None:
                continue
            users = self.situation.users_of(record)
            listing = account.known.listings.get(str(assessment.credential))
            slots = occupants(listing.value) if listing else None
            if listing is not None:
                account.listed_at[record.key] = listing.begun
            view = AuthorityView(
                assessment=assessment,
                used_by=[each.key for each in users],
                hostnames=len({name for each in users if each.spec for name in each.spec.hostnames}),
                counted=not self.situation.awaits_zones(record),
                occupants=slots,
                limit=self.limit,
                unused=self._unused(slots or ()),
                without_slot=record.key in plan.without_slot,
                plan=self._foresee(account, judged, record.key),
                not_adopted=plan.not_adopted.get(record.key),
                behind=judged.behind(record.key),
                is_doubted=self._is_doubted(account, judged, plan, record.key),
                bundle_refused=plan.bundle_refused.get(record.key),
                rivalry=judged.rivalry,
                remark=self._lateness(record, trouble, account.listed_at.get(record.key)),
                trouble=trouble,
            )
            status = authority_status(record, view, self.situation.clock.moment())
            written = await self._try(account, record, self.writer.write_status(record, status)) or written
        return written

    def _lateness(self, record: AuthorityRecord, trouble: Verdict | None, listed_at: float | None) -> Verdict | None:
        """That the account could not be listed for too long."""
        ready = find(record.status.conditions, ConditionType.READY)
        late = overdue(trouble, listed_at, self.started, self.situation.clock.now())
        return said_before(ready, listed_at) or late

    def _has_tried(self, plan: AccountPlan, key: ResourceKey) -> bool:
        """Whether nothing is left to do for a CA, or nothing that a process could have done since its start."""
        is_settled = self.situation.clock.now() >= self.started + 2 * self.timing.window
        calls = (step for step in plan.steps if isinstance(step, CertificateStep))
        return all(step.authority != key for step in calls) and (plan.wake_at is None or is_settled)

    def _foresee(self, account: _Account, judged: AccountJudgement, key: ResourceKey) -> tuple[str, ...] | None:
        """What would be done for a CA that is only observed."""
        demand = judged.demand(key)
        if not demand.observed:
            return None
        others = tuple(each for each in judged.demands if each is not demand)
        return foresee(demand, others, account.known, self.timing, limit=self.limit, owner=self.owner)

    def _is_doubted(self, account: _Account, judged: AccountJudgement, plan: AccountPlan, key: ResourceKey) -> bool:
        """Whether a fresh look was asked for that has not been taken, and will be."""
        demand = next((each for each in judged.demands if each.authority == key), None)
        if demand is None:
            return False
        rests = demand.certificate_id is None or demand.bundle is None or demand.deleting or demand.idle
        if rests and not any(isinstance(each, ReadCertificates) and each.authority == key for each in plan.steps):
            return False
        listing = account.known.listings.get(demand.token)
        return account.look_afresh or account.known.doubted > (listing.begun if listing else account.known.started)

    def _unused(self, slots: Sequence[Certificate]) -> frozenset[CertificateId]:
        """Certificates with our mark that no resource of this cluster relies on: left behind, or somebody's by hand."""
        ours = frozenset(each.id for each in slots if certificate_owner(each.name) == self.owner)
        return ours - self.situation.relied_on()

    def _lack_of_token(self, judged: AccountJudgement, plan: AccountPlan, record: AuthorityRecord) -> Verdict | None:
        calls = (ReadCertificates, Upload, DeleteCertificate, ConfirmGone)
        needs_one = any(isinstance(step, calls) and step.authority == record.key for step in plan.steps)
        credential = judged.credential(record.key)
        if not needs_one or (credential and self.credentials.token(credential)):
            return None
        return waiting(
            Reason.CREDENTIALS_MISSING,
            "there is no API token for the account: put one into the Secret of spec.credentialsRef, or let the"
            " operator's own token serve this namespace.",
        )


def _left_behind(record: AuthorityRecord) -> str:
    status = record.status
    objects = [status.certificate_id, *(each.certificate_id for each in status.retiring)]
    return f"certificate {', '.join(each for each in objects if each is not None) or 'that may have been uploaded'}"


def _is_held(account: _Account, record: AuthorityRecord) -> bool:
    return account.unwritable.held_until(record.key, record.metadata.resource_version) is not None
