"""What the marks of other installations mean for a hostname that is ours or is to become so.

Between installations rules are ANDed: a request has to satisfy the rules of each of them. So

| we want to            | and another installation                      | then                         |
|-----------------------|-----------------------------------------------|------------------------------|
| bring a hostname in   | holds it, and accepts the CAs that we aim at  | we come                      |
|                       | the same, in the overlap of a rotation        | we come, and accept what it  |
|                       |                                               | does until that is over      |
|                       | holds it, and does not accept them all        | we withdraw: `Conflicted`    |
|                       | is bringing it in too, for other CAs          | the smaller ownerId stays    |
|                       | left a rule for it that does not accept ours  | we withdraw: `Conflicted`    |
| have it in force      | refuses clients of the CA                     | we wait: `WaitingForOthers`  |
| stop accepting a CA   | aims at the same and accepts what we keep     | we do, after its overlap too |
| for a hostname        | does not, or not yet; or is bringing it in    | we wait: `WaitingForOthers`  |

A hostname that a rule of ours covers, or covered until somebody took it away, is an incumbent's: it is never withdrawn
because of what others do. One that a claim only holds is a newcomer still. Of several bindings of the cluster that
want it, one that others do not contradict comes first all the same, unless the hostname is held there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mtls_operator.domain.marks import NOT_COUNTED, Claim, ClaimState, Enforcement
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_overlap import accepts, overlap_until, rules_on
from mtls_operator.domain.zone_places import ZoneState
from mtls_operator.domain.zone_stakes import Target


@dataclass(frozen=True, slots=True)
class Waiting:
    """Installations that are not ready for what we want, by ownerId; and until when it is known to last. Where the
    ruleset was replaced, nobody knows whose marks are missing: then there is a time alone."""

    owners: tuple[str, ...] = ()
    until: float | None = None

    def __bool__(self) -> bool:
        return bool(self.owners) or self.until is not None


def contradicted(zone: ZoneState) -> Mapping[str, str]:
    """The hostnames that we want and must not bring in, each with the ownerId of the installation that has it."""
    return _contradicted(zone, zone.wanted, zone.incumbent)


def contradicted_still(zone: ZoneState) -> Mapping[str, str]:
    """The same of what bindings want that act with another token: these leave it alone, so it is not kept for them."""
    wanted = {
        (target.certificate, hostname): target
        for stake in zone.desired.still
        for hostname, target in stake.wants.items()
    }
    told = frozenset[str]().union(*(stake.enforced for stake in zone.desired.still if stake.managed))
    return _contradicted(zone, wanted, zone.incumbent | told)


def _contradicted(zone: ZoneState, wanted: Mapping[Place, Target], incumbent: frozenset[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for (_, hostname), target in wanted.items():
        if target.policy is not None and hostname not in incumbent:
            owner = _contradicting(zone, hostname, target)
            if owner is not None:
                found[hostname] = owner
    return found


def unwelcome(zone: ZoneState) -> frozenset[Place]:
    """Where hostnames of an incumbent are to go though another installation has them otherwise. They are not withdrawn
    because of that, but another binding of the cluster that wants them as the other has them comes first."""
    return frozenset(
        place
        for place, target in zone.wanted.items()
        if target.policy is not None
        and place[1] in zone.incumbent
        and not zone.is_held(place)
        and _contradicting(zone, place[1], target) is not None
    )


def unready(zone: ZoneState, hostname: str, target: Target) -> Waiting:
    """Who would be left with clients that we refuse, or refuses those that we keep, if we accepted only the target; or
    how long our own overlap lasts."""
    if zone.now < zone.removals_from:
        return Waiting((), zone.removals_from)
    claims = _claims_on(zone, hostname)
    owners = {owner for owner, theirs in claims.items() if not _is_in_force(theirs, target)}
    owners |= {rule.installation.owner for rule in rules_on(zone, hostname) if not accepts(rule, target)}
    owners |= {owner for owner, theirs in claims.items() if any(claim.until == NOT_COUNTED for claim in theirs)}
    ends = {owner: end for owner, theirs in claims.items() if (end := _kept_until(theirs)) > zone.now}
    own = overlap_until(zone, hostname, target)
    until = max([*ends.values(), *([own] if own is not None else [])], default=None)
    return Waiting(tuple(sorted(owners | ends.keys())), None if owners else until)


def refusing(zone: ZoneState, hostname: str, target: Target) -> Mapping[str, float]:
    """The installations whose rules refuse clients of the CA, by ownerId, each with the moment from which it does so
    nowhere at the edge any more; infinity where its rule is to be changed first. As long as there is one, the CA is not
    valid for the hostname, though our rule accepts it. One that refuses clients of a CA that retires has the new one
    already, and will never wait for us; but what is in the source again does not retire."""
    aimed = frozenset(zone.desired.identifiers[each] for each in target.aim & zone.desired.identifiers.keys())
    seen = zone.known.elsewhere.refused_until(hostname, target.issuers - (target.retiring - aimed))
    settled = {owner: until + zone.timing.settle for owner, until in seen.items()}
    return {owner: until for owner, until in settled.items() if zone.now < until}


def kept_for_an_overlap(zone: ZoneState, hostname: str) -> frozenset[str]:
    """What installations accept that still keep CAs of an earlier source, as their claims and rules say. Who comes
    meanwhile accepts it as well: otherwise clients of these CAs would be refused before that overlap is over (safety
    invariant 6). Claims tell fingerprints: a CA that nobody has seen in the account is known by a rule alone."""
    claims = _claims_on(zone, hostname)
    keeping = {owner: theirs for owner, theirs in claims.items() if _kept_until(theirs) > zone.now}
    rules = [rule for rule in rules_on(zone, hostname) if rule.installation.owner in keeping]
    digests = frozenset[str]().union(*(claim.in_force for theirs in keeping.values() for claim in theirs))
    known = frozenset(zone.desired.identifiers[each] for each in digests & zone.desired.identifiers.keys())
    return known.union(*(rule.issuers for rule in rules if rule.issuers is not None))


def withdrawn(zone: ZoneState, hostname: str, issuers: frozenset[str], kept: frozenset[str]) -> frozenset[str]:
    """Issuers that others have to be ready for, or an overlap be over, before a rule accepts only `kept` of these."""
    return zone.withdrawn(issuers, kept) | ((issuers - kept) & kept_for_an_overlap(zone, hostname))


def accepted_by_others(zone: ZoneState, hostname: str) -> list[frozenset[str] | None]:
    """What the rules of others accept for a hostname that we hold on more than one list: one that moves."""
    places = [group for group in zone.view.claims if group.key.state is ClaimState.HELD and hostname in group.hostnames]
    return [rule.issuers for rule in rules_on(zone, hostname)] if len(places) > 1 else []


def _contradicting(zone: ZoneState, hostname: str, target: Target) -> str | None:
    claims = _claims_on(zone, hostname)
    for owner, theirs in sorted(claims.items()):
        held = [claim for claim in theirs if claim.state is ClaimState.HELD]
        if held:
            accepted = frozenset().union(*(claim.in_force for claim in held))
            contradicts = not _shares(held, target) and not (target.aim and target.aim <= accepted)
        else:
            contradicts = owner < zone.desired.installation.owner and not _comes_for_the_same(theirs, target)
        if contradicts:
            return owner
    for rule in rules_on(zone, hostname):
        owner = rule.installation.owner
        if not (accepts(rule, target) or (owner in claims and _accepts_some(rule, target))):
            return owner
    return None


def _claims_on(zone: ZoneState, hostname: str) -> Mapping[str, Sequence[Claim]]:
    """By ownerId, the claims of others on a hostname but those that only give it up."""
    found: dict[str, list[Claim]] = {}
    for claim in zone.view.others:
        if hostname in claim.hostnames and claim.state is not ClaimState.LEAVING:
            found.setdefault(claim.installation.owner, []).append(claim)
    return found


def _shares(claims: Sequence[Claim], target: Target) -> bool:
    return any(target.certificate in claim.certificate_ids for claim in claims)


def _comes_for_the_same(claims: Sequence[Claim], target: Target) -> bool:
    aims = frozenset().union(*(claim.aim for claim in claims))
    return _shares(claims, target) or bool(aims and target.aim and (aims <= target.aim or target.aim <= aims))


def _is_in_force(claims: Sequence[Claim], target: Target) -> bool:
    """Whether an installation aims at what we aim at, and accepts all that we keep."""
    accepted = frozenset().union(*(claim.in_force for claim in claims if claim.state is ClaimState.HELD))
    return bool(target.aim) and target.in_force <= accepted and all(claim.aim == target.aim for claim in claims)


def _accepts_some(rule: Enforcement, target: Target) -> bool:
    wanted = target.relied_on
    return rule.issuers is None or wanted is None or not rule.issuers.isdisjoint(wanted)


def _kept_until(claims: Sequence[Claim]) -> float:
    """Until when an installation keeps CAs of an earlier source, in seconds since the epoch."""
    return max((datetime.fromisoformat(claim.until).timestamp() for claim in claims if claim.until), default=0.0)
