"""The overlap of a hostname that moves to another CA: both are accepted for as long as the new one's `overlap` says.

A change of `certificateAuthorityRef` is a rotation of these hostnames (design.md). A CA's own rotation counts its
overlap in its status; here it is counted in the claim that still holds the hostname on the earlier list, as `until`,
from the moment at which the new CA is in force beside the earlier one and no rule of another installation refuses its
clients, which is counted anew if one does later. So it survives a restart, and other installations see it. It makes no
difference whether the binding changes or another one gets the hostname, be it because this one is deleted: its deletion
waits for the overlap (docs/adr/0017).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from mtls_operator.api.times import format_moment
from mtls_operator.domain.marks import NOT_COUNTED, ClaimState, Enforcement
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_places import ZoneState
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import BLOCK, ClaimKey, Policy


def told_until(zone: ZoneState, place: Place, target: Target) -> str | None:
    """What the claims on the earlier list say of how long its CA is accepted; None while that is not counted. From one
    claim to another a hostname goes in two steps: as soon as one of them counts, what it says stands."""
    if not _is_counted_here(zone, place, target):
        return target.until
    if not all(accepts(rule, target) for rule in rules_on(zone, place[1])):
        return None
    counted = [_end(zone, key, target) for key in zone.view.claim_keys(*place) if _is_counted(key, target)]
    if counted:
        return _moment(min(counted))
    return _moment(zone.now + target.overlap) if _is_in_force(zone, place[1], target) else None


def overlap_until(zone: ZoneState, hostname: str, target: Target) -> float | None:
    """Until when the earlier CA of a hostname is accepted, in seconds since the epoch; None: there is none any more."""
    ends = [_end(zone, key, target) for place, key in _earlier(zone, hostname) if _is_counted_here(zone, place, target)]
    return max((end for end in ends if end > zone.now), default=None)


def counted_until(zone: ZoneState, hostname: str, target: Target) -> float | None:
    """The same, once it is counted: what a condition can say without saying something else a moment later."""
    counted = any(_is_counted(key, target) for _, key in _earlier(zone, hostname))
    return overlap_until(zone, hostname, target) if counted else None


def takes_all_along(zone: ZoneState, hostname: str, target: Target) -> bool:
    """Whether every CA that the hostname is accepted with on earlier lists, as our claims there say, goes along: it is
    in the object that the hostname goes to, and stays there, unless what withdraws it is the rotation of its own CA,
    whose status counts the overlap. What a claim does not tell may be any."""
    earlier = [
        (key.in_force, target.in_force if place[0] in target.earlier else target.aim)
        for place, key in _earlier(zone, hostname)
    ]
    return bool(earlier) and all(held and held <= staying for held, staying in earlier)


def is_overlapping(zone: ZoneState, place: Place, target: Target) -> bool:
    """Whether the list of another CA has to be kept because its overlap is not over."""
    counted = _is_counted_here(zone, place, target) and overlap_until(zone, place[1], target) is not None
    return counted and not takes_all_along(zone, place[1], target)


def rules_on(zone: ZoneState, hostname: str) -> Sequence[Enforcement]:
    """Rules of others that refuse requests to it: one that logs keeps nobody out."""
    return [
        rule
        for rule in zone.view.rules_of_others
        if rule.enabled and rule.action == BLOCK and hostname in rule.hostnames
    ]


def accepts(rule: Enforcement, target: Target) -> bool:
    """Whether a rule accepts every client that is to be let in."""
    kept = target.relied_on
    return rule.issuers is None or (kept is not None and kept <= rule.issuers)


def _is_counted(key: ClaimKey, target: Target) -> bool:
    return key.until not in {None, NOT_COUNTED} and key.aim == target.aim


def _end(zone: ZoneState, key: ClaimKey, target: Target) -> float:
    """An overlap that is made shorter ends earlier, one that is made longer is not begun again."""
    latest = zone.now + target.overlap
    if key.until is None or not _is_counted(key, target):
        return latest
    return min(latest, datetime.fromisoformat(key.until).timestamp())


def _earlier(zone: ZoneState, hostname: str) -> Iterator[tuple[Place, ClaimKey]]:
    for group in zone.view.claims:
        place = (group.key.certificate, hostname)
        if group.key.state is ClaimState.HELD and hostname in group.hostnames and place in zone.left:
            yield place, group.key


def _is_counted_here(zone: ZoneState, place: Place, target: Target) -> bool:
    certificate, _ = place
    return place in zone.left and target.overlap > 0 and certificate not in target.earlier


def _is_in_force(zone: ZoneState, hostname: str, target: Target) -> bool:
    """Whether the hostname is held where it goes, a rule covers it if there is to be one, and no rule of ours refuses
    the new issuers. There may be several for a while: it is in the next rule before it is out of the last."""
    covering = [key.policy for key in zone.view.enforcement_keys(hostname) if key.enabled]
    is_bare = target.policy is not None and target.policy.is_bare
    is_covered = is_bare or bool(covering)
    return zone.is_held((target.certificate, hostname)) and is_covered and all(_lets_in(e, target) for e in covering)


def _lets_in(policy: Policy, target: Target) -> bool:
    """Whether a rule of ours lets in everybody that the new one would, or at least the clients of the CA. Which those
    are is not known of a CA without subject key identifiers."""
    pinned = target.policy.issuers if target.policy else None
    wanted = pinned or target.issuers
    return policy.action != BLOCK or policy.issuers is None or (bool(wanted) and wanted <= policy.issuers)


def _moment(seconds: float) -> str:
    return format_moment(datetime.fromtimestamp(seconds, UTC))
