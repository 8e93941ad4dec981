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
- A place that is ours by claim and in no status was forgotten: a binding that wants the hostname, be it elsewhere,
  takes it into its status. Where none does it is an orphan: it is left as it is.
- What is read must be fresh for what is decided on it: each comparison with a time says for what.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from mtls_operator.domain import (
    zone_adoption,
    zone_leaving,
    zone_lists,
    zone_others,
    zone_progress,
    zone_revocation,
    zone_rules,
    zone_succession,
)
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.zone_agenda import Agenda, look_at
from mtls_operator.domain.zone_knowledge import Place, ZoneKnowledge
from mtls_operator.domain.zone_places import Timing, ZoneState, removals_from
from mtls_operator.domain.zone_progress import HostProgress
from mtls_operator.domain.zone_revocation import Intent
from mtls_operator.domain.zone_stakes import Desired, Stake, recorded_by
from mtls_operator.domain.zone_steps import (
    Managed,
    NoteReplacement,
    ReadRules,
    RecordManaged,
    ZoneStep,
)


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
    rival = zone_succession.impostor(asked.view, desired.installation, desired.predecessors)
    if rival is not None:
        return replace(_halted(asked, rival), put_back_until=banned_until)
    if asked.has_vanished:
        return ZonePlan((NoteReplacement(),), None, None, put_back_until=banned_until)
    contradicted, contradicted_still = zone_others.contradicted(asked), zone_others.contradicted_still(asked)
    free = asked
    if contradicted or contradicted_still:
        own, still = _without(desired.stakes, contradicted), _without(desired.still, contradicted_still)
        free = replace(asked, desired=replace(desired, stakes=own, still=still))
    reserve = zone_adoption.reserve(free)
    zone = replace(free, desired=reserve.leave(free.desired))
    agenda = zone_lists.agenda(zone)
    _look(zone, agenda)
    revocation = zone_revocation.intent(zone, agenda)
    for certificate, after in reserve.lists_begun_after.items():
        agenda.read_list(certificate, after)
    gone = zone_leaving.left(zone, agenda) | {each for each in known.released if not zone.view.claim_keys(*each)}
    wakes = [
        *agenda.wakes,
        *reserve.wakes,
        *zone_progress.rule_wakes(zone),
        *zone_rules.wakes(zone),
        *zone_succession.wakes(zone),
        *zone.contests_end(),
    ]
    return ZonePlan(
        (
            *_cluster_steps(zone, gone),
            *zone_rules.edits(zone, agenda, revocation),
            *zone_lists.steps(zone, agenda),
        ),
        min(wakes, default=None),
        zone_progress.progress(zone, agenda, reserve.refused, revocation),
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
    return ZonePlan(steps, None, zone_progress.progress(zone, agenda, {}, Intent({})), rival=rival)


def _look(zone: ZoneState, agenda: Agenda) -> None:
    """A look that is due reads the rules and every list that somebody owns something on, also what is laid aside."""
    agenda.read_rules(zone.known.doubted)
    for certificate in {certificate for stake in zone.desired.own for certificate in stake.managed}:
        look_at(zone, agenda, certificate)


def _without(stakes: tuple[Stake, ...], contradicted: Collection[str]) -> tuple[Stake, ...]:
    """What is left to want: what another installation has otherwise is not brought in, or taken back."""
    return tuple(
        replace(stake, wants={name: each for name, each in stake.wants.items() if name not in contradicted})
        for stake in stakes
    )


def _cluster_steps(zone: ZoneState, gone: frozenset[Place]) -> list[ZoneStep]:
    """What is written to the cluster: first, because a binding that is done must not wait for a call of another."""
    return [*_finalizer_removals(zone.desired), *_finalizer_additions(zone.desired), *_records(zone, gone)]


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


def _records(zone: ZoneState, gone: frozenset[Place]) -> list[ZoneStep]:
    """The status is the intent log: a hostname is recorded before it is added, and struck after it is gone, or when
    another binding of the cluster has it in its own status. What was forgotten is recorded again."""
    holders, known = _holders(zone.desired), zone.desired.recorded()
    steps: list[ZoneStep] = []
    for stake in zone.desired.stakes:
        recorded, wanted = recorded_by([stake]), _wanted_places(stake, known) | _forgotten(zone, stake)
        others = {place for place, holder in holders.items() if holder != stake.binding}
        struck = (recorded - wanted) & (gone | others)
        if struck or not wanted <= recorded:
            # What stands still of the same binding stays in its status.
            standing = recorded_by(each for each in zone.desired.idle if each.binding == stake.binding)
            managed = _managed((recorded - struck) | wanted | standing)
            steps.append(RecordManaged(stake.binding, managed, _certificates((wanted - known) & zone.claimed)))
    return steps


def _holders(desired: Desired) -> dict[Place, ResourceKey]:
    """For each place a binding that wants it, be it beside another one, and has recorded it."""
    everybody = [(stake, recorded_by([stake])) for stake in (*desired.own, *desired.still)]
    return {
        place: stake.binding for stake, recorded in everybody for place in _wanted_places(stake, recorded) & recorded
    }


def _wanted_places(stake: Stake, recorded: frozenset[Place]) -> frozenset[Place]:
    """Where a binding wants its hostnames: also beside the place that they go to, where they are `recorded`."""
    beside = {(each, hostname) for hostname, target in stake.wants.items() for each in target.beside}
    return frozenset((target.certificate, hostname) for hostname, target in stake.wants.items()) | (beside & recorded)


def _forgotten(zone: ZoneState, stake: Stake) -> frozenset[Place]:
    wanted = [hostname for hostname, target in stake.wants.items() if target.policy is not None]
    return frozenset((each, hostname) for hostname in wanted for each in zone.forgotten.get(hostname, ()))


def _managed(places: frozenset[Place]) -> Managed:
    return {c: frozenset(name for each, name in places if each == c) for c in sorted(_certificates(places))}


def _certificates(places: frozenset[Place]) -> frozenset[CertificateId]:
    return frozenset(certificate for certificate, _ in places)
