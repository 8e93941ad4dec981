"""Rules of ours whose expression somebody changed, so that nobody can say what they are about: when they may go.

To others every name in them is protected for as long as they are there. So none may be left when the last binding that
it may be about is let go.
"""

from __future__ import annotations

from mtls_operator.domain.zone_places import ZoneState
from mtls_operator.domain.zone_view import AlteredRule


def is_made_good(zone: ZoneState, altered: AlteredRule) -> bool:
    """Whether every hostname of ours, whoever acts for it, that an altered rule may be about is covered otherwise,
    given up, or wanted without a rule. For a claim it is enough that another one says the same, or that nothing is to
    be said any more: what is retained needs none. One that was about revoked certificates stays as long as nobody can
    say which."""
    if altered.revokes and any(not zone.is_revocation_known(name) for name in altered.names):
        return False
    ours = frozenset(name for group in zone.view.claims for name in group.hostnames) | zone.known_hostnames
    left = altered.names & ours - zone.view.enforced - zone.enforcement_to_give_up
    if altered.is_claim:
        left -= zone.retained_hostnames
        return all(_is_claimed(zone, hostname) for hostname in left)
    return left <= _unruled(zone)


def is_in_altered_claim(zone: ZoneState, hostname: str) -> bool:
    """Whether an altered claim that may go names a hostname: the place may be let go of only after it."""
    return any(each.is_claim and hostname in each.names and is_made_good(zone, each) for each in zone.view.altered)


def _unruled(zone: ZoneState) -> frozenset[str]:
    """Hostnames for which nobody of ours wants a rule."""
    targets = [(place[1], target.policy) for place, target in zone.wanted.items()]
    bare = frozenset(hostname for hostname, policy in targets if policy is not None and policy.is_bare)
    still = frozenset(hostname for _, hostname in zone.wanted_by_still)
    return bare - still


def _is_claimed(zone: ZoneState, hostname: str) -> bool:
    """Whether claims that can be read name a hostname wherever anybody has it or wants it."""
    recorded = zone.desired.recorded()
    places = [place for place in recorded | zone.wanted.keys() | zone.wanted_by_still.keys() if place[1] == hostname]
    return all(zone.view.claim_keys(*place) for place in places)
