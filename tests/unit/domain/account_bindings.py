"""Bindings of a simulated cluster, as far as its CAs see them: which objects they name in their statuses.

A binding follows its CA after a while: it names the current object, and some time later no other, unless the earlier
ones go on side by side.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from math import inf

from mtls_operator.api.certificate_authority import RotationPhase
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.observed import CertificateId


@dataclass
class SimulatedBinding:
    """What one binding has recorded, and until when it is busy with the next thing."""

    rng: random.Random
    wanted: bool = True
    names: dict[CertificateId, float] = field(default_factory=dict)
    """The objects that it names, and when each is in force for it."""
    _next: tuple[object, float] | None = None

    def act(self, demand: Demand | None, now: float) -> None:
        """Do what is due."""
        goal = self._goal(demand, now)
        if goal == frozenset(self.names):
            self._next = None
        elif self._next is None or self._next[0] != goal:
            self._next = (goal, now + self.rng.uniform(1, self.rng.choice([20, 300])))
        elif now >= self._next[1]:
            self.names = {each: self.names.get(each, now + self.rng.uniform(0, 200)) for each in sorted(goal)}
            self._next = None
            self.act(demand, now)

    def due(self, now: float) -> float:
        """When something of it is different without anybody's doing."""
        moments = [at for at in self.names.values() if at > now] + ([self._next[1]] if self._next else [])
        return min(moments, default=inf)

    def is_behind(self, demand: Demand, now: float) -> bool:
        """Whether the current object of its CA is not in force for it yet."""
        earlier, beside = self.names.keys() - {demand.certificate_id}, _beside(demand)
        if not earlier <= beside or not earlier:
            return bool(earlier)
        return now < next((at for each, at in self.names.items() if each == demand.certificate_id), inf)

    def _goal(self, demand: Demand | None, now: float) -> frozenset[CertificateId]:
        """One thing after the other: first the current object, and only when that is in force no other."""
        if not self.wanted or demand is None:
            return frozenset()
        current = demand.certificate_id
        if current is None:
            return frozenset(self.names)
        if current not in self.names or now < self.names[current]:
            return frozenset(self.names) | {current}
        return frozenset({current}) | (frozenset(self.names) & _beside(demand))


def _beside(demand: Demand) -> frozenset[CertificateId]:
    """Where hostnames stay: on earlier objects with CAs that the current one lacks, until they are withdrawn."""
    standing = demand.standing
    if standing.rotation is not None and standing.rotation.phase is RotationPhase.NARROWING:
        return frozenset()
    return frozenset(
        each.certificate_id
        for each in standing.retiring
        if each.certificate_id is not None and each.fingerprints - standing.in_force
    )
