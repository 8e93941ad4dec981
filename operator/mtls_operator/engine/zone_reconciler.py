"""Brings one zone from where it is to where it should be, a step at a time.

    judge the bindings -> stakes -> plan -> report -> do the first step -> again

The situation is judged anew before each step, because a resource may have changed while the last one was done.
What is known of the zone lives here, in memory; what must survive a crash is in statuses and at Cloudflare.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.errors import CloudflareError
from mtls_operator.cluster.errors import ClusterError, ResourceChanged, ResourceGone
from mtls_operator.domain.binding_status import with_managed
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.records import AddFinalizer, BindingRecord, RemoveFinalizer
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.verdicts import Verdict, waiting
from mtls_operator.domain.zone_knowledge import ZoneKnowledge, nothing_known
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_plan import ZonePlan, plan_zone
from mtls_operator.domain.zone_steps import Conclude, DeleteRule, RecordManaged, WriteList, WriteRule
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.parties import Judgement, Party, judgement_of
from mtls_operator.engine.resource_writer import ResourceWriter, is_waived
from mtls_operator.engine.setbacks import Setbacks
from mtls_operator.engine.situation import Situation
from mtls_operator.engine.troubles import pause_after
from mtls_operator.engine.zone_calls import CloudflareStep, ZoneCalls
from mtls_operator.engine.zone_report import ZoneReport

_LOG = logging.getLogger(__name__)

ClusterStep = AddFinalizer | RemoveFinalizer | RecordManaged
_CLUSTER_STEPS = (AddFinalizer, RemoveFinalizer, RecordManaged)
Planned = Sequence[tuple[Party, ZonePlan]]


@dataclass
class _Zone:
    """What this process remembers of a zone."""

    known: ZoneKnowledge
    setbacks: Setbacks[CredentialKey | None]
    cluster_failures: int = 0
    last: tuple[CloudflareStep, ZoneKnowledge] | None = None
    """The last call, and what was known after it."""


@dataclass
class ZoneReconciler:
    """Reconciles zones. One call at a time per zone; the queue sees to that."""

    situation: Situation
    writer: ResourceWriter[BindingRecord]
    credentials: Credentials
    installation: Installation
    timing: Timing
    _zones: dict[str, _Zone] = field(default_factory=dict)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.situation.clock.now()

    async def reconcile(self, zone_id: str) -> float | None:
        """Work until nothing can be done now; returns after how many seconds to look again, if ever."""
        if zone_id not in self._zones:
            self._zones[zone_id] = _Zone(nothing_known(self.started), Setbacks(self.situation.clock))
        zone = self._zones[zone_id]
        try:
            wake_at = await self._work(zone_id, zone)
        except (ResourceChanged, ResourceGone):
            # What is there now has been read; it is decided on anew, together with what else changes.
            return self.timing.poll
        except ClusterError as error:
            zone.cluster_failures += 1
            _LOG.warning("a write to the cluster failed", extra={"zone": zone_id, "error": str(error)})
            return pause_after(error, zone.cluster_failures)
        zone.cluster_failures = 0
        return None if wake_at is None else max(0.0, wake_at - self.situation.clock.now())

    def forget_rules(self, zone_id: str) -> None:
        """Somebody asks for a fresh look: the rules are read again before anything is decided."""
        if zone := self._zones.get(zone_id):
            zone.known = replace(zone.known, rules_must_be_read=True)

    async def _work(self, zone_id: str, zone: _Zone) -> float | None:
        """Until nothing can be done now; returns when to look again."""
        while True:
            judged = self._judge(zone_id)
            if waived := [record for record, _ in judged.bindings if is_waived(record)]:
                await self.writer.abandon(waived[0], _left_behind(waived[0]))
                continue
            now = self.situation.clock.now()
            planned = [(party, plan_zone(party.desired, zone.known, now, self.timing)) for party in judged.parties]
            if await self._report(zone, judged, planned) or await self._write(judged, planned):
                continue
            wakes = await self._act(zone_id, zone, planned)
            if wakes is not None:
                return min(wakes, default=None)

    def _judge(self, zone_id: str) -> Judgement:
        bindings = [(each, self.situation.assess(each)) for each in self.situation.bindings_in(zone_id)]
        return judgement_of(bindings, self.installation)

    async def _report(self, zone: _Zone, judged: Judgement, planned: Planned) -> bool:
        for party, plan in planned:
            if not plan.steps:
                zone.setbacks.clear(party.credential)
        report = ZoneReport(self.situation, self.installation, judged, zone.known)
        written = False
        for party, plan in planned:
            trouble = zone.setbacks.verdict(party.credential) or self._lack_of_token(party, plan)
            for record, status in report.statuses(party, plan, trouble):
                written = await self.writer.write_status(record, status) or written
        return written

    async def _write(self, judged: Judgement, planned: Planned) -> bool:
        """The first steps of each plan that concern the cluster and are of one type, each about another binding: a
        thousand bindings that come together are not planned for one by one."""
        written = False
        for _, plan in planned:
            for step in plan.steps:
                if not isinstance(step, _CLUSTER_STEPS) or type(step) is not type(plan.steps[0]):
                    break
                await self._write_one(judged, step)
                written = True
        return written

    async def _write_one(self, judged: Judgement, step: ClusterStep) -> None:
        if isinstance(step, RecordManaged):
            await self._record(judged.record(step.binding), step)
        elif isinstance(step, AddFinalizer):
            await self.writer.add_finalizer(judged.record(step.resource))
        else:
            await self.writer.remove_finalizer(judged.record(step.resource))
            _LOG.info("binding released", extra={"binding": str(step.resource)})

    async def _record(self, record: BindingRecord, step: RecordManaged) -> None:
        """From the moment of the decision the certificates count as used: a CA that is deleted just now must see
        it, though the status is not written yet."""
        zone = self.situation.zone_of(record)
        update = {"zone_id": zone.id, "zone_name": zone.name} if zone else {}
        status = with_managed(record.status, step.managed).model_copy(update=update)
        self.situation.reserved[record.key] = frozenset(step.managed)
        try:
            await self.writer.write_status(record, status)
        finally:
            del self.situation.reserved[record.key]

    async def _act(self, zone_id: str, zone: _Zone, planned: Planned) -> list[float] | None:
        """Make one call for a party that may act; None when one was made, else when to look again."""
        wakes = [plan.wake_at for _, plan in planned if plan.wake_at is not None]
        for party, plan in planned:
            step = next((each for each in plan.steps if not isinstance(each, _CLUSTER_STEPS)), None)
            if step is None:
                continue
            held_until = zone.setbacks.held_until(party.credential, self._circumstances(party))
            if held_until is not None:
                wakes.append(held_until)
            elif zone.last is not None and zone.last[0] == step and zone.last[1] is zone.known:
                # It changed nothing (a read that was older than what is known): later, not at once again.
                zone.last = None
                wakes.append(self.situation.clock.now() + self.timing.poll)
            elif await self._call(zone_id, zone, party, step):
                return None
        return wakes

    async def _call(self, zone_id: str, zone: _Zone, party: Party, step: CloudflareStep) -> bool:
        """False when there is no token to call with."""
        client = self.credentials.client(party.credential) if party.credential else None
        if client is None:
            return False
        clock = self.situation.clock
        calls = ZoneCalls(client, zone_id, self.installation, clock, self.timing.window)
        try:
            zone.known = await calls.perform(step, zone.known)
        except CloudflareError as error:
            zone.known = _after_failure(zone.known, step, clock.now())
            zone.setbacks.note(party.credential, error, self._circumstances(party))
            _LOG.warning("a call for a zone failed", extra={"zone": zone_id, "error": str(error)})
        else:
            zone.last = (step, zone.known)
            if isinstance(step, WriteList | WriteRule | DeleteRule):
                # A read that goes well says nothing about a write that did not.
                zone.setbacks.clear(party.credential)
        return True

    def _circumstances(self, party: Party) -> object:
        """What a new try would rest on."""
        wants = tuple((stake.binding, stake.deleting, stake.wants) for stake in party.desired.stakes)
        return wants, self.credentials.token(party.credential) if party.credential else None

    def _lack_of_token(self, party: Party, plan: ZonePlan) -> Verdict | None:
        needs_one = any(not isinstance(step, (*_CLUSTER_STEPS, Conclude)) for step in plan.steps)
        if not needs_one or (party.credential and self.credentials.token(party.credential)):
            return None
        return waiting(Reason.CREDENTIALS_MISSING, "there is no API token to work on the zone with.")


def _left_behind(record: BindingRecord) -> str:
    listed = "; ".join(f"{each.certificate_id}: {', '.join(each.hostnames)}" for each in record.status.managed)
    return f"zone {record.status.zone_id}: associations, claims and rules of {listed or 'no hostname'}"


def _after_failure(known: ZoneKnowledge, step: CloudflareStep, now: float) -> ZoneKnowledge:
    """A write that failed may have been carried out: what it was about has to be read again."""
    if isinstance(step, WriteRule | DeleteRule):
        return known.with_rules_unknown(now)
    if isinstance(step, WriteList):
        return known.with_list_write_lost(step.certificate)
    return known
