"""Invariant 6: a rotation ends the validity of an issuer for a hostname only when that is due.

An issuer is valid for a hostname that is covered when a certificate of it is associated with the hostname and every
rule that covers the hostname accepts it. A request of an installation may end that only if

- no user of an installation that claims the hostname wants the issuer any more, for the overlap at least, and
- another issuer that stays has been valid for the overlap.

An issuer that became valid only after everybody had retired it (in the midst of a rotation) was promised to nobody; nor
was one that is valid only because a person had put the hostname on a list where nobody claims it (safety invariant 3).
An installation that begins to cover a hostname brings the issuers of its own user: that is no rotation. Nor is it one
when a hostname that was retained, so that nobody wanted it, is taken over: whoever arrives takes it out of the retained
rule as soon as its own covers it (design.md), and issuers that nobody has wanted since need no overlap. Nor does an
installation end what it promised when it withdraws from a hostname that no rule of its own has covered yet and that
another one enforces for other issuers: its clients may have come in through that one's rule, if it accepts any issuer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testbed.cloudflare.monitor.case import Case, Findings
from testbed.cloudflare.monitor.enforcement import zone_written
from testbed.cloudflare.monitor.truth import claims, covered, enforcements, identifiers, is_in_force
from testbed.cloudflare.state import State

Issuers = Mapping[str, frozenset[str]]
"""By hostname, the subject key identifiers of the valid issuers."""
_SLACK_SECONDS = 15.0
"""An installation counts from when it hears of a change or sends a request, the monitor from when they happened."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """When what may end. `retired` (owner, hostname, issuer): since when (Unix time) the owner's user does not want the
    issuer for the hostname, infinity while it is wanted. `overlap`: seconds that both are valid at least."""

    retired: Callable[[str, str, str], float]
    overlap: float


@dataclass(frozen=True, slots=True)
class _End:
    """An issuer ceases to be valid for a hostname. `left`: those that stay valid."""

    zone_id: str
    hostname: str
    issuer: str
    left: frozenset[str]


class Validity:
    """Follows since when each issuer is valid for each hostname. Without `retirement` it judges nothing."""

    def __init__(self, retirement: Retirement | None) -> None:
        self._retirement = retirement
        self._since: dict[tuple[str, str, str], float] = {}
        self._last: dict[str, Issuers] = {}
        self._left: dict[str, Issuers] = {}
        """By zone, what is valid for hostnames that only retained rules cover."""
        self._left_until: dict[tuple[str, str, str], float] = {}
        """Until when an issuer was one of these, by zone and hostname."""
        self._arrived: dict[str, frozenset[tuple[str, str]]] = {}
        """By zone, who (owner, hostname) has had a rule in force on a hostname since it began to claim it."""
        self._seen = State()

    def judge(self, case: Case) -> Findings:
        """What a request has ended too early."""
        zone_id = zone_written(case)
        if zone_id is None or self._retirement is None:
            return
        before, after = valid_issuers(case.before, zone_id), valid_issuers(case.after, zone_id)
        covered_before = covered(case.before, zone_id).get(case.owner, frozenset())
        covered_after = covered(case.after, zone_id).get(case.owner, frozenset())
        for hostname in sorted(before.keys() & after.keys()):
            if hostname in covered_after and hostname not in covered_before:
                continue
            ended = before[hostname] - after[hostname]
            for issuer in sorted(ended - _of_people(case, zone_id, hostname) if ended else ()):
                yield from self._judge_end(self._retirement, case, _End(zone_id, hostname, issuer, after[hostname]))

    def note(self, state: State, now: float) -> None:
        """Take in a state, whoever brought it about."""
        if state.rulesets is self._seen.rulesets and state.lists is self._seen.lists:
            return
        self._seen = state
        for zone_id in {*state.rulesets, *self._last}:
            last, valid = self._last.get(zone_id, {}), valid_issuers(state, zone_id)
            self._note_left(zone_id, _only_retained(state, zone_id, valid), now)
            self._note_arrived(zone_id, state)
            if valid == last:
                continue
            for hostname in last.keys() | valid.keys():
                old, new = last.get(hostname, frozenset()), valid.get(hostname, frozenset())
                for issuer in old - new:
                    del self._since[zone_id, hostname, issuer]
                for issuer in new - old:
                    self._since[zone_id, hostname, issuer] = now
            self._last[zone_id] = valid

    def _note_left(self, zone_id: str, left: Issuers, now: float) -> None:
        for hostname, issuers in self._left.get(zone_id, {}).items():
            for issuer in issuers:
                self._left_until[zone_id, hostname, issuer] = now
        self._left[zone_id] = left

    def _note_arrived(self, zone_id: str, state: State) -> None:
        covering = {(owner, hostname) for owner, names in covered(state, zone_id).items() for hostname in names}
        claiming = {(claim.owner, claim.hostname) for claim in claims(state, zone_id)}
        arrived = self._arrived.get(zone_id, frozenset())
        self._arrived[zone_id] = arrived & claiming | covering

    def _gives_way(self, retirement: Retirement, case: Case, end: _End) -> bool:
        """Whether the caller is not there yet where another installation enforces the hostname for other issuers."""
        if (case.owner, end.hostname) in self._arrived.get(end.zone_id, frozenset()):
            return False
        enforcing = (owner for owner, names in covered(case.before, end.zone_id).items() if end.hostname in names)
        return any(retirement.retired(each, end.hostname, end.issuer) < math.inf for each in enforcing)

    def _judge_end(self, retirement: Retirement, case: Case, end: _End) -> Findings:
        what = f"{case.owner} ends {end.issuer} for {end.hostname}"
        relying = _relying(case, end.zone_id, end.hostname)
        if self._gives_way(retirement, case, end):
            relying.discard(case.owner)
        times = [(owner, retirement.retired(owner, end.hostname, end.issuer)) for owner in sorted(relying)]
        begun = self._since.get((end.zone_id, end.hostname, end.issuer), -math.inf)
        last = max((at for _, at in times), default=-math.inf)
        if last < begun:
            return
        for owner, retired in times:
            if retired == math.inf:
                yield 6, f"{what}, which the user of {owner} wants"
            elif case.now + _SLACK_SECONDS < retired + retirement.overlap:
                yield 6, f"{what} {case.now - retired:.0f} s after the user of {owner} retired it"
        if last <= self._left_until.get((end.zone_id, end.hostname, end.issuer), -math.inf):
            return
        others = (self._since.get((end.zone_id, end.hostname, each), case.now) for each in end.left)
        if case.now + _SLACK_SECONDS < min(others, default=case.now) + retirement.overlap:
            yield 6, f"{what}, and no other has been valid for the overlap"


def valid_issuers(state: State, zone_id: str) -> Issuers:
    """The valid issuers of the hostnames that marked rules cover."""
    accepted: dict[str, frozenset[str] | None] = {}
    for rule, mark in enforcements(state, zone_id):
        if is_in_force(rule):
            for hostname in mark.guard.hostnames:
                known, issuers = accepted.get(hostname), mark.guard.issuers
                accepted[hostname] = known if issuers is None else issuers if known is None else known & issuers
    associated: dict[str, frozenset[str]] = dict.fromkeys(accepted, frozenset())
    for (zone, certificate_id), hostnames in state.lists.items():
        if zone == zone_id:
            keys = identifiers(state, zone_id, certificate_id)
            for hostname in hostnames & accepted.keys():
                associated[hostname] |= keys
    return {
        hostname: associated[hostname] if issuers is None else associated[hostname] & issuers
        for hostname, issuers in accepted.items()
    }


def _of_people(case: Case, zone_id: str, hostname: str) -> frozenset[str]:
    """The issuers that a hostname loses with a list on which nobody claims it, and that it has on no other."""
    claimed = {claim.certificate_id for claim in claims(case.before, zone_id) if claim.hostname == hostname}
    lists = {each: names for (zone, each), names in case.before.lists.items() if zone == zone_id and hostname in names}
    lost = {each for each in lists if hostname not in case.after.hostnames(zone_id, each)}
    foreign, kept = lost - claimed, lists.keys() - (lost - claimed)
    found, still = (
        frozenset[str]().union(*(identifiers(case.before, zone_id, each) for each in some)) for some in (foreign, kept)
    )
    return found - still


def _only_retained(state: State, zone_id: str, valid: Issuers) -> Issuers:
    marks = [mark for rule, mark in enforcements(state, zone_id) if is_in_force(rule)]
    looked_after = frozenset[str]().union(*(mark.guard.hostnames for mark in marks if not mark.retained))
    return {hostname: issuers for hostname, issuers in valid.items() if hostname not in looked_after}


def _relying(case: Case, zone_id: str, hostname: str) -> set[str]:
    """The caller, and who else claims the hostname for long enough that the caller has to know."""
    relying = {case.owner}
    for claim in claims(case.before, zone_id):
        since = case.sightings.claims_on(claim.place).get(claim, case.now)
        if claim.hostname == hostname and claim.state != "leaving" and since <= case.long_ago:
            relying.add(claim.owner)
    return relying
