"""Asks for hostnames from outside, again and again, for the bindings that want it (`spec.verification`).

Apart from reconciling: a check holds up nothing, writes nothing, and what it has found is told with the next status of
the binding. What is written at Cloudflare may take the settle time to reach every part of its edge, and a network may
fail for a moment. So the first check comes that long after a rule covers the hostnames, and what is bad is believed
when it is found twice, that long apart. What has changed while a check went on makes it worthless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.sources import SourceKey, Unreadable
from mtls_operator.domain.verdicts import Verdict
from mtls_operator.domain.verification import Caller, Refusal, interpret, judge
from mtls_operator.domain.verification_task import Task, said_before, task_of
from mtls_operator.engine.defects import PAUSE_AFTER_DEFECT_SECONDS, is_done
from mtls_operator.engine.situation import Situation
from mtls_operator.observability.metrics import Metrics
from mtls_operator.outside.identities import Identity, Imitated
from mtls_operator.outside.visits import Outside, Papers, Report

_LOG = logging.getLogger(__name__)
_AT_ONCE: Final = 4
"""Bindings that are checked at the same time."""
_COALESCE_SECONDS: Final = 1.0
_JITTER: Final = 0.1


@dataclass
class _State:
    """What this process knows of the check of one binding. `due`: when the next one begins."""

    generation: int
    due: float
    asked_for: str | None
    """The fresh look that was asked for last."""
    found: Verdict | None = None
    suspects: bool = False
    """The last check found something bad, which is not believed yet."""
    running: bool = False


@dataclass(repr=False)
class OutsideChecks:
    """Checks from outside. `settle`: seconds that the edge may take to do what was written. `on_news` is told of a
    binding of which something else has to be said now."""

    situation: Situation
    outside: Outside
    settle: float
    metrics: Metrics
    on_news: Callable[[ResourceKey], None]
    _states: dict[ResourceKey, _State] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def found(self, record: BindingRecord) -> Verdict | None:
        """What was found of a binding under its present spec; None when nothing was."""
        state = self._states.get(record.key)
        return state.found if state and state.generation == record.metadata.generation else None

    def look_at(self, record: BindingRecord) -> None:
        """A binding has changed."""
        if record.key in self._states or task_of(record) is not None:
            self._changed.set()

    def look_at_source(self, source: SourceKey) -> None:
        """A Secret has changed: who comes with it is asked to come again."""
        for key, state in self._states.items():
            record = self.situation.bindings.get(key)
            task = task_of(record) if record else None
            if task is not None and task.client == source:
                state.due = self.situation.clock.now()
                self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as checks:
            while True:
                self._changed.clear()
                tasks = self._tasks()
                for key in [each for each, task in tasks.items() if self._is_due(each, task)]:
                    self._states[key].running = True
                    check = checks.create_task(self._begin(key, tasks[key]))
                    # Not in the check: a defect of the loop cancels it, perhaps before it has begun.
                    check.add_done_callback(partial(self._ended, self._states[key]))
                await self._sleep()

    def _tasks(self) -> Mapping[ResourceKey, Task]:
        """What is to be checked now or later; of everything else nothing is remembered."""
        found = {record.key: (record, task) for record in self.situation.bindings if (task := task_of(record))}
        for key in [each for each, state in self._states.items() if each not in found and not state.running]:
            del self._states[key]
        for key, (record, _) in found.items():
            self._note(key, record)
        return {key: task for key, (_, task) in found.items()}

    def _note(self, key: ResourceKey, record: BindingRecord) -> None:
        state, generation = self._states.get(key), record.metadata.generation
        requested = record.metadata.reconcile_requested_at
        if state is None or (state.generation != generation and not state.running):
            self._states[key] = _State(generation, self._first(record), requested)
        elif state.asked_for != requested:
            state.asked_for, state.due = requested, self.situation.clock.now()

    def _first(self, record: BindingRecord) -> float:
        """When the first check of a spec is made. Where a process before this one has found something, checks go on
        from anywhere in their interval, so that not all come at once."""
        clock, task = self.situation.clock, task_of(record)
        interval = task.interval if task else 0.0
        if record.key not in self._states and said_before(record) is not None:
            return clock.now() + clock.chance.uniform(0.0, interval)
        return clock.now() + min(self.settle, interval)

    def _is_due(self, key: ResourceKey, task: Task) -> bool:
        state = self._states[key]
        is_read = task.client is None or task.client in self.situation.contents
        return is_read and not state.running and state.due <= self.situation.clock.now()

    async def _sleep(self) -> None:
        waiting = [state.due for state in self._states.values() if not state.running]
        pause = max(_COALESCE_SECONDS, min(waiting) - self.situation.clock.now()) if waiting else None
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
                await asyncio.sleep(_COALESCE_SECONDS)
        except TimeoutError:
            return

    async def _begin(self, key: ResourceKey, task: Task) -> None:
        state = self._states[key]
        if not await is_done(self._check(key, task), "a check from outside", binding=str(key)):
            state.due = self.situation.clock.now() + PAUSE_AFTER_DEFECT_SECONDS

    def _ended(self, state: _State, _check: asyncio.Task[None]) -> None:
        state.running = False
        self._changed.set()

    async def _check(self, key: ResourceKey, task: Task) -> None:
        state = self._states[key]
        async with self._slots:
            papers, missing = self._papers(key, task)
            report = await self.outside.visit(task.hostnames, task.path, papers)
        record = self.situation.bindings.get(key)
        if record is not None and _still_holds(state, task, record):
            self._conclude(record, state, task, self._judge(record, task, report, missing))

    def _papers(self, key: ResourceKey, task: Task) -> tuple[Papers, str | None]:
        """What clients come with, and why no good one comes though one was asked for."""
        record = self.situation.bindings.get(key)
        authority = self.situation.authority_for(record) if record else None
        imitated = Imitated()
        if authority is not None:
            imitated = Imitated(authority.status.subject, next(iter(authority.status.key_identifiers), None))
        good = self._good_client(task)
        return Papers(imitated, good if isinstance(good, Identity) else None), good if isinstance(good, str) else None

    def _good_client(self, task: Task) -> Identity | str | None:
        if task.client is None:
            return None
        data = self.situation.contents.get(task.client)
        if data is None:
            return f"{task.client} does not exist"
        if isinstance(data, Unreadable):
            return f"{task.client} cannot be read: {data.why}"
        lacking = [key for key in ("tls.crt", "tls.key") if key not in data]
        if lacking:
            return f"{task.client} lacks {' and '.join(lacking)}"
        return Identity(data["tls.crt"], data["tls.key"])

    def _judge(self, record: BindingRecord, task: Task, report: Report, missing: str | None) -> Verdict:
        zone = self.situation.zone_of(record)
        on_hostnames = self.situation.refusals.get(zone.id, {}) if zone else {}
        none = frozenset[Refusal]()
        findings = [
            interpret(question, answer, on_hostnames.get(question.hostname, none) | {task.refusal})
            for question, answer in report.answers
        ]
        unusable = report.left_out.get(Caller.GOOD)
        reasons = [missing] if missing else [f"{task.client}: {unusable}"] if unusable else []
        return judge(findings, [f"{Caller.GOOD.value}, because {each}" for each in reasons])

    def _conclude(self, record: BindingRecord, state: _State, task: Task, verdict: Verdict) -> None:
        clock = self.situation.clock
        self.metrics.verified(verdict.reason)
        is_well = verdict.reason is Reason.VERIFIED
        is_believed = is_well or state.suspects or self._is_known(record, state, verdict)
        state.suspects = not is_well and not is_believed
        pause = task.interval * clock.chance.uniform(1 - _JITTER, 1 + _JITTER)
        state.due = clock.now() + (pause if is_believed else min(self.settle, pause))
        _LOG.log(
            logging.INFO if is_well else logging.WARNING,
            "checked from outside",
            extra={"binding": str(record.key), "result": verdict.reason.value, "believed": is_believed},
        )
        if is_believed:
            before, state.found = state.found, verdict
            if verdict != (before or said_before(record)):
                self.on_news(record.key)

    def _is_known(self, record: BindingRecord, state: _State, verdict: Verdict) -> bool:
        """Whether this is what is said already, perhaps of other hostnames."""
        said = state.found or said_before(record)
        return said is not None and said.reason is verdict.reason


def _still_holds(state: _State, task: Task, record: BindingRecord) -> bool:
    """Whether what was asked is still what is to be asked: a hostname that is given up meanwhile is open, rightly."""
    now = task_of(record)
    is_same = now is not None and state.generation == record.metadata.generation
    return is_same and now is not None and set(task.hostnames) <= set(now.hostnames)
