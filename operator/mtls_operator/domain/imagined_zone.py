"""A zone in which nothing but our own steps happens: what `plan_zone` would do there, to the end.

A plan is its next step (docs/adr/0001), so what would follow is found out by taking each step in the mind: on what is
known, as if it had been known for long, with time passing where a step waits for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from mtls_operator.domain.observed import CertificateId, Rule, Ruleset
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.zone_knowledge import Reading, ZoneKnowledge
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_plan import plan_zone
from mtls_operator.domain.zone_stakes import Desired, Stake
from mtls_operator.domain.zone_steps import (
    Conclude,
    DeleteRule,
    Managed,
    NoteReplacement,
    ReadList,
    ReadRules,
    RecordManaged,
    WriteList,
    WriteRule,
    ZoneStep,
)

_LONG_AGO = -1e9
_STEPS = 1000
"""More than any zone needs; a plan that does not come to an end is cut off."""

Scene = tuple[ZoneStep, Ruleset | None, frozenset[str]]
"""A step, the rules before it, and the list that it is about before it."""


@dataclass
class _Imagined:
    desired: Desired
    known: ZoneKnowledge
    timing: Timing
    now: float = 0.0
    made: int = 0

    @property
    def rules(self) -> Ruleset | None:
        return self.known.rules.value if self.known.rules else None

    def list_of(self, certificate: CertificateId) -> frozenset[str]:
        reading = self.known.lists.get(certificate)
        return reading.value if reading else frozenset()

    def take(self, step: ZoneStep) -> None:
        us, window = self.desired.installation, self.timing.window
        match step:
            case AddFinalizer(binding) | RemoveFinalizer(binding):
                self._change(binding, held=isinstance(step, AddFinalizer))
            case RecordManaged(binding, managed):
                self._change(binding, managed=managed)
            case ReadRules():
                self.known = self.known.with_rules_read(self.rules, begun=self.now, now=self.now, us=us, window=window)
            case ReadList(certificate):
                self.known = self.known.with_list_read(certificate, self.list_of(certificate), self.now)
            case WriteList(certificate, hostnames):
                written = self.known.with_list_written(certificate, hostnames, self.now)
                self.known = written.with_list_read(certificate, hostnames, self.now)
            case WriteRule() | DeleteRule():
                self.known = self.known.with_rules_written(self._edited(step), begun=self.now, now=self.now, us=us)
            case NoteReplacement():
                self.known = self.known.with_replaced(self.now)
            case Conclude(places):
                self.known = self.known.with_released(places)
            case _:
                assert_never(step)

    def _change(self, binding: ResourceKey, *, held: bool | None = None, managed: Managed | None = None) -> None:
        def changed(stake: Stake) -> Stake:
            if stake.binding != binding:
                return stake
            return replace(
                stake,
                has_finalizer=stake.has_finalizer if held is None else held,
                managed=stake.managed if managed is None else managed,
            )

        self.desired = replace(self.desired, stakes=tuple(changed(stake) for stake in self.desired.stakes))

    def _edited(self, step: WriteRule | DeleteRule) -> Ruleset:
        before = self.rules or Ruleset("imagined", 0, ())
        rules = before.rules
        if isinstance(step, DeleteRule):
            rules = tuple(rule for rule in rules if rule.id != step.rule_id)
        elif step.rule_id is not None:
            rules = tuple(replace(rule, body=step.body) if rule.id == step.rule_id else rule for rule in rules)
        else:
            self.made += 1
            at = next((index for index, rule in enumerate(rules) if rule.id == step.before), len(rules))
            rules = (*rules[:at], Rule(f"imagined-{self.made}", step.body), *rules[at:])
        return replace(before, version=before.version + 1, rules=rules)


def scenes(desired: Desired, known: ZoneKnowledge, timing: Timing, limit: int = _STEPS) -> Iterator[Scene]:
    """The steps that would be taken, in order, each with what it would find; no more than a limit."""
    imagined = _Imagined(desired, long_known(desired, known, timing), timing)
    for _ in range(limit):
        plan = plan_zone(imagined.desired, imagined.known, imagined.now, timing)
        if plan.steps:
            step = plan.steps[0]
            listed = imagined.list_of(step.certificate) if isinstance(step, WriteList) else frozenset[str]()
            yield step, imagined.rules, listed
            imagined.take(step)
        elif plan.wake_at is None or plan.wake_at <= imagined.now:
            return
        else:
            imagined.now = plan.wake_at


def long_known(desired: Desired, known: ZoneKnowledge, timing: Timing) -> ZoneKnowledge:
    """What is known, as if it had been known for long at moment 0."""
    lists = {certificate: Reading(reading.value, 0.0) for certificate, reading in known.lists.items()}
    return ZoneKnowledge(started=_LONG_AGO, lists=lists).with_rules_read(
        known.rules.value if known.rules else None,
        begun=0.0,
        now=0.0,
        us=desired.installation,
        window=timing.window,
    )
