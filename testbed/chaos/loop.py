"""A virtual loop that tells when something goes on for ever, which would hang a story: code that spins while time
stands still, and what installations do and undo without a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from testbed.cluster.virtual_time import VirtualLoop

T = TypeVar("T")
_MOST_TURNS: Final = 5_000
"""Turns of the loop without any time passing. A story needs some dozens."""
_MOST_TURNS_AN_HOUR: Final = 50_000
"""In an hour of virtual time. A story needs some thousands; two bindings that take a hostname from each other need
fifteen hundred thousand."""
_HOUR: Final = 3600.0


class LivelockError(Exception):
    """Something goes on and on without any time passing, or without a pause."""


class WatchedLoop(VirtualLoop):
    """A virtual loop that raises LivelockError, once."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = 0
        self._hour_ends, self._turns_of_hour = _HOUR, 0

    def select(self, timeout: float | None) -> list[Any]:
        """Let the time pass."""
        self._turns = 0 if timeout else self._turns + 1
        if self._turns == _MOST_TURNS:
            raise LivelockError(f"{_MOST_TURNS} turns of the event loop and no time has passed")
        if self._now >= self._hour_ends:
            self._hour_ends, self._turns_of_hour = self._now + _HOUR, 0
        self._turns_of_hour += 1
        if self._turns_of_hour == _MOST_TURNS_AN_HOUR:
            raise LivelockError(f"{_MOST_TURNS_AN_HOUR} turns of the event loop before {self._hour_ends:.0f} s")
        return super().select(timeout)


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a watched loop of its own; what it leaves running is cancelled."""
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        return runner.run(story)
