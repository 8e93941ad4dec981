"""The walk of each place along a certificate's list, and the writes of the list.

This is the middle of the protocol in design.md (Arriving, Leaving), between the claim and the rule. The order of
readings, the waiting times and the unconditional writes are those that `sharing_protocol_sim.py` was run with.
"""

from __future__ import annotations

from collections.abc import Iterator

from mtls_operator.domain.marks import ClaimState
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.zone_agenda import Agenda, is_read, late_write_seen_at, look_for
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_leaving import announced_at, walk_unwanted
from mtls_operator.domain.zone_others import unready, withdrawn
from mtls_operator.domain.zone_overlap import takes_all_along
from mtls_operator.domain.zone_places import FRESH_SECONDS, ZoneState
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_steps import Conclude, ReadList, ReadRules, WriteList, ZoneStep


def agenda(zone: ZoneState) -> Agenda:
    """Walk every place that is wanted or to be given up."""
    result = Agenda()
    for place in sorted(zone.wanted):
        _walk_wanted(zone, result, place)
    for place, target in _lingering(zone):
        _depart(zone, result, place, target)
    for place in sorted(zone.unwanted):
        walk_unwanted(zone, result, place)
    shown_from = zone.known.shows_predecessor_from(zone.timing.window)
    if result.writes and shown_from is not None:
        result.wakes.append(shown_from)
    return result


