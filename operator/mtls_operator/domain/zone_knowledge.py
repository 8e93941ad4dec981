"""What one process knows of a zone, and since when.

Cloudflare has no compare-and-swap and a read may be as old as the consistency window, so *when* something was
read or written matters as much as what. Times are seconds of one monotonic clock.

Rules of this module:
- Knowledge is a value; the engine replaces it after each call by one of the methods below.
- A reading counts from the moment it was begun, a write from the moment its answer was there (or was given up).
- A ruleset older than one already seen is discarded. The answer to a write is the truth at that moment, so
  once there was one, what is known of our own rules is exact. At the start, and after a write whose outcome is
  unknown, it may be as old as the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Installation, Revocation, read_mark
from mtls_operator.domain.observed import CertificateId, Ruleset
from mtls_operator.domain.rules_elsewhere import RulesElsewhere, accepted_by_both
from mtls_operator.domain.undone_rules import fallen

T = TypeVar("T")
Place = tuple[CertificateId, str]
"""A hostname on the list of a certificate."""
CONTEST = 3
"""So many times in a row is no accident."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A value and the moment at which its reading was begun."""

    value: T
    begun: float


@dataclass(frozen=True, slots=True)
class ZoneKnowledge:
    """What this process knows of one zone. `None` as the value of `rules` is a zone without a custom ruleset."""

    started: float
    rules: Reading[Ruleset | None] | None = None
    rules_seen: float = 0.0
    """When the last of the answers that `rules` rests on was there: what it shows is from then at the latest."""
    rules_uncertain_until: float | None = None
    """Until when a write may be carried out whose answer nobody has, be it of the process before us: from then on our
    own rules may differ from what is read for a window yet. None: they are exact."""
    rules_must_be_read: bool = True
    doubted: float = float("-inf")
    """Readings begun before this are repeated before all is called well: somebody may have changed something."""
    lists: Mapping[CertificateId, Reading[frozenset[str]]] = field(default_factory=dict)
    list_lost: Mapping[CertificateId, float] = field(default_factory=dict)
    """When a write of a list was last given up without an answer: it may take effect for some time yet."""
    missing: Mapping[CertificateId, tuple[float, float]] = field(default_factory=dict)
    """Certificates that Cloudflare said it does not have (404) when their list was asked for: first and last."""
    list_written: Mapping[CertificateId, float] = field(default_factory=dict)
    """When the answer to our last write of a list was there, or was given up."""
    claimed_since: Mapping[tuple[CertificateId, str, ClaimState], float] = field(default_factory=dict)
    put_since: Mapping[Place, float] = field(default_factory=dict)
    """Since when every list that we wrote had the hostname on it, counted anew when it had to be put back. Only while
    we claim it as arriving or held: what was put before the claim, or before it was given up, others may drop."""
    put_back: frozenset[Place] = frozenset()
    """Those of them that were held already, and off the list, when they were put there."""
    taken_off_since: Mapping[Place, float] = field(default_factory=dict)
    """The same for a hostname that we took off."""
    undone: Mapping[Place, tuple[float, ...]] = field(default_factory=dict)
    """When we had to put back what somebody had taken off after we put it there: the last times."""
    disturbed: frozenset[str] = frozenset()
    """Hostnames of rules of ours that somebody changed, moved or took away, and that are not put right yet."""
    overruled: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By hostname, when we had to put right what somebody had done to rules of ours: the last times."""
    enforced_since: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Since when enabled rules of ours with an action cover a hostname, as far as this process has seen it."""
    accepted: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    """The issuers that our rules accepted for a hostname when they were last seen, also after somebody took a rule
    away: as long as a claim relies on it, or every mark of ours is gone."""
    covered_by: Mapping[str, Enforcement] = field(default_factory=dict)
    """The last rule of ours for a hostname, kept as long as `accepted` is: what a binding that cannot be reconciled had
    in force."""
    accepted_since: Mapping[str, float] = field(default_factory=dict)
    """Since when these are exactly what they accept; minus infinity where the first reading of this process showed
    it."""
    elsewhere: RulesElsewhere = field(default_factory=RulesElsewhere)
    """What the rules of other installations accept and accepted."""
    bereft: bool = False
    """Whether the rules were read without any mark of ours, though by exact knowledge claims of ours were there."""
    replaced_since: float | None = None
    """When it was seen that somebody had replaced the ruleset by one without any rule of ours."""
    most_revocation_rules: int | None = None
    """How many rules about revoked certificates there may be since Cloudflare refused a new rule, because the zone's
    plan has no more: as many as there were, or one fewer where it was a rule of another kind. Until a look is due, no
    more are tried."""
    released: frozenset[Place] = frozenset()
    """Given up: seen gone, or claimed by another installation, and our own claim is gone too."""

    def with_rules_read(
        self, ruleset: Ruleset | None, *, begun: float, now: float, us: Installation, window: float
    ) -> ZoneKnowledge:
        """After a read of the ruleset. One older than what is known changes nothing, until the consistency window
        has passed: only then has somebody really put an older one, or none, in its place."""
        if self._is_older(ruleset) and begun < self.rules_seen + window:
            return self
        is_exact = self.rules is not None and self.rules_exact_from(window) is None
        before = self.rules.value if self.rules else None
        disturbed = self.disturbed - fallen(ruleset, before, us)
        known = replace(
            self,
            rules=Reading(ruleset, begun),
            rules_seen=now,
            rules_must_be_read=False,
            bereft=self.bereft or (is_exact and bool(self.claimed_since)),
            disturbed=disturbed | fallen(before, ruleset, us) if is_exact else disturbed,
        )
        return known._with_our_marks(now, us, is_first=self.rules is None)

    def with_rules_written(self, ruleset: Ruleset, *, begun: float, now: float, us: Installation) -> ZoneKnowledge:
        """After a write, whose answer is the whole ruleset. One before it may come to nothing or be carried out yet."""
        until = self.rules_uncertain_until
        righted = self.disturbed and self.disturbed & fallen(ruleset, self.rules.value if self.rules else None, us)
        known = replace(
            self,
            rules=Reading(ruleset, begun),
            rules_seen=now,
            rules_uncertain_until=until if until is not None and begun < until else None,
            rules_must_be_read=False,
            disturbed=self.disturbed - righted,
            overruled={**self.overruled, **{name: _and_now(self.overruled.get(name, ()), now) for name in righted}},
        )
        return known._with_our_marks(now, us, is_first=self.rules is None)

    def with_list_read(self, certificate: CertificateId, hostnames: frozenset[str], begun: float) -> ZoneKnowledge:
        """After a read of a certificate's list."""
        missing = {each: times for each, times in self.missing.items() if each != certificate}
        return replace(self, lists={**self.lists, certificate: Reading(hostnames, begun)}, missing=missing)

    def is_gone(self, certificate: CertificateId, window: float) -> bool:
        """Whether Cloudflare said that it has no such certificate, and again a consistency window later."""
        first, last = self.missing.get(certificate, (0.0, 0.0))
        return last - first >= window

    def with_list_missing(self, certificate: CertificateId, now: float) -> ZoneKnowledge:
        """After Cloudflare said that it has no such certificate: a list of it is there no more."""
        first, _ = self.missing.get(certificate, (now, now))
        return replace(
            self,
            lists={each: reading for each, reading in self.lists.items() if each != certificate},
            missing={**self.missing, certificate: (first, now)},
        )

    def with_list_written(self, certificate: CertificateId, hostnames: frozenset[str], now: float) -> ZoneKnowledge:
        """After a list was written and the answer said so."""
        base = self.lists[certificate].value
        put = {place: at for place, at in self.put_since.items() if place[0] != certificate}
        for claimed, hostname, state in self.claimed_since:
            if claimed == certificate and state is not ClaimState.LEAVING and hostname in hostnames:
                place = (certificate, hostname)
                put[place] = self.put_since.get(place, now) if hostname in base else now
        off = {place: at for place, at in self.taken_off_since.items() if place[0] != certificate}
        for claimed, hostname, state in self.claimed_since:
            if claimed == certificate and state is ClaimState.LEAVING and hostname not in hostnames:
                place = (certificate, hostname)
                off[place] = now if hostname in base else self.taken_off_since.get(place, now)
        added = {place: at for place, at in put.items() if place[0] == certificate and place[1] not in base}
        held = {claim[:2] for claim in self.claimed_since if claim[2] is ClaimState.HELD}
        again = {place: at for place, at in added.items() if place in self.put_since}
        undone = dict(self.undone) | {place: _and_now(self.undone.get(place, ()), at) for place, at in again.items()}
        return replace(
            self,
            list_written={**self.list_written, certificate: now},
            put_since=put,
            put_back=self.put_back | (added.keys() & held),
            taken_off_since=off,
            undone=undone,
            released=self.released - put.keys(),
        )

    def with_list_write_lost(self, certificate: CertificateId, now: float) -> ZoneKnowledge:
        """After the answer to a write of a list was lost: it may have happened, so it has to be done again."""
        return replace(
            self,
            lists={each: reading for each, reading in self.lists.items() if each != certificate},
            list_written={**self.list_written, certificate: now},
            list_lost={**self.list_lost, certificate: now},
            put_since={place: at for place, at in self.put_since.items() if place[0] != certificate},
            taken_off_since={place: at for place, at in self.taken_off_since.items() if place[0] != certificate},
        )

    def with_neglected(self, certificates: frozenset[CertificateId]) -> ZoneKnowledge:
        """After it turned out that nobody cared for something on these lists: they, and the rules, are read again."""
        lists = {each: reading for each, reading in self.lists.items() if each not in certificates}
        return replace(self, lists=lists, rules_must_be_read=self.rules_must_be_read or bool(certificates))

    def with_rules_unknown(self, until: float) -> ZoneKnowledge:
        """After the answer to a write of a rule was lost, which may be carried out until then: what is there now has to
        be read, however fresh the last reading is. It may have claimed again what had been given up, or taken away a
        rule that will be read for a window yet."""
        before = self.rules_uncertain_until
        return replace(
            self,
            rules_uncertain_until=until if before is None else max(before, until),
            rules_must_be_read=True,
            released=frozenset(),
            enforced_since={},
        )

    def rules_exact_from(self, window: float) -> float | None:
        """From when on reading the rules shows exactly what ours hold; None: that is known. A rule is changed only
        then: a stale idea of what it holds would drop hostnames from it."""
        if self.rules is None or self.rules_uncertain_until is None:
            return None
        exact_from = self.rules_uncertain_until + window
        return None if self.rules.begun >= exact_from else exact_from

    def shows_predecessor_from(self, window: float) -> float | None:
        """From when on a reading of the rules shows every claim of the process before us; None: they are known. A list
        is written only then: what an older reading of it lacks, and no claim that is read names, would be dropped."""
        exact_from, shown_from = self.rules_exact_from(window), self.started + window
        is_shown = exact_from is None or (self.rules is not None and self.rules.begun >= shown_from)
        return None if is_shown else shown_from

    def with_doubt(self, now: float) -> ZoneKnowledge:
        """A look is due: what was read before is read again, once."""
        return replace(self, doubted=now, most_revocation_rules=None)

    def with_revocations_limited(self, us: Installation, *, give_way: bool = False) -> ZoneKnowledge:
        """After Cloudflare refused one more rule: about revoked certificates, or (`give_way`) of another kind, to which
        one of them gives way if there is one."""
        marks = [read_mark(rule) for rule in self.rules.value.rules] if self.rules and self.rules.value else []
        present = [mark for mark in marks if isinstance(mark, Revocation) and mark.installation == us]
        if give_way and not present:
            return self
        return replace(self, most_revocation_rules=len(present) - give_way)

    def with_replaced(self, now: float) -> ZoneKnowledge:
        """After it was noticed that no rule of ours is left, though there should be some."""
        return replace(self, replaced_since=now, bereft=False)

    def with_released(self, places: frozenset[Place]) -> ZoneKnowledge:
        """After our claims on these places were given up."""
        return replace(self, released=self.released | places)

    def _is_older(self, ruleset: Ruleset | None) -> bool:
        if self.rules is None or self.rules.value is None:
            return False
        return ruleset is None or (ruleset.id == self.rules.value.id and ruleset.version < self.rules.value.version)

    def _with_our_marks(self, now: float, us: Installation, *, is_first: bool) -> ZoneKnowledge:
        everybody = _marks(self.rules.value if self.rules else None)
        marks = [each for each in everybody if each.installation == us]
        others = (each for each in everybody if isinstance(each, Enforcement) and each.installation != us)
        claims = {
            (certificate, hostname, claim.state)
            for claim in marks
            if isinstance(claim, Claim)
            for certificate in claim.certificate_ids
            for hostname in claim.hostnames
        }
        rules = [mark for mark in marks if isinstance(mark, Enforcement)]
        enforced = {(hostname, rule.action) for rule in rules if rule.enabled for hostname in rule.hostnames}
        relied_on = {
            (certificate, hostname) for certificate, hostname, state in claims if state is not ClaimState.LEAVING
        }
        claimed = {hostname for _, hostname in relied_on}
        kept = {hostname for hostname in self.accepted if not marks or hostname in claimed}
        accepted = {**{name: self.accepted[name] for name in kept}, **_accepted_by(rules)}
        unchanged = {name for name in self.accepted.keys() & accepted if self.accepted[name] == accepted[name]}
        changed_since = float("-inf") if is_first else now
        leaving = {(certificate, hostname) for certificate, hostname, state in claims if state is ClaimState.LEAVING}
        # To others a hostname is leaving when it is claimed as nothing else, so that is what counts from here.
        since = {
            claim: now
            if claim[2] is ClaimState.LEAVING and claim[:2] in relied_on
            else self.claimed_since.get(claim, now)
            for claim in claims
        }
        return replace(
            self,
            elsewhere=self.elsewhere.with_seen(others, now, is_first=is_first),
            bereft=self.bereft and not marks,
            claimed_since=since,
            accepted=accepted,
            covered_by={
                **{name: self.covered_by[name] for name in kept},
                **{hostname: rule for rule in rules for hostname in rule.hostnames},
            },
            accepted_since={n: self.accepted_since[n] if n in unchanged else changed_since for n in accepted},
            enforced_since={each: self.enforced_since.get(each, now) for each in enforced},
            put_since={place: at for place, at in self.put_since.items() if place in relied_on},
            put_back=self.put_back & relied_on,
            taken_off_since={place: at for place, at in self.taken_off_since.items() if place in leaving},
            released=self.released - (relied_on - leaving),
        )


def nothing_known(started: float) -> ZoneKnowledge:
    """What a process knows of a zone when it begins: that a predecessor may have written just before."""
    return ZoneKnowledge(started=started, rules_uncertain_until=started)


def _and_now(times: tuple[float, ...], now: float) -> tuple[float, ...]:
    """The last times of something that has happened once more: as many as it takes to be no accident."""
    return (*times[1 - CONTEST :], now)


def _accepted_by(rules: Iterable[Enforcement]) -> dict[str, frozenset[str] | None]:
    """The issuers that all rules for a hostname accept: a request has to satisfy each of them."""
    found: dict[str, frozenset[str] | None] = {}
    for rule in rules:
        for hostname in rule.hostnames:
            found[hostname] = accepted_by_both(found.get(hostname), rule.issuers)
    return found


def _marks(ruleset: Ruleset | None) -> list[Claim | Enforcement]:
    marks = [read_mark(rule) for rule in ruleset.rules] if ruleset else []
    return [mark for mark in marks if isinstance(mark, Claim | Enforcement)]
