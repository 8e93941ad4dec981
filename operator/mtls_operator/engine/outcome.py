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


def reconciled(wake_at: float | None, now: float, *, failing: bool) -> Reconciled:
    """All that could be done now was done. `wake_at`: when time alone makes a difference."""
    again = None if wake_at is None else max(0.0, wake_at - now)
    if failing:
        return Reconciled(again, Result.FAILED)
    return Reconciled(again, Result.SETTLED if again is None else Result.WAITING)
