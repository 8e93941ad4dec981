"""What goes first when a token's rate limit runs low.

| what a call is for                                    | goes as long as there is left       |
|-------------------------------------------------------|-------------------------------------|
| taking away and replacing: deletions, moves, rotation | anything                            |
| bringing about what is not there yet, and repairs     | more than a tenth of the limit      |
| looking whether somebody changed something            | more than a quarter of the limit    |

Rules of this module:
- The limit is shared with people and other clusters: what is kept back is kept back for them, too.
- What waits for the limit waits for its next window, and not for ever: nothing is given up here.
- A party's calls are as urgent as the most urgent thing that it has to do, because its steps come in an order that is
  safety: a claim before a list, a list before a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Final

from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_steps import AccountStep, ReadCertificates
from mtls_operator.domain.zone_knowledge import ZoneKnowledge
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_plan import plan_zone
from mtls_operator.domain.zone_stakes import Desired, Stake
from mtls_operator.domain.zone_steps import ReadList, ReadRules, ZoneStep


class Urgency(Enum):
    """What a call is for."""

    WITHDRAWAL = "withdrawal"
    ARRIVAL = "arrival"
    DRIFT_CHECK = "drift check"


_RESERVES: Final[Mapping[Urgency, float]] = {
    Urgency.WITHDRAWAL: 0.0,
    Urgency.ARRIVAL: 0.1,
    Urgency.DRIFT_CHECK: 0.25,
}


def may_be_sent(urgency: Urgency, remaining: int, quota: int) -> bool:
    """Whether a call may be sent when so many of a window's requests are left."""
    return remaining > _RESERVES[urgency] * quota


def urgency_in_zone(desired: Desired, known: ZoneKnowledge, step: ZoneStep, now: float, timing: Timing) -> Urgency:
    """How urgent the step is that a party takes in a zone."""
    if any(_gives_up(stake) for stake in desired.stakes):
        return Urgency.WITHDRAWAL
    if isinstance(step, ReadRules | ReadList) and _is_well_but_for_doubts(desired, known, now, timing):
        return Urgency.DRIFT_CHECK
    return Urgency.ARRIVAL


def urgency_in_account(demand: Demand, step: AccountStep) -> Urgency:
    """How urgent the step is that is taken for a CA."""
    if demand.deleting or demand.standing.rotation is not None:
        return Urgency.WITHDRAWAL
    has_all = demand.certificate_id is not None and not demand.pending_upload
    return Urgency.DRIFT_CHECK if has_all and isinstance(step, ReadCertificates) else Urgency.ARRIVAL


def _gives_up(stake: Stake) -> bool:
    """Whether the binding owns a place that it does not want any more: it goes, or moves."""
    wanted = {(target.certificate, hostname) for hostname, target in stake.wants.items()}
    return any((certificate, name) not in wanted for certificate, names in stake.managed.items() for name in names)


def _is_well_but_for_doubts(desired: Desired, known: ZoneKnowledge, now: float, timing: Timing) -> bool:
    if known.rules is None:
        return False
    trusting = replace(known, doubted=float("-inf"), rules_must_be_read=False)
    return not plan_zone(desired, trusting, now, timing).steps
