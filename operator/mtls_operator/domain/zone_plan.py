"""What to do next in a zone: desired x known -> steps.

Theory. Every hostname on the list of a certificate (a *place*) walks along one line, and design.md's protocol of
arriving and leaving is the order of the stops. Where a place stands is read from what Cloudflare holds (claims,
list, enforcement rules) and from when this process saw it; nothing else is remembered, so a crash loses time only.

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

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mtls_operator.domain import zone_adoption, zone_lists, zone_rules
from mtls_operator.domain.marks import ClaimState
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.zone_knowledge import Place, ZoneKnowledge
from mtls_operator.domain.zone_places import Desired, Stake, Timing, ZoneState
from mtls_operator.domain.zone_steps import (
    Managed,
    ReadRules,
    RecordManaged,
    ZoneStep,
)


class HostStage(StrEnum):
    """Where a hostname of a binding stands; shown in `status.hostnames`."""

    PENDING = "Pending"
    ARRIVING = "Arriving"
    ASSOCIATED = "Associated"
    ENFORCED = "Enforced"
    LEAVING = "Leaving"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class HostProgress:
    """The stage of a hostname, and until when (same clock as the plan) it cannot go on, if that is known."""

    stage: HostStage
    until: float | None = None


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """The steps, of which the first is to be done now, and when to look again though nothing has happened."""

    steps: tuple[ZoneStep, ...]
    wake_at: float | None
    progress: Mapping[ResourceKey, Mapping[str, HostProgress]] | None
    """Where the hostnames of each stake stand; None while that cannot be told, because the rules must be read."""
    undecided: frozenset[ResourceKey] = frozenset()
    """Bindings of which nothing can be told either, because it is not known yet what they may adopt."""


def plan_zone(desired: Desired, known: ZoneKnowledge, now: float, timing: Timing) -> ZonePlan:
    """Decide the next steps in a zone. Pure: equal arguments give an equal plan."""
    if not any(stake.wants or stake.managed for stake in desired.own):
        return ZonePlan(tuple(_finalizer_removals(desired)), None, {})
    if known.rules is None or known.rules_must_be_read:
        asked = zone_adoption.unread(desired).leave(desired)
        return ZonePlan((*_cluster_steps(asked, frozenset()), ReadRules()), None, None)
    asked_for = ZoneState(desired, known, known.rules, now, timing)
    reserve = zone_adoption.reserve(asked_for)
    zone = replace(asked_for, desired=reserve.leave(desired))
    agenda = zone_lists.agenda(zone)
    for certificate, after in reserve.lists_begun_after.items():
        agenda.read_list(certificate, after)
    gone = frozenset(place for place in known.released | agenda.let_go if not zone.view.claim_keys(*place))
    steps = [*_cluster_steps(zone.desired, gone), *zone_rules.edits(zone, agenda), *zone_lists.steps(zone, agenda)]
    wakes = [*agenda.wakes, *reserve.wakes, *zone_rules.wakes(zone)]
    return ZonePlan(
        tuple(steps), min(wakes, default=None), _progress(zone, agenda, reserve.refused), frozenset(reserve.undecided)
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
        struck = {
            place for place in recorded - wanted if place in gone or holders.get(place, stake.binding) != stake.binding
        }
        if struck or not wanted <= recorded:
            steps.append(RecordManaged(stake.binding, _managed((recorded - struck) | wanted)))
    return steps


def _holders(desired: Desired) -> dict[Place, ResourceKey]:
    """For each place a binding that wants it and has recorded it."""
    everybody = (*desired.own, *desired.still)
    return {place: stake.binding for stake in everybody for place in _wanted_places(stake) & _places(stake.managed)}


def _wanted_places(stake: Stake) -> frozenset[Place]:
    return frozenset((target.certificate, hostname) for hostname, target in stake.wants.items())


def _progress(
    zone: ZoneState, agenda: zone_lists.Agenda, refused: Mapping[ResourceKey, Collection[str]]
) -> dict[ResourceKey, dict[str, HostProgress]]:
    return {
        stake.binding: {
            place[1]: _host_progress(zone, agenda, place, is_leaving=_is_leaving(zone, stake, place))
            for place in sorted(_shown_places(stake))
        }
        | dict.fromkeys(refused.get(stake.binding, ()), HostProgress(HostStage.REFUSED))
        for stake in zone.desired.own
    }


def _shown_places(stake: Stake) -> frozenset[Place]:
    return _places(stake.managed) | _wanted_places(stake)


def _is_leaving(zone: ZoneState, stake: Stake, place: Place) -> bool:
    """Whether a hostname is being given up, or was when its binding was laid aside."""
    if not stake.idle:
        return place not in zone.wanted
    return [key.state for key in zone.view.claim_keys(*place)] == [ClaimState.LEAVING]


def _host_progress(zone: ZoneState, agenda: zone_lists.Agenda, place: Place, *, is_leaving: bool) -> HostProgress:
    certificate, hostname = place
    until = agenda.until.get(place)
    if is_leaving:
        return HostProgress(HostStage.LEAVING, until)
    held = hostname in zone.view.claimed(certificate, ClaimState.HELD)
    if held and hostname in zone.view.enforced:
        return HostProgress(HostStage.ENFORCED)
    if held:
        return HostProgress(HostStage.ASSOCIATED)
    arriving = hostname in zone.view.claimed(certificate, ClaimState.ARRIVING)
    return HostProgress(HostStage.ARRIVING if arriving else HostStage.PENDING, until)


def _places(managed: Managed) -> frozenset[Place]:
    return frozenset((certificate, hostname) for certificate, names in managed.items() for hostname in names)


def _managed(places: frozenset[Place]) -> Managed:
    certificates = {certificate for certificate, _ in places}
    return {c: frozenset(hostname for each, hostname in places if each == c) for c in sorted(certificates)}
