"""What the rules of other installations accept for hostnames, and until when a late data centre may accept less.

A rule that accepts more than before does so for the whole edge only after the settle time. Until then clients of what
came last are refused where the earlier rule is still in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mtls_operator.domain.marks import Enforcement
from mtls_operator.domain.zone_view import BLOCK

_REMEMBERED = 3
"""So many changes of one hostname by one installation within a settle time are told apart."""

Accepted = Mapping[str, Mapping[str, frozenset[str] | None]]
"""By hostname and ownerId, the issuers that all rules accept which refuse the others; None: any."""


@dataclass(frozen=True, slots=True)
class Narrower:
    """What rules accepted until, at a moment (seconds of the clock of this process), they were seen to accept more."""

    accepted: frozenset[str]
    until: float


@dataclass(frozen=True, slots=True)
class RulesElsewhere:
    """As far as this process has seen it. What was before its first reading nobody knows."""

    accepted: Accepted = field(default_factory=dict)
    narrower: Mapping[str, Mapping[str, tuple[Narrower, ...]]] = field(default_factory=dict)

    def with_seen(self, rules: Iterable[Enforcement], now: float, *, is_first: bool) -> RulesElsewhere:
        """After a reading of the rules of others."""
        accepted = _accepted_by(rules)
        if accepted == self.accepted:
            return self
        if is_first:
            return RulesElsewhere(accepted)
        narrower = dict(self.narrower)
        for hostname, before in self.accepted.items():
            after, theirs = accepted.get(hostname, {}), dict(narrower.get(hostname, {}))
            for owner, issuers in before.items():
                if issuers is not None and _accepts_more(after.get(owner), issuers):
                    theirs[owner] = (*theirs.get(owner, ()), Narrower(issuers, now))[-_REMEMBERED:]
            if theirs:
                narrower[hostname] = theirs
        return RulesElsewhere(accepted, narrower)

    def refused_until(self, hostname: str, issuers: frozenset[str]) -> Mapping[str, float]:
        """By ownerId, since when the rules of an installation have been seen to accept all these issuers; infinity
        while they do not. Not in it is who was never seen to refuse one of them."""
        times = {
            owner: each.until
            for owner, theirs in self.narrower.get(hostname, {}).items()
            for each in theirs
            if not issuers <= each.accepted
        }
        now = {
            owner: float("inf")
            for owner, accepted in self.accepted.get(hostname, {}).items()
            if accepted is not None and not issuers <= accepted
        }
        return times | now


def _accepts_more(after: frozenset[str] | None, before: frozenset[str]) -> bool:
    return after is None or not after <= before


def _accepted_by(rules: Iterable[Enforcement]) -> Accepted:
    found: dict[str, dict[str, frozenset[str] | None]] = {}
    for rule in rules:
        if rule.enabled and rule.action == BLOCK:
            for hostname in rule.hostnames:
                theirs = found.setdefault(hostname, {})
                theirs[rule.installation.owner] = accepted_by_both(theirs.get(rule.installation.owner), rule.issuers)
    return found


def accepted_by_both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The issuers that two rules accept: a request has to satisfy each of them. None: any."""
    if one is None or other is None:
        return other if one is None else one
    return one & other
