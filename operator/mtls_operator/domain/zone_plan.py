"""What to do next in a zone: desired x known -> steps.

Theory. Every hostname on the list of a certificate (a *place*) walks along one line, and design.md's protocol of
arriving and leaving is the order of the stops. Where a place stands is read from what Cloudflare holds (claims,
list, enforcement rules) and from when this process saw it; nothing else is needed, so a crash loses time only.
One thing is in neither: until when nothing may be removed after somebody replaced the ruleset. Statuses say it.

    wanted:    recorded in status -> claim arriving -> on the list, seen, settled -> claim held -> enforced
    unwanted:  not enforced -> claim leaving -> window -> off the list, window, seen gone -> no claim -> struck

Rules of this module:
- Only the first step is executed; then the plan is made again from what is known after it. Later steps are what
  would follow as far as it can be told now.
- The plan is empty when nothing is wrong. `wake_at` says when time alone makes a difference.
- A place that is ours by claim but wanted by nobody and in no status is an orphan: it is left as it is.
- What is read must be fresh for what is decided on it: each comparison with a time says for what.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mtls_operator.domain import (
    zone_adoption,
    zone_leaving,
    zone_lists,
    zone_others,
    zone_revocation,
    zone_rules,
    zone_succession,
)
from mtls_operator.domain.marks import ClaimState, Installation
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.zone_agenda import Agenda, look_at
from mtls_operator.domain.zone_knowledge import Place, ZoneKnowledge
from mtls_operator.domain.zone_overlap import counted_until
from mtls_operator.domain.zone_places import Timing, ZoneState, removals_from
from mtls_operator.domain.zone_revocation import Intent
from mtls_operator.domain.zone_stakes import Desired, Stake, Target
from mtls_operator.domain.zone_steps import (
    Managed,
    NoteReplacement,
    ReadRules,
    RecordManaged,
    ZoneStep,
)
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


@dataclass(frozen=True, slots=True)
class HostProgress:
    """The stage of a hostname, and until when (same clock as the plan) it cannot go on, if that is known."""

    stage: HostStage
    until: float | None = None
    waits_for: tuple[str, ...] = ()
    """The ownerIds of installations that have to get ready first."""
    cramped: bool = False
    """No rule has room for the issuers that are in force and those that are wanted."""
    missing: bool = False
    """Somebody took it off the list: it is being put back, while its rule stays."""
    contested: bool = False
    """Somebody keeps taking it off the list."""
    held_up_by: ResourceKey | None = None
    """A binding that has the hostname on another list and cannot be reconciled: what it needs is not known."""
    heir: ResourceKey | None = None
    """Another binding that gets it, with another CA: both are accepted until its overlap is over."""
    unrevoked: int = 0
    """How many serial numbers that its CAs revoked are not in rules, for lack of room."""
    to_revoke: int = 0
    """How many are about to be."""


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """The steps, of which the first is to be done now, and when to look again though nothing has happened."""

    steps: tuple[ZoneStep, ...]
    wake_at: float | None
    progress: Mapping[ResourceKey, Mapping[str, HostProgress]] | None
    """Where the hostnames of each stake stand; None while that cannot be told, because the rules must be read."""
    undecided: frozenset[ResourceKey] = frozenset()
    """Bindings of which nothing can be told either, because it is not known yet what they may adopt."""
    contradicted: Mapping[str, str] = field(default_factory=dict)
    """Hostnames that another installation has in a way that contradicts, with its ownerId."""
    unwelcome: frozenset[Place] = frozenset()
    """Where hostnames that are ours are to go though another installation has them otherwise."""
    rival: Installation | None = None
    """An installation of another cluster that uses our ownerId: nothing is written while it does."""
    put_back_until: float | None = None
    """Somebody replaced the ruleset: what was in force is put back, and nothing is removed until then."""


def plan_zone(desired: Desired, known: ZoneKnowledge, now: float, timing: Timing) -> ZonePlan:
    """Decide the next steps in a zone. Pure: equal arguments give an equal plan."""
    allowed_from = removals_from(desired, known, timing)
    banned_until = allowed_from if now < allowed_from else None
    if not any(stake.wants or stake.managed for stake in desired.own):
        return ZonePlan(tuple(_finalizer_removals(desired)), None, {}, put_back_until=banned_until)
    if known.rules is None or known.rules_must_be_read:
        return ZonePlan((*_finalizer_removals(desired), ReadRules()), None, None, put_back_until=banned_until)
    asked = ZoneState(desired, known, known.rules, now, timing)
    rival = zone_succession.impostor(asked)
    if rival is not None:
        return replace(_halted(asked, rival), put_back_until=banned_until)
    if asked.has_vanished:
        return ZonePlan((NoteReplacement(),), None, None, put_back_until=banned_until)
    contradicted = zone_others.contradicted(asked)
    free = replace(asked, desired=_without(desired, contradicted)) if contradicted else asked
    reserve = zone_adoption.reserve(free)
    zone = replace(free, desired=reserve.leave(free.desired))
    agenda = zone_lists.agenda(zone)
    _look(zone, agenda)
    revocation = zone_revocation.intent(zone, agenda)
    for certificate, after in reserve.lists_begun_after.items():
        agenda.read_list(certificate, after)
    gone = zone_leaving.left(zone, agenda) | {each for each in known.released if not zone.view.claim_keys(*each)}
    contests = [until for place in known.undone if (until := zone.contested_until(place)) > now]
    wakes = [
        *agenda.wakes,
        *reserve.wakes,
        *_rule_wakes(zone),
        *zone_rules.wakes(zone),
        *zone_succession.wakes(zone),
        *contests,
    ]
    return ZonePlan(
        (
            *_cluster_steps(zone.desired, gone),
            *zone_rules.edits(zone, agenda, revocation),
            *zone_lists.steps(zone, agenda),
        ),
        min(wakes, default=None),
        _progress(zone, agenda, reserve.refused, revocation),
        frozenset(reserve.undecided),
        contradicted,
        zone_others.unwelcome(asked),
        put_back_until=banned_until,
    )


def _halted(zone: ZoneState, rival: Installation) -> ZonePlan:
    """Nothing is written where another cluster acts under our name; only looked at again when a look is due."""
    agenda = Agenda()
    _look(zone, agenda)
    steps = (*_finalizer_removals(zone.desired), *zone_lists.steps(zone, agenda))
    return ZonePlan(steps, None, _progress(zone, agenda, {}, Intent({})), rival=rival)


def _look(zone: ZoneState, agenda: Agenda) -> None:
    """A look that is due reads the rules and every list that somebody owns something on, also what is laid aside."""
    agenda.read_rules(zone.known.doubted)
    for certificate in {certificate for stake in zone.desired.own for certificate in stake.managed}:
        look_at(zone, agenda, certificate)


def _without(desired: Desired, contradicted: Collection[str]) -> Desired:
    """What is left to want: what another installation has otherwise is not brought in, or taken back."""
    return replace(
        desired,
        stakes=tuple(
            replace(stake, wants={name: each for name, each in stake.wants.items() if name not in contradicted})
            for stake in desired.stakes
        ),
    )


def _cluster_steps(desired: Desired, gone: frozenset[Place]) -> list[ZoneStep]:
    """What is written to the cluster: first, because a binding that is done must not wait for a call of another."""
    return [*_finalizer_removals(desired), *_finalizer_additions(desired), *_records(desired, gone)]


def _finalizer_additions(desired: Desired) -> list[ZoneStep]:
    return [
        AddFinalizer(stake.binding)
        for stake in desired.own
        if stake.wants and not stake.has_finalizer and not stake.deleting
    ]


def _finalizer_removals(desired: Desired) -> list[ZoneStep]:
    return [
        RemoveFinalizer(stake.binding)
        for stake in desired.own
        if stake.deleting and stake.has_finalizer and not stake.managed
    ]


def _records(desired: Desired, gone: frozenset[Place]) -> list[ZoneStep]:
    """The status is the intent log: a hostname is recorded before it is added, and struck after it is gone, or when
    another binding of the cluster has it in its own status."""
    holders = _holders(desired)
    steps: list[ZoneStep] = []
    for stake in desired.stakes:
        recorded, wanted = _places(stake.managed), _wanted_places(stake)
        others = {place for place, holder in holders.items() if holder != stake.binding} - _kept_places(stake)
        struck = (recorded - wanted) & (gone | others)
        if struck or not wanted <= recorded:
            steps.append(RecordManaged(stake.binding, _managed((recorded - struck) | wanted)))
    return steps


def _holders(desired: Desired) -> dict[Place, ResourceKey]:
    """For each place a binding that wants it, be it beside another one, and has recorded it."""
    everybody = (*desired.own, *desired.still)
    return {place: stake.binding for stake in everybody for place in _kept_places(stake)}


def _kept_places(stake: Stake) -> frozenset[Place]:
    beside = {(each, hostname) for hostname, target in stake.wants.items() for each in target.beside}
    return (_wanted_places(stake) | beside) & _places(stake.managed)


def _wanted_places(stake: Stake) -> frozenset[Place]:
    return frozenset((target.certificate, hostname) for hostname, target in stake.wants.items())


def _progress(
    zone: ZoneState, agenda: Agenda, refused: Mapping[ResourceKey, Collection[str]], revocation: Intent
) -> dict[ResourceKey, dict[str, HostProgress]]:
    return {
        stake.binding: {
            place[1]: replace(
                _host_progress(zone, agenda, place, is_leaving=_is_leaving(zone, stake, place)),
                contested=zone.now < zone.contested_until(place),
                unrevoked=revocation.left_out.get(place[1], 0),
                to_revoke=revocation.lacking.get(place[1], 0),
            )
            for place in sorted(_shown_places(stake), key=lambda place: _relevance(zone, place))
        }
        | dict.fromkeys(refused.get(stake.binding, ()), HostProgress(HostStage.REFUSED))
        for stake in zone.desired.own
    }


def _relevance(zone: ZoneState, place: Place) -> tuple[bool, bool, Place]:
    """Of several places of a hostname the last tells how far it is: the one that is wanted, and says how."""
    target = zone.wanted.get(place)
    return (target is not None, target is not None and target.policy is not None, place)


def _shown_places(stake: Stake) -> frozenset[Place]:
    return _places(stake.managed) | _wanted_places(stake)


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
    if any(key.enabled for key in zone.view.enforcement_keys(place[1])):
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
    if is_there and not _is_bare(policy):
        return _in_force(zone, place, until if overlaps else None, missing=missing)
    if not is_there and (_is_covered(zone, place) or _is_put_back(zone, place)):
        return _settling(zone, place) or _moving(zone, agenda, place)
    if held:
        waits_for = zone_others.refusing(zone, hostname, zone.wanted[place]) if _is_bare(policy) else ()
        return HostProgress(HostStage.ASSOCIATED, waits_for=waits_for, missing=_is_bare(policy) and missing)
    arriving = hostname in zone.view.claimed(certificate, ClaimState.ARRIVING)
    return HostProgress(HostStage.ARRIVING if arriving else HostStage.PENDING, until)


def _in_force(zone: ZoneState, place: Place, until: float | None, *, missing: bool) -> HostProgress:
    """Under its rule, once that has reached the whole edge: until then a client without a certificate may get in. In a
    rotation it goes on being on its way as long as another installation refuses clients of the new CA."""
    policy = _policy(zone, place)
    waits_for = zone_others.refusing(zone, place[1], zone.wanted[place]) if policy is not None else ()
    actions = {key.policy.action for key in zone.view.enforcement_keys(place[1])}
    if policy.action == LOG if policy is not None else BLOCK not in actions:
        return HostProgress(HostStage.LOGGED, until, waits_for, missing=missing)
    if settling := _settling(zone, place):
        return settling
    stage = HostStage.MOVING if waits_for else HostStage.ENFORCED
    return HostProgress(stage, until, waits_for, missing=missing)


def _moving(zone: ZoneState, agenda: Agenda, place: Place) -> HostProgress:
    policy = _policy(zone, place)
    cramped = policy is not None and zone_rules.is_cramped(zone, place[1], policy)
    return HostProgress(HostStage.MOVING, agenda.until.get(place), agenda.waiting.get(place, ()), cramped=cramped)


def _settling(zone: ZoneState, place: Place) -> HostProgress | None:
    """How far a hostname is whose rule, whatever becomes of it now, has not reached the whole edge, or does not yet
    accept there what it accepts; else None."""
    policy = _policy(zone, place)
    if policy is not None and policy.action != BLOCK:
        return None
    settled_at = zone.rule_settled_at(place[1], BLOCK)
    if zone.now < settled_at < float("inf"):
        return HostProgress(HostStage.ASSOCIATED, settled_at)
    if not zone.is_told_in_force(place[1]) and place[0] not in zone.known.lists:
        return HostProgress(HostStage.MOVING)
    accepted_from = zone.accepted_from(place[1], policy.issuers) if policy is not None else float("-inf")
    if zone.now < accepted_from < float("inf"):
        return HostProgress(HostStage.MOVING, accepted_from)
    return None


def _rule_wakes(zone: ZoneState) -> list[float]:
    """When rules have reached the whole edge."""
    times = [zone.rule_settled_at(hostname, BLOCK) for hostname in zone.wanted_hostnames & zone.view.enforced]
    policies = [(place[1], target.policy) for place, target in zone.wanted.items() if target.policy is not None]
    times += [zone.accepted_from(hostname, policy.issuers) for hostname, policy in policies if policy.action == BLOCK]
    return [at for at in times if zone.now < at < float("inf")]


def _is_bare(policy: Policy | None) -> bool:
    return policy is not None and policy.is_bare


def _is_accepted(zone: ZoneState, place: Place) -> bool:
    """Whether a rule acts on requests to the hostname, and lets in whom the wanted one would."""
    policy = _policy(zone, place)
    return _is_covered(zone, place) and (
        policy is None or policy.action != BLOCK or zone.accepted_from(place[1], policy.issuers) < float("inf")
    )


def _is_covered(zone: ZoneState, place: Place) -> bool:
    """Whether a rule acts on requests to the hostname at least as severely as is wanted."""
    policy = _policy(zone, place)
    accepted = {BLOCK} if policy is not None and policy.action == BLOCK else {BLOCK, LOG}
    return any(key.enabled and key.policy.action in accepted for key in zone.view.enforcement_keys(place[1]))


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


def _places(managed: Managed) -> frozenset[Place]:
    return frozenset((certificate, hostname) for certificate, names in managed.items() for hostname in names)


def _managed(places: frozenset[Place]) -> Managed:
    certificates = {certificate for certificate, _ in places}
    return {c: frozenset(hostname for each, hostname in places if each == c) for c in sorted(certificates)}
