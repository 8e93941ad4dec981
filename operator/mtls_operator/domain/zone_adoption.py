"""Hostnames that a binding with `adoptionPolicy: Never` does not take, because somebody has put them on the list.

| the hostname on the list of the CA                  | then                                                     |
|-----------------------------------------------------|----------------------------------------------------------|
| is recorded by a binding of ours, or claimed by us  | it is ours, whatever the policy says                     |
| is claimed or left in force by an installation      | it is shared: the policy concerns only what has no mark  |
| is not there, by a reading begun just now           | it comes, and is ours from then on                       |
| is there, and cannot be what we took off lately     | it stays foreign: refused, until it is seen gone         |

Decided before the hostname is recorded: what is recorded counts as ours, and would be taken off some day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_places import FRESH_SECONDS, ZoneState
from mtls_operator.domain.zone_stakes import Desired, Stake


@dataclass(slots=True)
class Reserve:
    """What is not asked for now, by binding, and what has to be read or waited for to decide on it."""

    refused: dict[ResourceKey, set[str]] = field(default_factory=dict)
    undecided: dict[ResourceKey, set[str]] = field(default_factory=dict)
    lists_begun_after: dict[CertificateId, float] = field(default_factory=dict)
    wakes: list[float] = field(default_factory=list)

    def leave(self, desired: Desired) -> Desired:
        """What is left to want."""
        return replace(desired, stakes=tuple(self._leave(stake) for stake in desired.stakes))

    def _leave(self, stake: Stake) -> Stake:
        apart = self.refused.get(stake.binding, set()) | self.undecided.get(stake.binding, set())
        if not apart:
            return stake
        return replace(stake, wants={name: target for name, target in stake.wants.items() if name not in apart})


def reserve(zone: ZoneState) -> Reserve:
    """What bindings that adopt nothing may not have, or not yet."""
    found = Reserve()
    for stake, place in _strangers(zone.desired):
        if not _is_marked(zone, place):
            _judge(zone, found, stake.binding, place)
    return found


def _judge(zone: ZoneState, found: Reserve, binding: ResourceKey, place: Place) -> None:
    certificate, hostname = place
    if certificate in zone.known.missing:
        _ask_again(zone, found, certificate)
        found.undecided.setdefault(binding, set()).add(hostname)
        return
    reading = zone.known.lists.get(certificate)
    believed_from = _ours_gone_at(zone, place)
    if reading is None or hostname not in reading.value:
        if reading is not None and reading.begun >= zone.now - FRESH_SECONDS:
            return
        found.lists_begun_after[certificate] = zone.now - FRESH_SECONDS
    elif reading.begun >= believed_from:
        found.refused.setdefault(binding, set()).add(hostname)
        found.lists_begun_after.setdefault(certificate, zone.known.doubted)
        return
    elif zone.now >= believed_from:
        found.lists_begun_after[certificate] = believed_from
    else:
        found.wakes.append(believed_from)
    found.undecided.setdefault(binding, set()).add(hostname)


def _ask_again(zone: ZoneState, found: Reserve, certificate: CertificateId) -> None:
    again = zone.asked_again_at(certificate)
    if zone.now >= again:
        found.lists_begun_after[certificate] = again
    else:
        found.wakes.append(again)


def _ours_gone_at(zone: ZoneState, place: Place) -> float:
    """From when on no reading shows what we, or the process before us, took off the list."""
    certificate, _ = place
    began = zone.known.started
    if place in zone.known.released:
        began = max(began, zone.known.list_written.get(certificate, began))
    return began + zone.timing.window


def _strangers(desired: Desired) -> Iterator[tuple[Stake, Place]]:
    """Places that a binding wants without adopting, and that no binding of the cluster has recorded."""
    known = desired.recorded()
    for stake in desired.stakes:
        if not stake.adopts:
            for place in sorted((target.certificate, name) for name, target in stake.wants.items()):
                if place not in known:
                    yield stake, place


def _is_marked(zone: ZoneState, place: Place) -> bool:
    """Whether some installation of this operator, be it ours, has a claim on the place or a rule for the hostname."""
    certificate, hostname = place
    claimed = any(hostname in each.hostnames and certificate in each.certificate_ids for each in zone.view.others)
    left = any(hostname in rule.hostnames for rule in zone.view.rules_of_others)
    return claimed or left or bool(zone.view.claim_keys(*place)) or bool(zone.view.enforcement_keys(hostname))
