"""Whether another cluster uses our ownerId in an account: nothing is written there while it does.

Names of certificates tell an ownerId and not a cluster, so only the rules of a zone show it, and only zones in which
this cluster has bindings are read. Until this process has read a zone, the statuses of its bindings count: a zone that
showed nobody when it was read last halts nothing, however long it cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.handling import is_suspended
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import Ruleset, Zone
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.verdicts import Verdict, blocked
from mtls_operator.domain.zone_succession import impostor
from mtls_operator.domain.zone_view import view_of
from mtls_operator.engine.situation import Situation


@dataclass(repr=False)
class Rivalries:
    """Other clusters that use our ownerId, by zone. `predecessors`: installations that are gone, and are none."""

    situation: Situation
    installation: Installation
    predecessors: frozenset[Installation]
    window: float
    _read: dict[str, Installation | None] = field(default_factory=dict)
    """What this process has seen in a zone itself."""
    _missing: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When Cloudflare first and last said that there is no such zone, with no other answer in between."""

    def note_rules(self, zone_id: str, rules: Ruleset | None) -> None:
        """Learn from a reading of a zone's rules."""
        self._missing.pop(zone_id, None)
        self._read[zone_id] = impostor(view_of(rules, self.installation), self.installation, self.predecessors)

    def note_no_zone(self, zone_id: str) -> None:
        """Learn that Cloudflare has no such zone: if that lasts, nobody has rules there."""
        now = self.situation.clock.now()
        first, _ = self._missing.get(zone_id, (now, now))
        self._missing[zone_id] = first, now
        if now - first >= self.window:
            self._read[zone_id] = None

    def verdict_on(self, account_id: str) -> Verdict | None:
        """What to say of the CAs of an account where there is another cluster; None elsewhere."""
        rivals = {**self._recorded(), **self._read}
        if not any(rivals.values()):
            return None
        for zone in self._zones_of(account_id):
            if (rival := rivals.get(zone.id)) is not None:
                return blocked(
                    Reason.MANAGEMENT_CONFLICT,
                    f"another cluster ({rival.cluster}) has rules in zone {zone.name or zone.id} under our ownerId"
                    f" {rival.owner}, as these were last read: nothing is written in the account. Give one of the two"
                    " installations another ownerId, or, if the other is gone, name it in takeover of the operator's"
                    " chart.",
                )
        return None

    def _recorded(self) -> Mapping[str, Installation]:
        """By zone, what the statuses of its bindings say. It may be older than our ownerId and our predecessors."""
        told = [(each.status.zone_id, each.status.rival) for each in self.situation.bindings if each.status.rival]
        found = {zone: Installation(rival.owner_id, rival.cluster_uid) for zone, rival in told if zone and rival}
        return {
            zone: rival
            for zone, rival in found.items()
            if rival.owner == self.installation.owner and rival not in self.predecessors
        }

    def _zones_of(self, account_id: str) -> list[Zone]:
        """The zones of an account that are read again and again, so that it is seen when the other cluster has gone."""
        found = [(each, self.situation.zone_of(each)) for each in self.situation.bindings]
        here = [(each, zone) for each, zone in found if zone is not None and zone.account_id == account_id]
        return sorted({zone for each, zone in here if self._is_looked_after(each)}, key=lambda zone: zone.id)

    def _is_looked_after(self, binding: BindingRecord) -> bool:
        is_coming = self.situation.assess(binding).target is not None and not is_suspended(binding.spec)
        return bool(binding.status.managed) or is_coming
