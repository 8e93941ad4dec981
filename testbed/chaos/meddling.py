"""What others changed at Cloudflare behind an operator's back, and when it can know of it.

A person who takes a hostname off a list, or changes a rule that names it, opens or closes it at once, while its binding
goes on saying Ready: nobody tells the operator. So what is wrong with that hostname is excused, from that moment until
the installation has read what was changed, by a reading that cannot be older than the change, and has had the time to
say so or to put it right. A binding that is not Ready has said so: what is wrong with its hostnames is excused until it
has been Ready after that time.

Another installation that begins to cover a hostname brings the issuers of its own user, and rules are ANDed: a client
whom that one does not know is refused from then on, which is excused in the same way; but not where it ends an overlap
(safety invariant 6), narrows a rule, or opens something.

That an operator is dead or has no token that works excuses nothing by itself: then nothing changes, and it cannot see
what people change either.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from testbed.chaos.promises import READY, Accepted, Promise
from testbed.chaos.world import WINDOW
from testbed.cloudflare.journal import LogEntry
from testbed.cloudflare.monitor.truth import covered
from testbed.cloudflare.state import State

_MENDED_SECONDS: Final = 300.0
"""From when a change is seen: the status is written, or the change undone, in bad weather too."""
_QUOTED = re.compile(r'"([^"]*)"')
_OF_RULES: Final = None


@dataclass(frozen=True, slots=True)
class _Change:
    """That a hostname is on the list of a certificate no more, or that rules of the zone say something else of it. `by`
    is the installation that did it, None for a person."""

    zone_id: str
    certificate_id: str | None
    hostname: str
    by: str | None = None


@dataclass
class Meddling:
    """`staleness`: how old readings may be, in seconds; `delay`: how long the edge takes to learn of a repair."""

    staleness: float
    delay: float
    _last: dict[_Change, float] = field(default_factory=dict)
    """When each change was last made."""
    _seen: dict[tuple[str, _Change], float] = field(default_factory=dict)
    """When each installation had read it for certain."""
    _denied: dict[tuple[str, _Change], float] = field(default_factory=dict)
    """When each was first told that there is no such thing, which counts when it is said again a window later."""
    _ready: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """When an installation last said Ready of a hostname in a zone."""
    _recorded: dict[tuple[str, str, str], frozenset[str]] = field(default_factory=dict)
    """The certificates for which it ever recorded it: clients of a CA in one that was destroyed are let in again when
    the edge knows the next one."""

    def note(self, before: State, after: State, owner: str | None, now: float) -> None:
        """Somebody has changed something: an installation, or None from outside the API."""
        changes = {*_taken_off(before, after), *_other_rules(before, after)} if owner is None else set[_Change]()
        if owner is not None:
            changes.update(_newly_covered(before, after, owner))
        for change in changes:
            self._last[change] = now
            self._seen = {known: at for known, at in self._seen.items() if known[1] != change}
            self._denied = {known: at for known, at in self._denied.items() if known[1] != change}

    def hear(self, entry: LogEntry) -> None:
        """A request has been answered."""
        if not self._last or entry.method != "GET" or not entry.delivered or not _tells(entry.status):
            return
        for change, at in self._last.items():
            if entry.time >= at + self.staleness and _shows(entry, change):
                by = (entry.token_label, change)
                denied = self._denied.setdefault(by, entry.time) if entry.status != 200 else -math.inf
                if entry.time >= denied + WINDOW:
                    self._seen.setdefault(by, entry.time)

    def heed(self, promises: Iterable[Promise], now: float) -> None:
        """These promises have been made until now."""
        for each in promises:
            place = (each.owner, each.zone_id, each.hostname)
            self._recorded[place] = self._recorded.get(place, frozenset()) | each.objects
            if each.word == READY:
                self._ready[place] = now

    def forget(self, owner: str) -> None:
        """A process of an installation has died: the next one has to read again what that one had read."""
        self._seen = {known: at for known, at in self._seen.items() if known[0] != owner}

    def excuses(self, promise: Promise, refused: Accepted | None, now: float) -> bool:
        """Whether what is wrong about a promise at this moment may be the doing of others: clients of this CA are
        `refused`, None: the hostname is open."""
        for change in self._last:
            if (change.zone_id, change.hostname) != (promise.zone_id, promise.hostname):
                continue
            recorded = self._recorded.get((promise.owner, promise.zone_id, promise.hostname), promise.objects)
            matters = change.certificate_id is _OF_RULES or change.certificate_id in recorded
            may_narrow = refused is not None and not refused.retires
            foreign = change.by is None or (change.by != promise.owner and may_narrow)
            if matters and foreign and not self._is_over(promise, change, now):
                return True
        return False

    def _is_over(self, promise: Promise, change: _Change, now: float) -> bool:
        if promise.word != READY:
            now = self._ready.get((promise.owner, promise.zone_id, promise.hostname), -math.inf)
        return now > self._seen.get((promise.owner, change), now) + _MENDED_SECONDS + self.delay


def _taken_off(before: State, after: State) -> Iterator[_Change]:
    for (zone_id, certificate_id), names in before.lists.items():
        if certificate_id is not None:
            for hostname in names - after.hostnames(zone_id, certificate_id):
                yield _Change(zone_id, certificate_id, hostname)


def _other_rules(before: State, after: State) -> Iterator[_Change]:
    """Of every hostname that a rule names which is not as it was, or of any rule where they stand in another order."""
    for zone_id in before.rulesets.keys() | after.rulesets.keys():
        old, new = _rules(before, zone_id), _rules(after, zone_id)
        changed = {*old} ^ {*new}
        if [each for each in old if each not in changed] != [each for each in new if each not in changed]:
            changed = {*old, *new}
        for _, _, expression, _, _ in changed:
            for hostname in _QUOTED.findall(expression):
                yield _Change(zone_id, _OF_RULES, hostname)


def _newly_covered(before: State, after: State, owner: str) -> Iterator[_Change]:
    if before.rulesets is after.rulesets:
        return
    for zone_id in after.rulesets:
        if before.rulesets.get(zone_id) is not after.rulesets[zone_id]:
            old, new = (covered(state, zone_id).get(owner, frozenset[str]()) for state in (before, after))
            for hostname in new - old:
                yield _Change(zone_id, _OF_RULES, hostname, owner)


def _rules(state: State, zone_id: str) -> list[tuple[str, str, str, bool, str]]:
    """What of each rule decides, in order."""
    ruleset = state.rulesets.get(zone_id)
    return [
        (rule.id, rule.action, rule.expression, rule.enabled, repr(rule.action_parameters))
        for rule in (() if ruleset is None else ruleset.rules)
    ]


def _tells(status: int | None) -> bool:
    """Whether an answer says what there is, or that there is nothing."""
    return status is not None and (status == 200 or status in {400, 404})


def _shows(entry: LogEntry, change: _Change) -> bool:
    if f"/zones/{change.zone_id}/" not in entry.path:
        return False
    if change.certificate_id is _OF_RULES:
        return "/rulesets/" in entry.path
    return ("mtls_certificate_id", change.certificate_id) in entry.query
