"""Rules of ours whose expression somebody changed, so that nobody can say what they are about: when they may go.

To others every name in them is protected for as long as they are there. So none may be left when the last binding that
it may be about is let go.
"""

from __future__ import annotations

from mtls_operator.domain.zone_places import ZoneState
from mtls_operator.domain.zone_view import AlteredRule


def is_made_good(zone: ZoneState, altered: AlteredRule) -> bool:
    """Whether every hostname of ours, whoever acts for it, that an altered rule may be about is covered otherwise, or
    given up. A claim covers nothing: what is to be retained without a rule needs none."""
    ours = frozenset(name for group in zone.view.claims for name in group.hostnames) | zone.known_hostnames
    needless = zone.retained_hostnames if altered.is_claim else frozenset[str]()
    return altered.names & ours <= zone.view.enforced | zone.enforcement_to_give_up | needless


def is_in_altered_claim(zone: ZoneState, hostname: str) -> bool:
    """Whether an altered claim that may go names a hostname: the place may be let go of only after it."""
    return any(each.is_claim and hostname in each.names and is_made_good(zone, each) for each in zone.view.altered)
