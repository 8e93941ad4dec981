"""The walk of a place that is given up, down from its list: the second half of the protocol in design.md (Leaving).

    claim leaving -> others had time to see it -> off the list -> seen gone, or put back for others -> no claim

Who retains lets go of what stands, and takes nothing off.
"""

from __future__ import annotations

from mtls_operator.domain.marks import ClaimState
from mtls_operator.domain.zone_agenda import Agenda, is_read, late_write_seen_at, look_for
from mtls_operator.domain.zone_altered import is_in_altered_claim
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_places import FRESH_SECONDS, ZoneState


def walk_unwanted(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    """What is to be done now for a place that is owned and wanted by nobody."""
    certificate, hostname = place
    if place in zone.retained_places:
        _retain(zone, agenda, place)
    elif hostname in zone.view.claimed(certificate, ClaimState.LEAVING):
        if zone.now < zone.removals_from:
            agenda.wait(place, zone.removals_from)
        elif certificate in zone.known.missing:
            _leave_nothing(zone, agenda, place)
        else:
            _leave(zone, agenda, place)


def left(zone: ZoneState, agenda: Agenda) -> frozenset[Place]:
    """Places that are let go of for good. A hostname is let go of on all lists at once: of what remains claimed nobody
    would know that somebody wanted it to stay."""
    return frozenset(place for place in agenda.let_go if not _claimed(zone, place[1]))


def _leave_nothing(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    """A hostname is on no list of a certificate that does not exist, which is believed when it was said twice, with a
    consistency window between."""
    certificate, _ = place
    if zone.is_gone(certificate):
        agenda.concluded.add(place)
    else:
        look_for(zone, agenda, certificate)


def _leave(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    certificate, hostname = place
    taken_off = zone.known.taken_off_since.get(place)
    if taken_off is None:
        _take_off(zone, agenda, place)
        return
    announced = announced_at(zone, place)
    # Written without it too early, it may have been put back and dropped again by others until a window later.
    gone_at = zone.timing.window + (taken_off if taken_off >= announced else announced + zone.timing.window)
    gone_at = max(gone_at, late_write_seen_at(zone, certificate))
    if zone.now < gone_at:
        agenda.wait(place, gone_at)
    elif not is_read(zone, certificate, gone_at):
        agenda.read_list(certificate, gone_at)
    elif hostname not in zone.untouchable(certificate) and not _is_as_others_want(zone, place):
        agenda.writes.add(certificate)
    elif zone.rules.begun < zone.known.lists[certificate].begun:
        agenda.read_rules(zone.known.lists[certificate].begun)
    else:
        agenda.concluded.add(place)


def _retain(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    """The claim goes when the rules that cover the hostname are marked as retained, and when others have had time to
    see what we wrote last under it: it makes them wait for that (`Timing.shared_settle`). One that somebody altered
    goes before it: nobody would be left to remove it."""
    certificate, hostname = place
    if zone.known.rules_exact_from(zone.timing.window) is not None:
        return
    if not zone.view.is_retained(hostname) or is_in_altered_claim(zone, hostname):
        return
    if _claimed(zone, hostname) - zone.retained_places:
        # As long as it has to leave another list, it must be known on which ones the rule relies.
        return
    written = zone.known.list_written.get(certificate, zone.known.started)
    until = written + zone.timing.window + (zone.timing.slow_call if zone.view.is_shared(certificate) else 0.0)
    if zone.now < until and zone.view.claim_keys(certificate, hostname):
        agenda.wait(place, until)
    else:
        agenda.let_go.add(place)


def _claimed(zone: ZoneState, hostname: str) -> frozenset[Place]:
    """Where we claim a hostname for bindings that act with this token."""
    claimed = {(group.key.certificate, hostname) for group in zone.view.claims if hostname in group.hostnames}
    return zone.owned & claimed


def _take_off(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    """Others have had the window to see the claim `leaving`; theirs are read afresh before the list is written."""
    certificate, _ = place
    announced = announced_at(zone, place)
    fresh_after = max(announced, zone.now - FRESH_SECONDS)
    if zone.now < announced:
        agenda.wait(place, announced)
    elif zone.rules.begun < fresh_after:
        agenda.read_rules(fresh_after)
    elif _is_awaited(zone, place):
        return
    elif _is_kept(zone, place):
        agenda.concluded.add(place)
    else:
        agenda.writes.add(certificate)


def announced_at(zone: ZoneState, place: Place) -> float:
    """From when on no write of another installation can rest on our claim as it was before `leaving`, and the rule that
    relied on the list is gone from the whole edge.

    What a slow write brought back later, seen gone once, could come back from a list read before and a claim gone
    after."""
    certificate, hostname = place
    since = zone.known.claimed_since[(certificate, hostname, ClaimState.LEAVING)]
    seen = max(zone.timing.window, zone.timing.settle)
    return since + seen + (zone.timing.slow_call if zone.view.is_shared(certificate) else 0.0)


def _is_as_others_want(zone: ZoneState, place: Place) -> bool:
    """On the list exactly if another installation relies on it there."""
    certificate, hostname = place
    on_list = hostname in zone.known.lists[certificate].value
    return on_list == (hostname in zone.view.relied_on_by_others(certificate))


def _is_kept(zone: ZoneState, place: Place) -> bool:
    certificate, hostname = place
    return hostname in zone.view.relied_on_by_others(certificate) | zone.untouchable(certificate)


def _is_awaited(zone: ZoneState, place: Place) -> bool:
    """Whether a hostname that goes to another list is kept on this one by a rule that somebody left, and by nothing
    else. It leaves that rule when ours has settled, and nobody would know of this place any more. Where there is to be
    no rule of ours it never leaves it, and is not waited for."""
    certificate, hostname = place
    is_left = hostname in zone.view.left_by_others | zone.view.left_by_us
    is_needed = hostname in zone.view.relied_on_by_others(certificate) | zone.view.unreadable
    target = zone.destination(hostname)
    will_cover = target is not None and not (target.policy is not None and target.policy.is_bare)
    return is_left and not is_needed and will_cover