def _walk_wanted(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    certificate, hostname = place
    if certificate in zone.known.missing:
        look_for(zone, agenda, certificate)
    elif zone.is_held(place):
        if zone.is_enforced_under(hostname, zone.wanted[place].policy):
            _keep(zone, agenda, place)
        else:
            _confirm(zone, agenda, place)
    elif hostname in zone.view.claimed(certificate, ClaimState.ARRIVING):
        _arrive(zone, agenda, place)


def steps(zone: ZoneState, agenda: Agenda) -> list[ZoneStep]:
    """Conclusions first, then readings, rules before lists, then writes on fresh readings."""
    if agenda.concluded:
        return [Conclude(frozenset(agenda.concluded))]
    if zone.rules.begun < agenda.rules_begun_after:
        return [ReadRules()]
    reads: list[ZoneStep] = [
        ReadList(certificate)
        for certificate, after in sorted(agenda.lists_begun_after.items())
        if not is_read(zone, certificate, after)
    ]
    return reads + [step for certificate in sorted(agenda.writes) for step in _write(zone, certificate)]


def _keep(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    """A held hostname whose rule is in force is left alone, unless a look is due or we put it on the list lately. Off
    the list it is put back at once: its rule stays, because without it the hostname would be open."""
    certificate, hostname = place
    put, reading = zone.known.put_since.get(place), zone.known.lists.get(certificate)
    if put is not None and not is_read(zone, certificate, _settled_at(zone, place, put)):
        if place in zone.known.put_back:
            agenda.settling.add(place)
        _follow(zone, agenda, place, put)
    elif (reading.begun if reading else float("-inf")) < zone.known.doubted:
        agenda.read_list(certificate, zone.known.doubted)
    elif reading is None and not zone.is_told_in_force(hostname):
        agenda.read_list(certificate, zone.known.started)
    elif reading is not None and hostname not in reading.value:
        _put_back(zone, agenda, place, reading.begun)


def _put_back(zone: ZoneState, agenda: Agenda, place: Place, read_at: float) -> None:
    """Seen off the list by a reading that is late enough to show what the process before us put there."""
    certificate, _ = place
    trusted_from = zone.known.started + zone.timing.window
    if read_at >= trusted_from:
        agenda.writes.add(certificate)
    elif zone.now >= trusted_from:
        agenda.read_list(certificate, trusted_from)
    else:
        agenda.wakes.append(trusted_from)


def _follow(zone: ZoneState, agenda: Agenda, place: Place, put: float) -> None:
    """After a write: read until it is seen, and once more when it has settled."""
    certificate, _ = place
    settled_at = _settled_at(zone, place, put)
    if zone.now < settled_at:
        _poll(zone, agenda, place, put, settled_at)
    else:
        agenda.read_list(certificate, settled_at)


def _settled_at(zone: ZoneState, place: Place, put: float) -> float:
    """When a hostname that was put on a certificate's list is safe there. Later where another installation writes the
    list, or decides about the hostname on another: what it does may rest on old readings."""
    certificate, hostname = place
    shared = zone.view.is_shared(certificate) or hostname in zone.view.known_to_others
    settle = zone.timing.shared_settle if shared else zone.timing.settle
    return max(put + settle, late_write_seen_at(zone, certificate))


def _confirm(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    """A held hostname is enforced only where this process has read it on the list."""
    certificate, hostname = place
    reading = zone.known.lists.get(certificate)
    trusted_from = zone.known.started + zone.timing.window
    if reading is None or reading.begun < zone.known.doubted:
        agenda.read_list(certificate, max(zone.known.started, zone.known.doubted))
    elif hostname in reading.value:
        # One that has to wait keeps the issuers that it waits for, and may change otherwise.
        withdraws = _withdraws(zone, place)
        if not withdraws or _may_withdraw(zone, agenda, place, zone.wanted[place]) or place in agenda.waiting:
            agenda.confirmed.add(place)
    elif reading.begun >= trusted_from:
        agenda.lost.add(place)
    elif zone.now >= trusted_from:
        agenda.read_list(certificate, trusted_from)
    else:
        agenda.wait(place, trusted_from)


def _withdraws(zone: ZoneState, place: Place) -> bool:
    """Whether all that is left to do for a hostname is to stop accepting a CA."""
    policy = zone.wanted[place].policy
    accepted = [key.policy.issuers for key in zone.view.enforcement_keys(place[1]) if key.enabled]
    kept = policy.issuers if policy else None
    return kept is not None and any(
        issuers is None or (kept < issuers and bool(withdrawn(zone, place[1], issuers, kept))) for issuers in accepted
    )


def _lingering(zone: ZoneState) -> Iterator[tuple[Place, Target]]:
    """Where hostnames are held and to stay that are held on an earlier list too, and no rule tells the CAs of one from
    those of the other. Who gets such a hostname may act with another token than who gives it up, which is the one to
    leave the earlier list with."""
    for hostname in sorted({place[1] for place in zone.unwanted if zone.is_held(place)}):
        target = zone.destination(hostname)
        if target is not None and target.policy is not None and not target.policy.pins:
            place = (target.certificate, hostname)
            if zone.is_held(place) and target.certificate not in zone.known.missing:
                yield place, target


def _depart(zone: ZoneState, agenda: Agenda, place: Place, target: Target) -> None:
    """The earlier list is left as if an issuer were withdrawn: others are ready, and the overlap is over. Where every
    CA goes along nobody has to get ready: installations that waited for that would wait for each other."""
    certificate, hostname = place
    if takes_all_along(zone, hostname, target):
        may_leave = _is_read_afresh(zone, agenda, place)
    else:
        may_leave = _may_withdraw(zone, agenda, place, target)
    if may_leave and hostname in zone.known.lists[certificate].value:
        agenda.moved.add(hostname)


def _may_withdraw(zone: ZoneState, agenda: Agenda, place: Place, target: Target) -> bool:
    waiting = unready(zone, place[1], target)
    if waiting:
        agenda.waiting[place] = waiting.owners
        if not waiting.owners and zone.now >= zone.removals_from:
            agenda.overlapping.add(place)
        if waiting.until is not None:
            agenda.wait(place, waiting.until)
        return False
    return _is_read_afresh(zone, agenda, place)


def _is_read_afresh(zone: ZoneState, agenda: Agenda, place: Place) -> bool:
    """Whether rules and list were: another installation may have come, or changed its mind, and somebody may have taken
    the hostname off the list that is all it will rely on."""
    fresh_after = zone.now - FRESH_SECONDS
    if zone.rules.begun < fresh_after:
        agenda.read_rules(fresh_after)
        return False
    if not is_read(zone, place[0], fresh_after):
        agenda.read_list(place[0], fresh_after)
        return False
    return True


def _arrive(zone: ZoneState, agenda: Agenda, place: Place) -> None:
    certificate, hostname = place
    put = zone.known.put_since.get(place)
    if put is None and _returns(zone, agenda, place):
        return
    if put is None:
        agenda.writes.add(certificate)
        return
    settled_at = _settled_at(zone, place, put)
    agenda.until[place] = settled_at
    if zone.now < settled_at:
        _poll(zone, agenda, place, put, settled_at)
    elif zone.rules.begun < settled_at:
        agenda.read_rules(settled_at)
    elif not is_read(zone, certificate, settled_at):
        agenda.read_list(certificate, settled_at)
    elif hostname in zone.known.lists[certificate].value:
        agenda.settled.add(place)
    else:
        agenda.writes.add(certificate)


def _returns(zone: ZoneState, agenda: Agenda, place: Place) -> bool:
    """A hostname that was enforced when somebody replaced the ruleset is enforced again as soon as it is read on its
    list: it never left it. False if it has to arrive like any other."""
    certificate, hostname = place
    since = zone.replaced_since
    is_open = hostname in zone.told_enforced and hostname not in zone.view.enforced
    if zone.now >= zone.removals_from or not is_open:
        return False
    claimed = zone.known.claimed_since.get((certificate, hostname, ClaimState.ARRIVING), since)
    after = max(since, claimed, zone.known.list_written.get(certificate, since))
    if not is_read(zone, certificate, after):
        agenda.read_list(certificate, after)
        return True
    if hostname in zone.known.lists[certificate].value:
        agenda.settled.add(place)
        return True
    return False


def _poll(zone: ZoneState, agenda: Agenda, place: Place, put: float, settled_at: float) -> None:
    """Read until the hostname is seen on the list, less and less often; then wait for the settle time."""
    certificate, hostname = place
    reading = zone.known.lists.get(certificate)
    if reading is None or reading.begun < put:
        agenda.read_list(certificate, put)
    elif hostname in reading.value:
        agenda.wait(place, settled_at)
    else:
        again = min(settled_at, reading.begun + max(zone.timing.poll, (reading.begun - put) / 2))
        if zone.now >= again:
            agenda.read_list(certificate, again)
        else:
            agenda.wakes.append(again)


def _write(zone: ZoneState, certificate: CertificateId) -> list[ZoneStep]:
    """Rules before the list: a claim that is gone was dropped a window after the list was clean of it."""
    shown_from = zone.known.shows_predecessor_from(zone.timing.window)
    if shown_from is not None and zone.now < shown_from:
        return []
    fresh_after = max(zone.now - FRESH_SECONDS, float("-inf") if shown_from is None else shown_from)
    if zone.rules.begun < fresh_after:
        return [ReadRules()]
    if not is_read(zone, certificate, max(fresh_after, zone.rules.begun)):
        return [ReadList(certificate)]
    return [WriteList(certificate, _content(zone, certificate), repairs=_is_repair(zone, certificate))]


def _is_repair(zone: ZoneState, certificate: CertificateId) -> bool:
    """Whether a hostname is missing that we hold, or have put there before."""
    held = zone.view.claimed(certificate, ClaimState.HELD) & zone.view.enforced
    put = frozenset(hostname for each, hostname in zone.known.put_since if each == certificate)
    return bool((held | put) - zone.known.lists[certificate].value)


def _content(zone: ZoneState, certificate: CertificateId) -> frozenset[str]:
    """What was read, without what was given up, with what is claimed. Foreign hostnames stay (invariant 3)."""
    view = zone.view
    kept = view.relied_on_by_others(certificate) | zone.untouchable(certificate)
    ours = view.claimed(certificate, ClaimState.ARRIVING) | view.claimed(certificate, ClaimState.HELD)
    given_up = (view.given_up_by_others(certificate) | _our_removals(zone, certificate)) - kept
    if zone.now < zone.removals_from:
        given_up = frozenset()
    observed = zone.known.lists[certificate].value
    return (observed - given_up) | view.relied_on_by_others(certificate) | ours


def _our_removals(zone: ZoneState, certificate: CertificateId) -> frozenset[str]:
    return frozenset(
        hostname
        for hostname in zone.view.claimed(certificate, ClaimState.LEAVING)
        if (certificate, hostname) in zone.unwanted and announced_at(zone, (certificate, hostname)) <= zone.rules.begun
    )
