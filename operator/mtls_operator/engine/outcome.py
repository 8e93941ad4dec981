"""How a reconcile ended, for the queue and for the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """All is as wanted; something is waited for; something failed and is tried again."""

    SETTLED = "settled"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """After how many seconds to look again (None: only when something happens), and how it went."""

    again: float | None
    result: Result


def failed(again: float) -> Reconciled:
    """Nothing could be done; tried again after so many seconds."""
    return Reconciled(again, Result.FAILED)


def reconciled(wake_at: float | None, now: float, *, failing: bool, changes_at: float | None = None) -> Reconciled:
    """All that could be done now was done. `wake_at`: when what is waited for is due; `changes_at`: when time alone
    makes what is well something else, so that nothing is waited for."""
    due = min((at for at in (wake_at, changes_at) if at is not None), default=None)
    again = None if due is None else max(0.0, due - now)
    if failing:
        return Reconciled(again, Result.FAILED)
    return Reconciled(again, Result.SETTLED if wake_at is None else Result.WAITING)
