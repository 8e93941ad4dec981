"""What to do next with the CA certificates of an account: demands x known -> steps.

| the CA resource                   | the account                           | next                                     |
|-----------------------------------|---------------------------------------|------------------------------------------|
| wants a bundle, has no id         | not listed yet                        | list                                     |
|                                   | holds the same certificates           | hold, record its id (adopt)              |
|                                   | the same, unmarked, `Never` adopt     | say so, list again each window           |
|                                   | lists them with a mark, none of ours  | the same, a window after the start       |
|                                   | relies on them                        |                                          |
|                                   | does not, and nothing was sent        | hold, record the intent, upload          |
|                                   | does not, and something was sent, or  | list until the window is over, upload    |
|                                   | another CA of ours relies on them     |                                          |
| has an id                         |                                       | see `account_keeping`                    |
| announced another bundle before   | its outcome is not known              | settle that first                        |
| laid aside (suspended, observed)  |                                       | nothing, whatever of the above holds     |
| observed                          | not listed lately                     | list                                     |
| another cluster uses our ownerId  |                                       | list when a look is due, write nothing   |
| deleted, bindings use it          |                                       | nothing (`InUse`)                        |
| deleted, its status names nothing | not listed yet                        | list                                     |
|                                   | holds what is its own                 | record it, go on (`account_recall`)      |
|                                   | does not, after the window, unused    | let go                                   |
| deleted, sent but no id           | holds it                              | record its id, go on                     |
|                                   | does not, after the window            | let go                                   |
| deleted, to be retained           |                                       | let go, the certificate stays            |
| deleted, has ids                  |                                       | see `account_disposal`, then let go      |

Rules of this module, besides those of `zone_plan` and `account_search`:
- An upload is announced in the status (`pendingUpload`) before it is sent, so that a lost answer or a crash leads
  to looking, not to a second upload (safety invariant 7).
- A status names every object that the CA ever relied on until it is gone, or known to be somebody else's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_keeping import keep
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_release import release
from mtls_operator.domain.account_steps import AccountStep
from mtls_operator.domain.account_upload import halt, hold, hold_what_it_has, look, obtain
from mtls_operator.domain.observed import Certificate
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_places import Timing


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """The steps, of which the first is to be done now; when to look again; and who waits for what."""

    steps: tuple[AccountStep, ...]
    wake_at: float | None
    without_slot: frozenset[ResourceKey] = frozenset()
    """Demands that no slot is free for."""
    in_use_elsewhere: frozenset[ResourceKey] = frozenset()
    """Deleted CAs whose certificate stays because somebody else uses it."""
    not_adopted: Mapping[ResourceKey, Certificate] = field(default_factory=dict)
    """Demands whose bundle is there without a mark, and may not be adopted."""
    bundle_refused: Mapping[ResourceKey, str] = field(default_factory=dict)
    """Demands whose new and previous CAs Cloudflare does not take in one object, and what it says."""


def plan_account(
    demands: tuple[Demand, ...], known: AccountKnowledge, now: float, timing: Timing, *, limit: int, owner: str
) -> AccountPlan:
    """Decide the next steps in an account. `limit` is its number of slots, `owner` this installation's id."""
    account = Account(demands, known, now, timing, limit, owner)
    agenda = Agenda()
    for demand in demands:
        if demand.idle:
            hold_what_it_has(agenda, demand)
            if demand.observed:
                look(account, agenda, demand)
        elif demand.halted:
            halt(account, agenda, demand)
        elif demand.deleting:
            release(account, agenda, demand)
        elif demand.certificate_id is not None:
            hold(agenda, demand)
            keep(account, agenda, demand, demand.certificate_id)
        elif demand.bundle is not None:
            obtain(account, agenda, demand, demand.bundle)
    return AccountPlan(
        steps=tuple(dict.fromkeys(agenda.steps)),
        wake_at=min(agenda.wakes, default=None),
        without_slot=frozenset(agenda.without_slot),
        in_use_elsewhere=frozenset(agenda.in_use_elsewhere),
        not_adopted=agenda.not_adopted,
        bundle_refused=agenda.bundle_refused,
    )
