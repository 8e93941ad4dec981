"""How far each hostname of a binding is: what its status says, and what the rotation of its CA waits for.

Nothing is in force before the whole edge has it: a rule that has just come, or accepts others than before, counts when
its settle time is over. What a status says stays true for a process that takes over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mtls_operator.api.policies import Action
from mtls_operator.domain import zone_others, zone_rules
from mtls_operator.domain.marks import ClaimState
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_agenda import Agenda
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_overlap import counted_until
from mtls_operator.domain.zone_places import ZoneState
from mtls_operator.domain.zone_revocation import Intent
from mtls_operator.domain.zone_stakes import Stake, Target, recorded_by
from mtls_operator.domain.zone_view import BLOCK, LOG, Policy


class HostStage(StrEnum):
    """Where a hostname of a binding stands; shown in `status.hostnames`."""

    PENDING = "Pending"
    ARRIVING = "Arriving"
    ASSOCIATED = "Associated"
    ENFORCED = "Enforced"
    LOGGED = "Logged"
    MOVING = "Moving"
    LEAVING = "Leaving"
    REFUSED = "Refused"


_BLOCKED = frozenset({HostStage.ENFORCED, HostStage.MOVING})


@dataclass(frozen=True, slots=True)
class HostProgress:
    """The stage of a hostname, and until when (same clock as the plan) it cannot go on, if that is known."""

    stage: HostStage
    until: float | None = None
    waits_for: tuple[str, ...] = ()
    """The ownerIds of installations that have to get ready first."""
    refused: bool = False
    """Whether their rules refuse clients, whatever ours accept."""
    cramped: bool = False
    """No rule has room for the issuers that are in force and those that are wanted."""
    missing: bool = False
    """Somebody took it off the list: it is being put back, while its rule stays."""
    contested: bool = False
    """Somebody keeps taking it off the list."""
    overruled: bool = False
    """Somebody keeps undoing the rules for it."""
    held_up_by: ResourceKey | None = None
    """A binding that has the hostname on another list and cannot be reconciled: what it needs is not known."""
    heir: ResourceKey | None = None
    """Another binding that gets it, with another CA: both are accepted until its overlap is over."""
    meanwhile: Action | None = None
    """What the rule does that covers one which is moving; None where somebody took that away."""
    unpinned: bool = False
    """The rule in force accepts clients of any CA that the hostname is associated with."""
    unrevoked: int = 0
    """How many serial numbers that its CAs revoked are not in rules, for lack of room."""
    to_revoke: int = 0
    """How many are about to be."""


def progress(
    zone: ZoneState, agenda: Agenda, refused: Mapping[ResourceKey, Collection[str]], revocation: Intent
) -> dict[ResourceKey, dict[str, HostProgress]]:
    """Of each binding, how far its hostnames are. `refused`: those that it may not adopt."""
    found: dict[ResourceKey, dict[str, HostProgress]] = {}
    for stake in zone.desired.own:
        found.setdefault(stake.binding, {}).update(
            {
                place[1]: _told_of(zone, agenda, stake, place, revocation)
                for place in sorted(_shown_places(stake), key=lambda place: _relevance(zone, place))
            }
            | dict.fromkeys(refused.get(stake.binding, ()), HostProgress(HostStage.REFUSED))
        )
    return found


def _told_of(zone: ZoneState, agenda: Agenda, stake: Stake, place: Place, revocation: Intent) -> HostProgress:
    if place[1] not in stake.recorded_hostnames:
        return HostProgress(HostStage.PENDING)
    reached = _host_progress(zone, agenda, place, is_leaving=_is_leaving(zone, stake, place))
    return replace(
        reached,
        meanwhile=_acting(zone, place[1]) if reached.stage is HostStage.MOVING else None,
        unpinned=reached.stage in _BLOCKED and zone.known.accepted.get(place[1], frozenset()) is None,
        contested=zone.now < zone.contested_until(place),
        overruled=zone.now < zone.overruled_until(place[1]),
        unrevoked=revocation.left_out.get(place[1], 0),
        to_revoke=revocation.lacking.get(place[1], 0),
    )


def _acting(zone: ZoneState, hostname: str) -> Action | None:
    """The severest that enabled rules of ours do with requests to a hostname."""
    actions = {key.policy.action for key in zone.view.enforcement_keys(hostname) if key.enabled}
    if BLOCK in actions:
        return Action.BLOCK
    return Action.LOG if LOG in actions else None


def _relevance(zone: ZoneState, place: Place) -> tuple[bool, bool, Place]:
    """Of several places of a hostname the last tells how far it is: the one that is wanted, and says how."""
    target = zone.wanted.get(place)
    return (target is not None, target is not None and target.policy is not None, place)


def _shown_places(stake: Stake) -> frozenset[Place]:
    return recorded_by([stake]) | {(target.certificate, hostname) for hostname, target in stake.wants.items()}


def _policy(zone: ZoneState, place: Place) -> Policy | None:
    target = zone.wanted.get(place)
    return target.policy if target else None


def _is_leaving(zone: ZoneState, stake: Stake, place: Place) -> bool:
    """Whether a hostname is being given up, or was when its binding was laid aside."""
    if not stake.idle:
        return place not in zone.wanted
    return [key.state for key in zone.view.claim_keys(*place)] == [ClaimState.LEAVING]


def _is_put_back(zone: ZoneState, place: Place) -> bool:
    """Whether a hostname was enforced when somebody took its rule away, or replaced the ruleset, and is about to be so
    again. It goes on saying that it is covered: a process that takes over now has to know that it was."""
    if _acting(zone, place[1]) is not None:
        return False
    if _policy(zone, place) is None and place[1] not in zone.known.covered_by:
        return False
    if zone.is_held(place) and place[1] in zone.told_enforced:
        return True
    in_time = zone.now < zone.removals_from
    return in_time and place[1] in zone.told_enforced and place not in zone.known.put_since


def _host_progress(zone: ZoneState, agenda: Agenda, place: Place, *, is_leaving: bool) -> HostProgress:
    certificate, hostname = place
    until = agenda.until.get(place)
    if is_leaving:
        return _leaving(zone, place, until)
    if zone.is_gone(certificate):
        return HostProgress(HostStage.PENDING)
    policy, held = _policy(zone, place), zone.is_held(place)
    overlaps = place in agenda.overlapping and (_is_bare(policy) or _is_accepted(zone, place))
    is_there = overlaps or (held and zone.is_enforced_under(hostname, policy))
    missing = zone.is_seen_missing(place) or place in agenda.settling
    # Where no rule tells the CAs apart, it is as it should be long before the earlier list may be left.
    waits_for, is_bare = agenda.waiting.get(place, ()), _is_bare(policy)
    if is_there and not (is_bare or waits_for):
        return _in_force(zone, place, until if overlaps else None, missing=missing)
    if not (is_there and is_bare) and (_is_covered(zone, place) or _is_put_back(zone, place)):
        return _settling(zone, place) or _moving(zone, agenda, place)
    if held:
        return _associated(zone, agenda, place, missing=missing)
    arriving = hostname in zone.view.claimed(certificate, ClaimState.ARRIVING)
    return HostProgress(HostStage.ARRIVING if arriving else HostStage.PENDING, until)


def _associated(zone: ZoneState, agenda: Agenda, place: Place, *, missing: bool) -> HostProgress:
    """On the list and without a rule, which may be all that is wanted: then it waits as others do."""
    if not _is_bare(_policy(zone, place)):
        return HostProgress(HostStage.ASSOCIATED)
    refusing = zone_others.refusing(zone, place[1], zone.wanted[place])
    reached = HostProgress(HostStage.ASSOCIATED, waits_for=agenda.waiting.get(place, ()), missing=missing)
    return _refused_elsewhere(reached, refusing)


def _in_force(zone: ZoneState, place: Place, until: float | None, *, missing: bool) -> HostProgress:
    """Under its rule, once that has reached the whole edge: until then a client without a certificate may get in. It
    goes on being on its way as long as another installation refuses clients of the CA."""
    policy = _policy(zone, place)
    refusing = zone_others.refusing(zone, place[1], zone.wanted[place]) if policy is not None else {}
    actions = {key.policy.action for key in zone.view.enforcement_keys(place[1])}
    if policy.action == LOG if policy is not None else BLOCK not in actions:
        logged = _refused_elsewhere(HostProgress(HostStage.LOGGED, until, missing=missing), refusing)
        return logged if policy is None else _settling(zone, place) or logged
    if settling := _settling(zone, place):
        return settling
    stage = HostStage.MOVING if refusing else HostStage.ENFORCED
    return _refused_elsewhere(HostProgress(stage, until, missing=missing), refusing)


def _refused_elsewhere(reached: HostProgress, refusing: Mapping[str, float]) -> HostProgress:
    """What is reached, as long as these installations refuse clients."""
    if not refusing:
        return reached
    last = max(refusing.values())
    until = last if last < float("inf") else None
    return replace(reached, until=until, waits_for=tuple(sorted(refusing)), refused=True)


def _moving(zone: ZoneState, agenda: Agenda, place: Place) -> HostProgress:
    policy = _policy(zone, place)
    cramped = policy is not None and zone_rules.is_cramped(zone, place[1], policy)
    return HostProgress(HostStage.MOVING, agenda.until.get(place), agenda.waiting.get(place, ()), cramped=cramped)


def _settling(zone: ZoneState, place: Place) -> HostProgress | None:
    """How far a hostname is whose rule, whatever becomes of it now, has not reached the whole edge, or does not yet
    accept there what it accepts; else None."""
    policy = _policy(zone, place)
    if policy is not None and policy.action != BLOCK:
        if _is_unread(zone, place):
            return HostProgress(HostStage.MOVING)
        accepted_from = float("inf") if policy.is_bare else zone.accepted_from(place[1], policy.issuers)
        return HostProgress(HostStage.ASSOCIATED, accepted_from) if zone.now < accepted_from < float("inf") else None
    settled_at = zone.rule_settled_at(place[1], BLOCK)
    if zone.now < settled_at < float("inf"):
        return HostProgress(HostStage.ASSOCIATED, settled_at)
    if _is_unread(zone, place):
        return HostProgress(HostStage.MOVING)
    accepted_from = zone.accepted_from(place[1], policy.issuers) if policy is not None else float("-inf")
    if zone.now < accepted_from < float("inf"):
        return HostProgress(HostStage.MOVING, accepted_from)
    return None


def _is_unread(zone: ZoneState, place: Place) -> bool:
    """Whether nobody knows that a hostname is on the list: no status says that all is in force, and it was not read."""
    return not zone.is_told_in_force(place[1]) and place[0] not in zone.known.lists


def rule_wakes(zone: ZoneState) -> list[float]:
    """When rules have reached the whole edge, also those of other installations."""
    times = [zone.rule_settled_at(hostname, BLOCK) for hostname in zone.wanted_hostnames & zone.view.enforced]
    policies = [(place[1], target.policy) for place, target in zone.wanted.items() if target.policy is not None]
    times += [zone.accepted_from(hostname, policy.issuers) for hostname, policy in policies if not policy.is_bare]
    for (_, hostname), target in zone.wanted.items():
        times += zone_others.refusing(zone, hostname, target).values()
    return [at for at in times if zone.now < at < float("inf")]


def _is_bare(policy: Policy | None) -> bool:
    return policy is not None and policy.is_bare


def _is_accepted(zone: ZoneState, place: Place) -> bool:
    """Whether a rule acts on requests to the hostname, and lets in whom the wanted one would, but not anybody else's
    clients where issuers are to be pinned."""
    policy = _policy(zone, place)
    is_pinned = zone.known.accepted.get(place[1]) is not None
    return (
        policy is not None
        and _is_covered(zone, place)
        and (is_pinned or not policy.pins)
        and zone.accepted_from(place[1], policy.issuers) < float("inf")
    )


def _is_covered(zone: ZoneState, place: Place) -> bool:
    """Whether a rule acts on requests to the hostname at least as severely as is wanted."""
    policy = _policy(zone, place)
    accepted = {Action.BLOCK} if policy is not None and policy.action == BLOCK else {Action.BLOCK, Action.LOG}
    return _acting(zone, place[1]) in accepted


def _leaving(zone: ZoneState, place: Place, until: float | None) -> HostProgress:
    _, hostname = place
    target = zone.destination(hostname)
    if target is None:
        return HostProgress(HostStage.LEAVING, until, held_up_by=_held_up_by(zone, place))
    overlap = counted_until(zone, hostname, target)
    if overlap is None:
        return HostProgress(HostStage.LEAVING, until)
    return HostProgress(
        HostStage.LEAVING, overlap, heir=next(key for key, each in _wanting(zone, hostname) if each == target)
    )


def _held_up_by(zone: ZoneState, place: Place) -> ResourceKey | None:
    """Who keeps a hostname from leaving a list: a binding that has it on another and does not say what it needs of the
    rules that cover it."""
    leaves = any(key.state is ClaimState.LEAVING for key in zone.view.claim_keys(*place))
    return None if leaves else next((key for key, _ in _wanting(zone, place[1])), None)


def _wanting(zone: ZoneState, hostname: str) -> Iterator[tuple[ResourceKey, Target]]:
    for stake in (*zone.desired.own, *zone.desired.still):
        if hostname in stake.wants:
            yield stake.binding, stake.wants[hostname]
