"""A verdict on one aspect of a resource: what a condition says about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from mtls_operator.api.reasons import Reason


class Outcome(Enum):
    """Whether an aspect is well, is not because the user chose so, will become so by itself, or needs somebody."""

    OK = auto()
    CHOSEN = auto()
    WAITING = auto()
    BLOCKED = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with a reason of the API and words for a human."""

    outcome: Outcome
    reason: Reason
    message: str

    @property
    def is_ok(self) -> bool:
        return self.outcome is Outcome.OK


def ok(reason: Reason, message: str) -> Verdict:
    """The aspect is as the spec asks."""
    return Verdict(Outcome.OK, reason, message)


def chosen(reason: Reason, message: str) -> Verdict:
    """The aspect is not as the spec asks, and the user wants nothing to be done about it."""
    return Verdict(Outcome.CHOSEN, reason, message)


def waiting(reason: Reason, message: str) -> Verdict:
    """The operator goes on by itself; nobody has to do anything, or what they do is noticed."""
    return Verdict(Outcome.WAITING, reason, message)


def blocked(reason: Reason, message: str) -> Verdict:
    """The operator cannot go on until somebody changes something."""
    return Verdict(Outcome.BLOCKED, reason, message)


def left_alone(verdict: Verdict) -> Verdict:
    """The verdict on an aspect of something that is going: nobody has to mend it any more."""
    return replace(verdict, outcome=Outcome.WAITING) if verdict.outcome is Outcome.BLOCKED else verdict


def worst(*verdicts: Verdict) -> Verdict:
    """The first that is blocked, else the first that waits, else the first that was chosen, else the first."""
    return max(verdicts, key=lambda verdict: verdict.outcome.value)
