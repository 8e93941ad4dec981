"""Whether another cluster uses our ownerId in an account: nothing is written there while it does.

Names of certificates tell an ownerId and not a cluster, so only the rules of a zone show it, and only zones in which
this cluster has bindings are read. What the status of a CA says of that counts until this process has read them.
"""

from __future__ import annotations

from collections.abc import Collection

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.handling import is_suspended
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import Ruleset, Zone
from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.domain.verdicts import Verdict, blocked, waiting
from mtls_operator.domain.zone_succession import impostor
from mtls_operator.domain.zone_view import view_of
from mtls_operator.engine.situation import Situation


def note_rival(
    zone_id: str,
    rules: Ruleset | None,
    us: Installation,
    predecessors: Collection[Installation],
    situation: Situation,
) -> None:
    """Learn from a reading of a zone's rules whether there is another cluster."""
    rival = impostor(view_of(rules, us), us, predecessors)
    if rival is None:
        situation.rivals.pop(zone_id, None)
    else:
        situation.rivals[zone_id] = rival


def rivalry_in(account_id: str, situation: Situation) -> Verdict | None:
    """What to say of the CAs of an account where another cluster has rules under our ownerId, or had when a status was
    written that is all that this process knows; None elsewhere."""
    is_told = any(_tells_of_rivalry(each) for each in situation.authorities_in(account_id))
    if not (is_told or situation.rivals):
        return None
    zones = _zones_of(account_id, situation)
    for zone in zones:
        if (rival := situation.rivals.get(zone.id)) is not None:
            return blocked(
                Reason.MANAGEMENT_CONFLICT,
                f"another cluster ({rival.cluster}) has rules in zone {zone.name or zone.id} under our ownerId"
                f" {rival.owner}: nothing is written in the account. Give one of the two installations another ownerId,"
                " or, if the other is gone, name it in takeover of the operator's chart.",
            )
    unread = next((zone for zone in zones if zone.id not in situation.claimed_elsewhere), None)
    if unread is None or not is_told:
        return None
    return waiting(
        Reason.PROGRESSING,
        f"another cluster used our ownerId in a zone of the account: zone {unread.name or unread.id} is being read, and"
        " nothing is written in the account before that",
    )


def _tells_of_rivalry(authority: AuthorityRecord) -> bool:
    ready = find(authority.status.conditions, ConditionType.READY)
    return ready is not None and ready.reason == Reason.MANAGEMENT_CONFLICT


def _zones_of(account_id: str, situation: Situation) -> list[Zone]:
    """The zones of an account that are read again and again, so that it is seen when the other cluster has gone."""
    found = [(each, situation.zone_of(each)) for each in situation.bindings]
    here = [(each, zone) for each, zone in found if zone is not None and zone.account_id == account_id]
    return sorted({zone for each, zone in here if _is_looked_after(each, situation)}, key=lambda zone: zone.id)


def _is_looked_after(binding: BindingRecord, situation: Situation) -> bool:
    is_coming = situation.assess(binding).target is not None and not is_suspended(binding.spec)
    return bool(binding.status.managed) or is_coming
