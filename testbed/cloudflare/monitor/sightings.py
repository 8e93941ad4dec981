"""Since when things are as they are: what a reader with a consistency delay can be expected to know.

Cloudflare has no compare-and-swap and reads may be old, so an installation can only be blamed for what it had time to
see. Changes from outside the API are noticed at the next request. What was there before the first one has been there
for ever.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from testbed.cloudflare.monitor.marks import read_mark
from testbed.cloudflare.monitor.truth import ClaimedPlace, Place, claims_in, unreadable_names
from testbed.cloudflare.state import ListKey, Ruleset, State

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Sightings:
    """Times are Unix time in seconds, minus infinity for what was there from the beginning."""

    def __init__(self) -> None:
        self._last: State | None = None
        self._listed: dict[Place, float] = {}
        self._claims: dict[Place, dict[ClaimedPlace, float]] = {}
        self._released: dict[Place, float] = {}
        self._claimed_ever: set[Place] = set()
        self._unreadable: dict[tuple[str, str], float] = {}
        self._foreign_rules: dict[tuple[str, str], float] = {}
        self._rulesets: dict[str, float] = {}

    def note(self, state: State, now: float) -> None:
        """Take in a state. Parts that did not change are the same objects and cost nothing."""
        last, since = self._last or State(), now if self._last is not None else -math.inf
        for key in _changed(last.lists, state.lists):
            self._note_list(key, last.lists.get(key, frozenset()), state.lists.get(key, frozenset()), since)
        for zone_id in _changed(last.rulesets, state.rulesets):
            self._note_ruleset(zone_id, last.rulesets.get(zone_id), state.rulesets.get(zone_id), since)
        self._last = state

    def listed_since(self, place: Place) -> float:
        """Since when a hostname is on a list, infinity when it is not."""
        return self._listed.get(place, math.inf)

    def claims_on(self, place: Place) -> Mapping[ClaimedPlace, float]:
        """The claims on a place that stand, and since when each does."""
        return self._claims.get(place, {})

    def released_at(self, place: Place) -> float:
        """When the last claim `leaving` on a place was withdrawn, minus infinity when there was none."""
        return self._released.get(place, -math.inf)

    def was_ever_claimed(self, place: Place) -> bool:
        """Whether any marked claim ever named the place."""
        return place in self._claimed_ever

    def unreadable_since(self, zone_id: str, hostname: str) -> float:
        """Since when a mark that nobody can read protects a name, infinity when none does."""
        return self._unreadable.get((zone_id, hostname), math.inf)

    def foreign_since(self, zone_id: str, rule_id: str) -> float:
        """Since when a rule of somebody else stands in the zone, infinity when it does not."""
        return self._foreign_rules.get((zone_id, rule_id), math.inf)

    def ruleset_since(self, zone_id: str) -> float:
        """Since when the zone has its ruleset, infinity when it has none."""
        return self._rulesets.get(zone_id, math.inf)

    def _note_list(self, key: ListKey, old: frozenset[str], new: frozenset[str], since: float) -> None:
        for hostname in old - new:
            del self._listed[(*key, hostname)]
        for hostname in new - old:
            self._listed[(*key, hostname)] = since

    def _note_ruleset(self, zone_id: str, old: Ruleset | None, new: Ruleset | None, since: float) -> None:
        ended, begun = _difference(claims_in(zone_id, old), claims_in(zone_id, new))
        for claim in ended:
            del self._claims[claim.place][claim]
            if claim.state == "leaving":
                self._released[claim.place] = since
        for claim in begun:
            self._claims.setdefault(claim.place, {})[claim] = since
            self._claimed_ever.add(claim.place)
        _update(self._unreadable, zone_id, unreadable_names(old), unreadable_names(new), since)
        _update(self._foreign_rules, zone_id, _foreign(old), _foreign(new), since)
        if new is None:
            self._rulesets.pop(zone_id, None)
        else:
            self._rulesets.setdefault(zone_id, since)


def _changed(old: Mapping[Key, Value], new: Mapping[Key, Value]) -> list[Key]:
    return [key for key in {**old, **new} if old.get(key) is not new.get(key)]


def _foreign(ruleset: Ruleset | None) -> frozenset[str]:
    rules = () if ruleset is None else ruleset.rules
    return frozenset(rule.id for rule in rules if read_mark(rule) is None)


def _difference(old: Iterable[Key], new: Iterable[Key]) -> tuple[set[Key], set[Key]]:
    before, after = set(old), set(new)
    return before - after, after - before


def _update(
    times: dict[tuple[str, str], float], zone_id: str, old: frozenset[str], new: frozenset[str], since: float
) -> None:
    ended, begun = _difference(old, new)
    for name in ended:
        times.pop((zone_id, name))
    times.update({(zone_id, name): since for name in begun})
