"""Brings one zone from where it is to where it should be, a step at a time.

    judge the bindings -> stakes -> plan -> report -> do the first step -> again

The situation is judged anew before each step, because a resource may have changed while the last one was done.
What is known of the zone lives here, in memory; what must survive a crash is in statuses and at Cloudflare.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.errors import CloudflareError, NotFound
from mtls_operator.cluster.errors import AccessDenied, ClusterError, ResourceChanged, ResourceGone, WriteRefused
from mtls_operator.domain.binding_status import with_managed
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import CertificateId, Ruleset
from mtls_operator.domain.records import AddFinalizer, BindingRecord, RemoveFinalizer, ResourceKey
from mtls_operator.domain.resync import RESYNC_DELAYED, looked_at
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.urgency import Urgency, urgency_in_zone
from mtls_operator.domain.verdicts import Verdict, waiting
from mtls_operator.domain.zone_foresight import Plans, foresee, readings
from mtls_operator.domain.zone_knowledge import Place, Reading, ZoneKnowledge, nothing_known
from mtls_operator.domain.zone_orphans import orphans
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_plan import ZonePlan, plan_zone
from mtls_operator.domain.zone_steps import (
    Conclude,
    DeleteRule,
    NoteReplacement,
    ReadRules,
    RecordManaged,
    WriteList,
    WriteRule,
)
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.keys import ZoneKey
from mtls_operator.engine.outcome import Reconciled, failed, reconciled
from mtls_operator.engine.parties import Judgement, Party, barred_by, judgement_of
from mtls_operator.engine.resource_writer import ResourceWriter, is_waived
from mtls_operator.engine.resync_schedule import ResyncSchedule
from mtls_operator.engine.rivalry import Rivalries
from mtls_operator.engine.setbacks import Setbacks
from mtls_operator.engine.situation import Situation
from mtls_operator.engine.troubles import pause_after, told_trouble
from mtls_operator.engine.zone_calls import CloudflareStep, ZoneCalls
from mtls_operator.engine.zone_failures import after_failure, has_gone, is_no_failure
from mtls_operator.engine.zone_report import ZoneReport
from mtls_operator.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)

ClusterStep = AddFinalizer | RemoveFinalizer | RecordManaged
_CLUSTER_STEPS = (AddFinalizer, RemoveFinalizer, RecordManaged)
Planned = Sequence[tuple[Party, ZonePlan]]


@dataclass
class _Zone:
    """What this process remembers of a zone."""

    known: ZoneKnowledge
    setbacks: Setbacks[CredentialKey | None]
    unwritable: Setbacks[ResourceKey]
    """Bindings whose status or finalizer the API server does not let us write."""
    cluster_failures: int = 0
    barred: frozenset[Place] = frozenset()
    """What another installation has otherwise, by the reading of the rules beside it."""
    barred_by: Reading[Ruleset | None] | None = None
    look_afresh: bool = False
    """Somebody asked for a fresh look."""
    tried: set[CredentialKey | None] = field(default_factory=set)
    """Parties of which this process knows itself whether they get on."""
    foresight: dict[CredentialKey | None, tuple[object, Plans]] = field(default_factory=dict)
    """What would be done for observed bindings, with what that was worked out from."""
    read_at: dict[ResourceKey, float] = field(default_factory=dict)
    """Of each binding, since when all that it relies on was known last."""
    last: tuple[CloudflareStep, ZoneKnowledge] | None = None
    """The last call of this reconcile, and what was known after it."""


@dataclass(repr=False)
class ZoneReconciler:
    """Reconciles zones. One call at a time per zone; the queue sees to that."""

    situation: Situation
    writer: ResourceWriter[BindingRecord]
    credentials: Credentials
    installation: Installation
    timing: Timing
    resyncs: ResyncSchedule
    rivalries: Rivalries
    metrics: Metrics
    on_gone: Callable[[CertificateId], object]
    """Hears of a certificate that Cloudflare said twice it does not have."""
    on_no_zone: Callable[[str], object]
    """Hears of a zone that Cloudflare says it does not have."""
    predecessors: frozenset[Installation] = frozenset()
    """Installations that are gone and whose marks become ours."""
    _zones: dict[str, _Zone] = field(default_factory=dict)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.situation.clock.now()

    async def reconcile(self, zone_id: str) -> Reconciled:
        """Work until nothing can be done now."""
        clock = self.situation.clock
        if zone_id not in self._zones:
            self._zones[zone_id] = _Zone(nothing_known(self.started), Setbacks(clock), Setbacks(clock))
        zone = self._zones[zone_id]
        zone.last = None
        try:
            wake_at = await self._work(zone_id, zone)
        except ClusterError as error:
            zone.cluster_failures += 1
            _LOG.warning("the API server cannot be used, zone %s waits: %s", zone_id, error)
            return failed(pause_after(error, zone.cluster_failures, clock.chance))
        zone.cluster_failures = 0
        failing = zone.setbacks.any() or zone.unwritable.any()
        return reconciled(wake_at, clock.now(), failing=failing)

    def doubt(self, zone_id: str) -> None:
        """A fresh look is asked for, or due: all is read again before anything is called well."""
        if zone := self._zones.get(zone_id):
            zone.look_afresh = True

    def looked_at(self, zone_id: str) -> float | None:
        """Since when all of a zone that is relied on is known; None when something was not read yet, or nothing is
        relied on."""
        zone, managed = self._zones.get(zone_id), (each.status.managed for each in self.situation.bindings_in(zone_id))
        certificates = {CertificateId(each.certificate_id) for entries in managed for each in entries}
        return looked_at(zone.known, certificates) if zone and certificates else None

    async def _work(self, zone_id: str, zone: _Zone) -> float | None:
        """Until nothing can be done now; returns when to look again."""
        while True:
            if zone.look_afresh:
                zone.look_afresh = False
                zone.known = zone.known.with_doubt(self.situation.clock.now())
            if zone.known.rules is not zone.barred_by:
                zone.barred, zone.barred_by = frozenset(), zone.known.rules
            judged = self._judge(zone_id, zone)
            if await self._let_go(zone, judged):
                continue
            now = self.situation.clock.now()
            planned = [(party, self._plan(zone, party, now)) for party in judged.parties]
            if not (barred := barred_by(planned)) <= zone.barred:
                # Another binding of this cluster may have what this one must not.
                zone.barred |= barred
                continue
            if await self._report(zone_id, zone, judged, planned) or await self._write(zone, judged, planned):
                continue
            wakes = await self._act(zone_id, zone, planned)
            if wakes is not None:
                self._measure(zone_id, zone, judged)
                return min(wakes, default=None)

    def _plan(self, zone: _Zone, party: Party, now: float) -> ZonePlan:
        plan = plan_zone(party.desired, zone.known, now, self.timing)
        if party.foreseen is None:
            return plan
        return replace(plan, steps=(*plan.steps, *readings(party.foreseen, zone.known)))

    def _foresee(self, zone: _Zone, party: Party) -> Plans | None:
        """What would be done for observed bindings; worked out anew only when something has changed."""
        if party.foreseen is None or readings(party.foreseen, zone.known):
            return None
        seen = (zone.known.rules and zone.known.rules.value, {c: each.value for c, each in zone.known.lists.items()})
        before = zone.foresight.get(party.credential)
        if before is None or before[0] != (party.foreseen, seen):
            before = (party.foreseen, seen), foresee(party.foreseen, zone.known, self.timing) or {}
            zone.foresight[party.credential] = before
        return before[1]

    def _measure(self, zone_id: str, zone: _Zone, judged: Judgement) -> None:
        """Tell of what is ours by mark and in no resource: also when the last one that had it was let go."""
        if zone.known.rules is not None:
            stakes = [stake for party in judged.parties for stake in party.desired.own]
            self.metrics.orphaned(zone_id, len(orphans(zone.known.rules.value, self.installation, stakes)))

    def _judge(self, zone_id: str, zone: _Zone) -> Judgement:
        """A binding that cannot be written to goes on wanting what its status records, and holds up nobody."""
        bindings = [(each, self.situation.assess(each)) for each in self.situation.bindings_in(zone_id)]
        return judgement_of(
            [
                (record, replace(verdict, target=None) if _is_held(zone, record) else verdict)
                for record, verdict in bindings
            ],
            self.installation,
            self.predecessors,
            zone.barred,
            issuers=self.situation.issuers(),
            revocation=self.situation.revocation(),
            identifiers=self.situation.identifiers(),
            is_told=all(each.status_is_readable for each in self.situation.bindings),
        )

    async def _report(self, zone_id: str, zone: _Zone, judged: Judgement, planned: Planned) -> bool:
        for party, plan in planned:
            if not plan.steps and plan.wake_at is None:
                zone.setbacks.clear(party.credential)
        remark = RESYNC_DELAYED if self.resyncs.is_delayed(ZoneKey(zone_id)) else None
        report = ZoneReport(self.situation, self.installation, judged, zone.known, remark, zone.read_at, self.started)
        written = False
        for party, plan in planned:
            trouble = zone.setbacks.verdict(party.credential) or self._lack_of_token(party, plan)
            if trouble is not None or self._has_tried(plan):
                zone.tried.add(party.credential)
            for record, status in report.statuses(party, plan, trouble, self._foresee(zone, party)):
                is_too_early = party.credential not in zone.tried and told_trouble(record) is not None
                if not is_too_early and not _is_held(zone, record):
                    written = await self._try(zone, record, self.writer.write_status(record, status)) or written
        return written

    def _has_tried(self, plan: ZonePlan) -> bool:
        """Whether nothing is left to do, or nothing that a process could have done since its start."""
        is_settled = self.situation.clock.now() >= self.started + 2 * self.timing.window
        nothing_to_do = all(isinstance(step, _CLUSTER_STEPS) for step in plan.steps)
        return nothing_to_do and (plan.wake_at is None or is_settled)

    async def _let_go(self, zone: _Zone, judged: Judgement) -> bool:
        """Let go of the first binding whose clean-up is waived. True if one was, or turned out not to be possible."""
        waived = (record for record, _ in judged.bindings if is_waived(record) and not _is_held(zone, record))
        record = next(waived, None)
        return record is not None and await self._try(zone, record, self._abandon(record))

    async def _abandon(self, record: BindingRecord) -> bool:
        await self.writer.abandon(record, _left_behind(record))
        return True

    async def _try(self, zone: _Zone, record: BindingRecord, write: Awaitable[bool]) -> bool:
        """Whether anything is different now. A refusal concerns this binding alone; any other failure is raised."""
        try:
            written = await write
        except (ResourceChanged, ResourceGone):
            # What is there now has been read; it is decided on anew.
            return True
        except (WriteRefused, AccessDenied) as error:
            zone.unwritable.note(record.key, error, record.metadata.resource_version)
            _LOG.warning("a binding cannot be written to: %s", error, extra={"binding": str(record.key)})
            return True
        zone.unwritable.clear(record.key)
        return written

    async def _write(self, zone: _Zone, judged: Judgement, planned: Planned) -> bool:
        """The first steps of each plan that concern the cluster and are of one type, each about another binding: a
        thousand bindings that come together are not planned for one by one."""
        steps = [step for _, plan in planned for step in _leading_cluster_steps(plan)]
        for step in steps:
            if isinstance(step, RecordManaged):
                # From the decision on the certificates count as used: a CA that is deleted just now must see it.
                self.situation.reserved[step.binding] = frozenset(step.managed)
        written = False
        for step in steps:
            record = judged.record(step.binding if isinstance(step, RecordManaged) else step.resource)
            if not _is_held(zone, record):
                written = await self._try(zone, record, self._write_one(zone, record, step)) or written
        return written

    async def _write_one(self, zone: _Zone, record: BindingRecord, step: ClusterStep) -> bool:
        if isinstance(step, RecordManaged):
            zone.known = zone.known.with_neglected(step.regained)
            await self._record(record, step)
        elif isinstance(step, AddFinalizer):
            await self.writer.add_finalizer(record)
        else:
            await self.writer.remove_finalizer(record)
            _LOG.info("binding released", extra={"binding": str(step.resource)})
        return True

    async def _record(self, record: BindingRecord, step: RecordManaged) -> None:
        zone = self.situation.zone_of(record)
        update = {"zone_id": zone.id, "zone_name": zone.name, "account_id": zone.account_id or None} if zone else {}
        status = with_managed(record.status, step.managed).model_copy(update=update)
        # Reserved still when this fails: the write may have been carried out. The next one that succeeds takes it back.
        await self.writer.write_status(record, status)
        self.situation.reserved.pop(record.key, None)

    async def _act(self, zone_id: str, zone: _Zone, planned: Planned) -> list[float] | None:
        """Make one call for a party that may act; None when one was made, else when to look again."""
        wakes = [zone.unwritable.wake_at()]
        for party, plan in planned:
            step = next((each for each in plan.steps if not isinstance(each, _CLUSTER_STEPS)), None)
            if step is None:
                wakes.append(plan.wake_at)
            elif (not_before := self._not_before(zone, party, step)) is not None:
                # Whatever time the plan names: nothing of it can be done before.
                wakes.append(not_before)
            elif await self._call(zone_id, zone, party, step):
                return None
        return [at for at in wakes if at is not None]

    def _not_before(self, zone: _Zone, party: Party, step: CloudflareStep) -> float | None:
        """Until when a step must wait; None when it may be taken now."""
        if zone.last is not None and zone.last[0] == step and zone.last[1] is zone.known:
            # It changed nothing (a read that was older than what is known): later, not at once again.
            return self.situation.clock.now() + self.timing.poll
        held_until = zone.setbacks.held_until(party.credential, self._circumstances(party))
        if held_until is not None or party.credential is None:
            return held_until
        return self.credentials.quiet_until(party.credential, self._urgency(zone, party, step))

    def _urgency(self, zone: _Zone, party: Party, step: CloudflareStep) -> Urgency:
        return urgency_in_zone(party.desired, zone.known, step, self.situation.clock.now(), self.timing)

    async def _call(self, zone_id: str, zone: _Zone, party: Party, step: CloudflareStep) -> bool:
        """False when there is no token to call with."""
        client = (
            self.credentials.client(party.credential, self._urgency(zone, party, step)) if party.credential else None
        )
        if client is None:
            return False
        clock = self.situation.clock
        calls = ZoneCalls(client, zone_id, self.installation, clock, self.timing.window)
        before = zone.known
        try:
            zone.known = await calls.perform(step, zone.known)
        except CloudflareError as error:
            self._note_failure(zone_id, zone, party, step, error)
        else:
            zone.last = (step, zone.known)
            if zone.known.rules is not None and zone.known.rules is not before.rules:
                self.situation.note_rules(zone_id, zone.known.rules.value, {self.installation, *self.predecessors})
                self.rivalries.note_rules(zone_id, zone.known.rules.value)
            self._count_repair(zone_id, step, before, zone.known)
            if isinstance(step, WriteList | WriteRule | DeleteRule):
                # A read that goes well says nothing about a write that did not.
                zone.setbacks.clear(party.credential)
                zone.tried.add(party.credential)
            else:
                zone.setbacks.note_answer(party.credential)
        return True

    def _count_repair(self, zone_id: str, step: CloudflareStep, before: ZoneKnowledge, known: ZoneKnowledge) -> None:
        if isinstance(step, WriteList) and step.repairs:
            self.metrics.repaired("association")
        elif isinstance(step, WriteRule) and (step.repairs or known.overruled != before.overruled):
            self.metrics.repaired("rule")
        elif isinstance(step, NoteReplacement):
            self.metrics.repaired("ruleset")
            _LOG.warning("somebody replaced the ruleset of a zone: our rules are put back", extra={"zone": zone_id})

    def _note_failure(
        self, zone_id: str, zone: _Zone, party: Party, step: CloudflareStep, error: CloudflareError
    ) -> None:
        known, now = zone.known, self.situation.clock.now()
        zone.known = after_failure(known, step, error, now, us=self.installation, timing=self.timing)
        if has_gone(step, known, zone.known, self.timing.window):
            self.on_gone(step.certificate)
        if isinstance(step, ReadRules) and isinstance(error, NotFound):
            self.on_no_zone(zone_id)
        if is_no_failure(known, zone.known, step, error):
            return
        was_patient = any(
            told_trouble(record) == Reason.CREDENTIALS_INSUFFICIENT
            for stake in party.desired.stakes
            if (record := self.situation.bindings.get(stake.binding)) is not None
        )
        zone.setbacks.note(party.credential, error, self._circumstances(party), was_patient=was_patient)
        _LOG.warning("a call for zone %s failed: %s", zone_id, error)

    def _circumstances(self, party: Party) -> object:
        """What a new try would rest on."""
        wants = tuple((stake.binding, stake.deleting, stake.wants) for stake in party.desired.stakes)
        return wants, self.credentials.token(party.credential) if party.credential else None

    def _lack_of_token(self, party: Party, plan: ZonePlan) -> Verdict | None:
        needs_one = any(not isinstance(step, (*_CLUSTER_STEPS, NoteReplacement, Conclude)) for step in plan.steps)
        if not needs_one or (party.credential and self.credentials.token(party.credential)):
            return None
        return waiting(
            Reason.CREDENTIALS_MISSING,
            "there is no API token to work on the zone with: put one into the Secret of spec.credentialsRef, here or at"
            " the CA, or let the operator's own token serve this namespace.",
        )


def _leading_cluster_steps(plan: ZonePlan) -> list[ClusterStep]:
    """The steps at the beginning that concern the cluster and are of one type."""
    leading: list[ClusterStep] = []
    for step in plan.steps:
        if not isinstance(step, _CLUSTER_STEPS) or type(step) is not type(plan.steps[0]):
            break
        leading.append(step)
    return leading


def _left_behind(record: BindingRecord) -> str:
    listed = "; ".join(f"{each.certificate_id}: {', '.join(each.hostnames)}" for each in record.status.managed)
    return f"zone {record.status.zone_id}: associations, claims and rules of {listed or 'no hostname'}"


def _is_held(zone: _Zone, record: BindingRecord) -> bool:
    return zone.unwritable.held_until(record.key, record.metadata.resource_version) is not None
