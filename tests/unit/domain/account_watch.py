"""Judges what a simulated account's statuses narrow: a previous CA goes only after its overlap.

It shares no code with the planner: it looks at sources, at what bindings name and at what the account holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.certificates import uploaded_bundle
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import ResourceKey

if TYPE_CHECKING:
    from tests.unit.domain.account_world import AccountWorld


@cache
def fingerprints_of(pem: str) -> frozenset[str]:
    """The certificates in an object."""
    bundle = uploaded_bundle(pem)
    return bundle.fingerprints if bundle else frozenset()


@dataclass
class AccountWatch:
    """Looks at the world after everything that happens in it."""

    world: AccountWorld
    _left: dict[tuple[ResourceKey, str], float | None] = field(default_factory=dict)
    """For each CA and each certificate that left its source: since when the source was in force without it, everywhere
    that the CA is bound; None: not yet."""
    _accepted: dict[ResourceKey, frozenset[tuple[CertificateId, str]]] = field(default_factory=dict)
    """What clients of the binding of a CA were accepted by: objects and the certificates in them."""
    _ever: dict[CertificateId, frozenset[str]] = field(default_factory=dict)
    """What was in each object, also where somebody has deleted it by hand: what is not noticed is nobody's fault."""

    def look(self) -> None:
        """Note what has become true by now, and judge what bindings have lost."""
        for key, demand in self.world.demands.items():
            if demand.bundle is not None:
                self._note_overlaps(key, demand, demand.bundle.fingerprints)
            self._judge_loss(key, demand)

    def before(self, after: Demand) -> None:
        """Judge a status that is about to be written: hostnames follow it."""
        before, held = self.world.demands[after.authority], self._held()
        if before.certificate_id == after.certificate_id or before.certificate_id not in held:
            return
        beside = frozenset[str]().union(*(held.get(each, frozenset()) for each in after.standing.objects))
        anywhere = frozenset[str]().union(*held.values())
        narrowed = (before.standing.in_force - after.standing.in_force - beside) & anywhere
        self._judge(after.authority, before, narrowed)

    def _note_overlaps(self, key: ResourceKey, demand: Demand, source: frozenset[str]) -> None:
        for fingerprint in demand.standing.in_force - source:
            self._left.setdefault((key, fingerprint), None)
        rotation = demand.standing.rotation
        if rotation is None or rotation.target == source:
            # Until the operator has noticed that the source holds a CA again, hostnames may still lose it.
            for fingerprint in source:
                self._left.pop((key, fingerprint), None)
        if self._is_in_force_everywhere(demand, source):
            for (whose, fingerprint), since in list(self._left.items()):
                if whose == key and since is None:
                    self._left[whose, fingerprint] = self.world.now

    def _judge_loss(self, key: ResourceKey, demand: Demand) -> None:
        held, binding = self._held(), self.world.bindings.get(key)
        if binding is None or not binding.wanted:
            self._accepted.pop(key, None)
            return
        in_force = [each for each, at in binding.names.items() if at <= self.world.now]
        self._ever |= held
        accepted = frozenset((each, name) for each in in_force for name in self._ever.get(each, frozenset()))
        before = self._accepted.get(key, frozenset())
        lost = {name for each, name in before if each in held} - {name for _, name in accepted}
        self._judge(key, demand, frozenset(lost))
        self._accepted[key] = accepted

    def _judge(self, key: ResourceKey, demand: Demand, lost: frozenset[str]) -> None:
        for fingerprint in lost:
            since = self._left.get((key, fingerprint))
            if since is None or self.world.now < since + demand.overlap:
                message = f"{self.world.now:.1f}: {key} narrows by {fingerprint[:8]}, in force since {since}"
                self.world.violations.append(message)

    def _is_in_force_everywhere(self, demand: Demand, source: frozenset[str]) -> bool:
        self._ever |= self._held()
        held, binding = self._ever, self.world.bindings.get(demand.authority)
        if demand.certificate_id is None or not source <= held.get(demand.certificate_id, frozenset()):
            return False
        in_force = [each for each, at in binding.names.items() if at <= self.world.now] if binding else []
        return not in_force or any(source <= held.get(each, frozenset()) for each in in_force)

    def _held(self) -> dict[CertificateId, frozenset[str]]:
        return {each.id: fingerprints_of(each.pem) for each in self.world.account.now}
