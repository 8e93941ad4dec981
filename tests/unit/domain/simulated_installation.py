"""An installation of the operator: bindings in its cluster, and a process that carries out the planner's steps.

As the engine does it: the first step is carried out, then the plan is made again; without a step it sleeps until
`wake_at` or until a binding changes. A death loses everything but what the cluster holds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mtls_operator.cloudflare.errors import QuotaExceeded
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import CertificateId, Ruleset
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.revoked import ZoneRevocation
from mtls_operator.domain.stakes import stakes_of
from mtls_operator.domain.zone_knowledge import Place, ZoneKnowledge, nothing_known
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_plan import ZonePlan, plan_zone
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_stakes import Desired, Stake, Target, desired_of
from mtls_operator.domain.zone_steps import (
    Conclude,
    DeleteRule,
    NoteReplacement,
    ReadList,
    ReadRules,
    RecordManaged,
    WriteList,
    WriteRule,
    ZoneStep,
)
from mtls_operator.engine.zone_failures import after_failure, is_no_failure
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_zone import FullError, RefusedError, SimulatedZone
from tests.unit.domain.virtual_time import Body, Process, Sleep, VirtualTime, Wait

T = TypeVar("T")
_PAUSE_AFTER_FAILURE = 60.0
COVERED = frozenset({HostStage.ENFORCED, HostStage.MOVING})
SETTLED = COVERED | {HostStage.ASSOCIATED}


class LostError(Exception):
    """No answer came: the request may have had its effect, or not."""


@dataclass
class Cluster:
    """The bindings of one cluster, and the stakes that follow from them."""

    installation: Installation
    changed: Callable[[], None] = lambda: None
    bindings: dict[ResourceKey, Binding] = field(default_factory=dict)
    stakes: tuple[Stake, ...] = ()
    predecessors: frozenset[Installation] = frozenset()
    issuers: frozenset[str] | None = None
    """Those of the cluster's CAs, where that is known."""
    revocation: ZoneRevocation = field(default_factory=ZoneRevocation)
    """What is revoked by any of them, and how many rules there may be about it."""
    identifiers: Mapping[str, str] = field(default_factory=dict)
    """Those of the CAs in the account, by their fingerprints as claims tell them."""
    ever_managed: set[Place] = field(default_factory=set)
    left_in_force: set[Place] = field(default_factory=set)
    """What retained bindings have let go of."""

    def put(self, binding: Binding) -> None:
        """Create or change a binding; one that is deleted and that no finalizer holds vanishes."""
        before = self.bindings.get(binding.key)
        if before is not None and before.deleting:
            # One binding that retains is enough for all that is in force for a hostname.
            retained = self.retained() - self.wanted().keys()
            self.left_in_force |= {
                place for place in before.places() - binding.places() if before.retained or place[1] in retained
            }
        self.bindings[binding.key] = binding
        self.ever_managed |= binding.places()
        if binding.deleting and not binding.has_finalizer:
            del self.bindings[binding.key]
        self.stakes, _ = stakes_of([each.judged() for each in self.bindings.values()])
        self.changed()

    def report(self, plans: Sequence[ZonePlan]) -> None:
        """Write into the statuses which hostnames are enforced, where that can be told, and until when nothing may be
        removed."""
        until = next((plan.put_back_until for plan in plans), None)
        self.bindings = {key: replace(each, removals_from=until) for key, each in self.bindings.items()}
        for plan in plans:
            for key, stages in (plan.progress or {}).items():
                enforced = frozenset(name for name, each in stages.items() if each.stage in COVERED)
                settled = frozenset(name for name, each in stages.items() if each.stage in SETTLED)
                moving = frozenset(name for name, each in stages.items() if each.stage is HostStage.MOVING)
                if key in self.bindings:
                    self.bindings[key] = replace(self.bindings[key], enforced=enforced, settled=settled, moving=moving)
        self.stakes, _ = stakes_of([each.judged() for each in self.bindings.values()])

    def desired(self) -> list[Desired]:
        """What each party wants, while the others stand still."""
        parties = {stake.binding: self.bindings[stake.binding].party for stake in self.stakes}
        times = [each.removals_from for each in self.bindings.values() if each.removals_from is not None]
        return [
            desired_of(
                self.installation,
                own=[stake for stake in self.stakes if parties[stake.binding] == party],
                still=[stake for stake in self.stakes if parties[stake.binding] != party],
                predecessors=self.predecessors,
                removals_from=max(times, default=float("-inf")),
                issuers=self.issuers,
                revocation=self.revocation,
                identifiers=self.identifiers,
            )
            for party in sorted(set(parties.values()))
        ]

    def owns(self, hostname: str) -> bool:
        """Whether a binding that is held by our finalizer records the hostname."""
        return any(
            binding.has_finalizer and any(hostname in names for names in binding.managed.values())
            for binding in self.bindings.values()
        )

    def retained(self) -> set[str]:
        """Hostnames of bindings that are let go with everything in force."""
        return {name for stake in self.stakes if stake.retains for names in stake.managed.values() for name in names}

    def wanted(self) -> Mapping[str, Target]:
        """Hostnames that some binding wants, and where."""
        return {hostname: target for stake in self.stakes for hostname, target in stake.wants.items()}


