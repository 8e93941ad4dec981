"""What a simulation asks of whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from testbed.cloudflare.messages import Answer, Request
from testbed.cloudflare.state import State


class Observer(Protocol):
    """Sees every handled request with the state before and after it, and collects what should never happen."""

    @property
    def violations(self) -> Sequence[object]:
        """What was seen, as values that print well."""

    def observe(self, before: State, request: Request, answer: Answer, after: State, now: float) -> None:
        """Look at one handled request."""


class Unwatched:
    """Sees nothing."""

    violations: Sequence[object] = ()

    def observe(self, before: State, request: Request, answer: Answer, after: State, now: float) -> None:
        """Look away."""
