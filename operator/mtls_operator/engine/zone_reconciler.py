"""Brings one zone from where it is to where it should be, a step at a time.

    judge the bindings -> stakes -> plan -> report -> do the first step -> again

The situation is judged anew before each step, because a resource may have changed while the last one was done.
What is known of the zone lives here, in memory; what must survive a crash is in statuses and at Cloudflare.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtls_operator.api.host_binding import ManagedRule
from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import CloudflareError
from mtls_operator.cluster.errors import ClusterError
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import BindingView, binding_status, with_managed
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import Ruleset
from mtls_operator.domain.records import AddFinalizer, BindingRecord, RemoveFinalizer, ResourceKey
from mtls_operator.domain.stakes import Conflicts, stakes_of
from mtls_operator.domain.verdicts import Verdict, waiting
from mtls_operator.domain.zone_knowledge import ZoneKnowledge, nothing_known
from mtls_operator.domain.zone_places import Desired, Timing
from mtls_operator.domain.zone_plan import HostProgress, ZonePlan, plan_zone
from mtls_operator.domain.zone_steps import DeleteRule, RecordManaged, WriteList, WriteRule, ZoneStep
from mtls_operator.domain.zone_view import view_of
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.resource_writer import ResourceWriter, is_waived
from mtls_operator.engine.situation import Situation, sources_of_authority, sources_of_binding
from mtls_operator.engine.troubles import pause_after, trouble_of
from mtls_operator.engine.zone_calls import CloudflareStep, ZoneCalls

_LOG = logging.getLogger(__name__)


@dataclass
class _Zone:
    """What this process remembers of a zone."""

    known: ZoneKnowledge
    trouble: Verdict | None = None
    failures: int = 0


@dataclass(frozen=True)
class _Judged:
    """The bindings of a zone at one moment."""

    bindings: Sequence[tuple[BindingRecord, BindingAssessment]]
    desired: Desired
    conflicts: Conflicts

    def record(self, key: ResourceKey) -> BindingRecord:
        return next(record for record, _ in self.bindings if record.key == key)


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
        zone = self._zones.setdefault(zone_id, _Zone(nothing_known(self.started)))
        try:
            return await self._work(zone_id, zone)
        except CloudflareError as error:
            zone.failures += 1
            zone.trouble = trouble_of(error, zone.failures)
            _LOG.warning("a call for a zone failed", extra={"zone": zone_id, "error": str(error)})
            await self._report_trouble(zone_id, zone)
            return pause_after(error, zone.failures)
        except ClusterError as error:
            zone.failures += 1
            _LOG.info("a write to the cluster failed", extra={"zone": zone_id, "error": str(error)})
            return pause_after(error, zone.failures)

    def forget_rules(self, zone_id: str) -> None:
        """Somebody asks for a fresh look: the rules are read again before anything is decided."""
        if zone := self._zones.get(zone_id):
            zone.known = replace(zone.known, rules_must_be_read=True)

    async def _work(self, zone_id: str, zone: _Zone) -> float | None:
        done: tuple[ZoneStep, ZoneKnowledge] | None = None
        while True:
            judged = self._judge(zone_id)
            if waived := [record for record, _ in judged.bindings if is_waived(record)]:
                await self.writer.abandon(waived[0], _left_behind(waived[0]))
                continue
            now = self.situation.clock.now()
            plan = plan_zone(judged.desired, zone.known, now, self.timing)
            if not plan.steps:
                zone.trouble, zone.failures = None, 0
            if await self._report(zone, judged, plan):
                continue
            if not plan.steps:
                return None if plan.wake_at is None else max(0.0, plan.wake_at - self.situation.clock.now())
            step = plan.steps[0]
            if done is not None and done[0] == step and done[1] is zone.known:
                # It changed nothing (a read that was older than what is known, above all): later, not at once again.
                return self.timing.poll
            done = (step, zone.known)
            if isinstance(step, AddFinalizer | RemoveFinalizer | RecordManaged):
                await self._write_all(judged, plan)
            elif client := self._client(judged):
                await self._call(client, zone_id, zone, step)
            else:
                zone.trouble = waiting(Reason.CREDENTIALS_MISSING, "there is no API token to work on the zone with.")
                await self._report(zone, judged, plan)
                return None

    def _judge(self, zone_id: str) -> _Judged:
        bindings = [(each, self.situation.assess(each)) for each in self.situation.bindings_in(zone_id)]
        stakes, conflicts = stakes_of(bindings)
        return _Judged(bindings, Desired(self.installation, stakes), conflicts)

    async def _write_all(self, judged: _Judged, plan: ZonePlan) -> None:
        """The first steps of one type, each about another binding: a thousand bindings that come together are not
        planned for one by one."""
        for step in plan.steps:
            if not isinstance(step, type(plan.steps[0])):
                return
            if isinstance(step, AddFinalizer | RemoveFinalizer | RecordManaged):
                await self._write(judged, step)

    async def _write(self, judged: _Judged, step: AddFinalizer | RemoveFinalizer | RecordManaged) -> None:
        if isinstance(step, RecordManaged):
            await self._record(judged.record(step.binding), step)
            return
        record = judged.record(step.resource)
        await (self.writer.add_finalizer(record) if isinstance(step, AddFinalizer) else self._release(record))

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

    async def _release(self, record: BindingRecord) -> None:
        await self.writer.remove_finalizer(record)
        _LOG.info("binding released", extra={"binding": str(record.key)})

    async def _call(self, client: CloudflareClient, zone_id: str, zone: _Zone, step: CloudflareStep) -> None:
        clock = self.situation.clock
        calls = ZoneCalls(client, zone_id, self.installation, clock, self.timing.window)
        try:
            zone.known = await calls.perform(step, zone.known)
        except CloudflareError:
            zone.known = _after_failure(zone.known, step, clock.now())
            raise
        zone.failures, zone.trouble = 0, None

    def _client(self, judged: _Judged) -> CloudflareClient | None:
        """A token to work with: that of a binding that may act, else of one that has something to give up."""
        acting = [each for record, each in judged.bindings if each.target is not None or record.status.managed]
        candidates = sorted(acting, key=lambda each: each.target is None)
        clients = (self.credentials.client(each.credential) for each in candidates if each.credential)
        return next((client for client in clients if client is not None), None)

    async def _report_trouble(self, zone_id: str, zone: _Zone) -> None:
        judged = self._judge(zone_id)
        plan = plan_zone(judged.desired, zone.known, self.situation.clock.now(), self.timing)
        try:
            await self._report(zone, judged, plan)
        except ClusterError as error:
            _LOG.info("a status was not written", extra={"zone": zone_id, "error": str(error)})

    async def _report(self, zone: _Zone, judged: _Judged, plan: ZonePlan) -> bool:
        """Write what has become of each binding into its status, where that says anything new. True if it did:
        what was judged is out of date then."""
        known_rules = zone.known.rules.value if zone.known.rules else None
        written = False
        for record, assessment in judged.bindings:
            if self._has_nothing_to_say(record):
                continue
            authority = self.situation.authority_for(record)
            view = BindingView(
                assessment=assessment,
                progress=_progress(plan, zone.known, record),
                lost=judged.conflicts.get(record.key, {}),
                rules=_rules_of(record, known_rules, self.installation),
                zone=self.situation.zone_of(record) if assessment.resolved.is_ok else None,
                trouble=zone.trouble,
                not_after=authority.status.not_after if authority else None,
            )
            status = binding_status(record, view, self.situation.clock.moment())
            written = await self.writer.write_status(record, status) or written
        return written

    def _has_nothing_to_say(self, record: BindingRecord) -> bool:
        """It is about to go, or something is still being read and anything said would be taken back a moment later."""
        authority = self.situation.authority_for(record)
        sources = sources_of_binding(record) | (sources_of_authority(authority) if authority else frozenset())
        gone = record.deleting and not (record.metadata.has_finalizer and record.status.managed)
        return gone or self.situation.is_loading(sources)


def _left_behind(record: BindingRecord) -> str:
    listed = "; ".join(f"{each.certificate_id}: {', '.join(each.hostnames)}" for each in record.status.managed)
    return f"zone {record.status.zone_id}: associations, claims and rules of {listed or 'no hostname'}"


def _progress(plan: ZonePlan, known: ZoneKnowledge, record: BindingRecord) -> Mapping[str, HostProgress] | None:
    """Where the hostnames stand; None while the rules have not been read, so that it cannot be told."""
    if record.key in plan.progress:
        return plan.progress[record.key]
    return None if known.rules is None and record.status.managed else {}


def _rules_of(record: BindingRecord, ruleset: Ruleset | None, us: Installation) -> tuple[ManagedRule, ...] | None:
    """The enforcement rules of ours that cover hostnames of the binding; None while the rules are not known."""
    if ruleset is None:
        return None
    mine = {hostname for each in record.status.managed for hostname in each.hostnames}
    covering = {group.rule_id for group in view_of(ruleset, us).enforcement if group.hostnames & mine}
    return tuple(ManagedRule(id=rule.id, ref=rule.body.ref) for rule in ruleset.rules if rule.id in covering)


def _after_failure(known: ZoneKnowledge, step: CloudflareStep, now: float) -> ZoneKnowledge:
    """A write that failed may have been carried out: what it was about has to be read again."""
    if isinstance(step, WriteRule | DeleteRule):
        return known.with_rules_unknown(now)
    if isinstance(step, WriteList):
        return known.with_list_write_lost(step.certificate)
    return known
