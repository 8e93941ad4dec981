"""What the walk of all places along the lists comes to: what may happen to claims and rules, and what has to be read,
written or waited for."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_places import ZoneState


@dataclass(slots=True)
class Agenda:
    """What the walk of all places comes to."""

    settled: set[Place] = field(default_factory=set)
    """Arrived: the claim may become `held`."""
    confirmed: set[Place] = field(default_factory=set)
    """Held, read on the list, and not yet enforced as wanted: may be."""
    lost: set[Place] = field(default_factory=set)
    """Held, but not on the list: has to arrive again before it is enforced."""
    concluded: set[Place] = field(default_factory=set)
    """Given up: the claim may go."""
    let_go: set[Place] = field(default_factory=set)
    """Left in force, with everything marked for it: the claim may go."""
    writes: set[CertificateId] = field(default_factory=set)
    rules_begun_after: float = float("-inf")
    lists_begun_after: dict[CertificateId, float] = field(default_factory=dict)
    until: dict[Place, float] = field(default_factory=dict)
    waiting: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    """The ownerIds of the installations that are not ready for what is wanted of a hostname."""
    settling: set[Place] = field(default_factory=set)
    """Enforced and put back on the list, where they have to settle again."""
    moved: set[str] = field(default_factory=set)
    """Hostnames whose earlier list nobody needs any more, where no rule tells one CA from the other."""
    overlapping: set[Place] = field(default_factory=set)
    """In force as wanted, with the CA from before beside it until its overlap is over."""
    wakes: list[float] = field(default_factory=list)

    def read_rules(self, after: float) -> None:
        self.rules_begun_after = max(self.rules_begun_after, after)

    def read_list(self, certificate: CertificateId, after: float) -> None:
        self.lists_begun_after[certificate] = max(after, self.lists_begun_after.get(certificate, after))

    def wait(self, place: Place, until: float) -> None:
        self.until[place] = until
        self.wakes.append(until)


def look_at(zone: ZoneState, agenda: Agenda, certificate: CertificateId) -> None:
    """Read a list once if a look is due, whatever is to be done with its hostnames: also if nothing is."""
    _, asked = zone.known.missing.get(certificate, (0.0, float("-inf")))
    if asked < zone.known.doubted:
        agenda.read_list(certificate, zone.known.doubted)


def look_for(zone: ZoneState, agenda: Agenda, certificate: CertificateId) -> None:
    """Ask for the list of a certificate that was not there when it was asked for last, after a pause."""
    again = zone.asked_again_at(certificate)
    if zone.now >= again:
        agenda.read_list(certificate, again)
    else:
        agenda.wakes.append(again)


def is_read(zone: ZoneState, certificate: CertificateId, after: float) -> bool:
    """Whether a list is known by a reading that was begun at a moment or later."""
    reading = zone.known.lists.get(certificate)
    return reading is not None and reading.begun >= after


def late_write_seen_at(zone: ZoneState, certificate: CertificateId) -> float:
    """From when on a reading shows what a write of ours did that was given up and took effect after a later one."""
    lost = zone.known.list_lost.get(certificate)
    return float("-inf") if lost is None else lost + zone.timing.slow_call + zone.timing.window