@dataclass(frozen=True)
class Troubles:
    """How badly calls go."""

    slowest: float = 8.0
    lost: float = 0.0
    late: float = 0.0
    """How long after an answer was given up a request may still have its effect, in seconds."""
    deadly: float = 0.0


@dataclass
class Operator:
    """The process that reconciles one zone for one installation."""

    time: VirtualTime
    rng: random.Random
    zone: SimulatedZone
    cluster: Cluster
    timing: Timing
    troubles: Troubles
    before_step: Callable[[Operator, ZoneStep], None] = lambda _operator, _step: None
    peaceful: Callable[[], bool] = lambda: False
    known: ZoneKnowledge = field(default_factory=lambda: nothing_known(0.0))
    calls: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    """How often nothing was done for a while, because Cloudflare had no more rules."""

    def __post_init__(self) -> None:
        deadly = self.troubles.deadly
        self.process = Process(self.time, self.rng, self.run, lambda: 0.0 if self.peaceful() else deadly)

    def forget_rules(self) -> None:
        """Somebody asks for a fresh look."""
        self.known = replace(self.known, rules_must_be_read=True)
        self.process.wake()

    def look(self) -> None:
        """A look is due."""
        self.known = self.known.with_doubt(self.time.now)
        self.process.wake()

    def plans(self) -> list[ZonePlan]:
        """What is to be done now, for each party."""
        return [plan_zone(each, self.known, self.time.now, self.timing) for each in self.cluster.desired()]

    def run(self) -> Body:
        """Carry out first steps for ever; one that changed nothing is not repeated at once."""
        self.known = nothing_known(self.time.now)
        done: tuple[ZoneStep, ZoneKnowledge] | None = None
        while True:
            plans = self.plans()
            self.cluster.report(plans)
            wakes = [plan.wake_at for plan in plans if plan.wake_at is not None]
            steps = [plan.steps[0] for plan in plans if plan.steps]
            step = next((each for each in steps if done is None or done[0] != each or done[1] is not self.known), None)
            if step is None:
                done = None
                yield Sleep(min([*wakes, self.time.now + self.timing.poll] if steps else wakes, default=None))
                continue
            done = (step, self.known)
            self.before_step(self, step)
            self.calls[type(step).__name__] += 1
            yield from self._do(step)

    def _do(self, step: ZoneStep) -> Body:
        match step:
            case AddFinalizer() | RemoveFinalizer() | RecordManaged():
                yield from self._in_cluster(step)
            case ReadRules():
                yield from self._read_rules()
            case ReadList(certificate):
                yield from self._read_list(certificate)
            case WriteList(certificate, hostnames):
                yield from self._write_list(certificate, hostnames)
            case WriteRule(body, None, _) if self.known.rules is None or self.known.rules.value is None:
                yield from self._write_rules(step, lambda: self.zone.create_ruleset(body))
            case WriteRule(body, None, before):
                yield from self._write_rules(step, lambda: self.zone.create_rule(body, before))
            case WriteRule(body, str() as rule_id, before):
                yield from self._write_rules(step, lambda: self.zone.change_rule(rule_id, body, before))
            case DeleteRule(rule_id):
                yield from self._write_rules(step, lambda: self.zone.delete_rule(rule_id))
            case NoteReplacement() | Conclude():
                self.known = self._remembering(step)

    def _remembering(self, step: NoteReplacement | Conclude) -> ZoneKnowledge:
        if isinstance(step, Conclude):
            return self.known.with_released(step.places)
        return self.known.with_replaced(self.time.now)

    def _in_cluster(self, step: AddFinalizer | RemoveFinalizer | RecordManaged) -> Body:
        if isinstance(step, RecordManaged):
            self.known = self.known.with_neglected(step.regained)
        key = step.binding if isinstance(step, RecordManaged) else step.resource

        def effect() -> None:
            binding = self.cluster.bindings.get(key)
            if binding is not None:
                self.cluster.put(binding.after(step))

        yield from self._call(effect, slowest=0.5, lost=0.0)

    def _read_rules(self) -> Body:
        begun = self.time.now
        try:
            ruleset = yield from self._call(self.zone.read_rules)
        except LostError:
            yield self.rng.uniform(1, 5)
            return
        self.known = self.known.with_rules_read(
            ruleset, begun=begun, now=self.time.now, us=self.cluster.installation, window=self.timing.window
        )

    def _read_list(self, certificate: CertificateId) -> Body:
        begun = self.time.now
        try:
            hostnames = yield from self._call(lambda: self.zone.read_list(certificate))
        except LostError:
            yield self.rng.uniform(1, 5)
            return
        except RefusedError:
            self.known = self.known.with_list_missing(certificate, self.time.now)
            return
        self.known = self.known.with_list_read(certificate, hostnames, begun)

    def _write_list(self, certificate: CertificateId, hostnames: frozenset[str]) -> Body:
        try:
            yield from self._call(lambda: self.zone.put_list(certificate, hostnames))
        except LostError:
            self.known = self.known.with_list_write_lost(certificate, self.time.now)
            yield self.rng.uniform(1, 5)
            return
        except RefusedError:
            self.known = self.known.with_list_missing(certificate, self.time.now)
            return
        self.known = self.known.with_list_written(certificate, hostnames, self.time.now)

    def _write_rules(self, step: WriteRule | DeleteRule, effect: Callable[[], Ruleset]) -> Body:
        begun = self.time.now
        try:
            ruleset = yield from self._call(effect)
        except FullError:
            error, before = QuotaExceeded("POST rules", "no place for one more", status=400), self.known
            us = self.cluster.installation
            self.known = after_failure(before, step, error, self.time.now, us=us, timing=self.timing)
            if not is_no_failure(before, self.known, step, error):
                self.failures += 1
                yield _PAUSE_AFTER_FAILURE
            return
        except (LostError, RefusedError):
            self.known = self.known.with_rules_unknown(self.time.now + self.timing.late_write)
            yield self.rng.uniform(1, 5)
            return
        self.known = self.known.with_rules_written(
            ruleset, begun=begun, now=self.time.now, us=self.cluster.installation
        )

    def _call(
        self, effect: Callable[[], T], *, slowest: float | None = None, lost: float | None = None
    ) -> Generator[Wait, None, T]:
        """A call that has its effect at some moment before its answer, also when nobody waits for it any more."""
        seconds = self._latency(self.troubles.slowest if slowest is None else slowest)
        box: list[T | RefusedError] = []

        def happen() -> None:
            try:
                box.append(effect())
            except RefusedError as error:
                box.append(error)

        is_lost = not self.peaceful() and self.rng.random() < (self.troubles.lost if lost is None else lost)
        event = self.time.after(self.rng.uniform(0, seconds + (self.troubles.late if is_lost else 0.0)), happen)
        event.off = is_lost and self.rng.random() < 0.5
        answered = False
        try:
            yield seconds
            answered = True
        finally:
            # Dead before the answer: half of the requests had not left the machine yet.
            event.off = event.off or (not answered and self.rng.random() < 0.5)
        if is_lost:
            raise LostError
        if isinstance(box[0], RefusedError):
            raise box[0]
        return box[0]

    def _latency(self, slowest: float) -> float:
        return self.rng.uniform(min(0.05, slowest / 10), self.rng.choice([min(1.0, slowest), slowest]))
