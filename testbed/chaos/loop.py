"""A virtual loop that tells when time stands still: code that spins would hang a story for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from testbed.cluster.virtual_time import VirtualLoop

T = TypeVar("T")
_MOST_TURNS: Final = 5_000
"""Turns of the loop without any time passing. A story needs some dozens."""


class LivelockError(Exception):
    """Something goes on and on without any time passing."""


class WatchedLoop(VirtualLoop):
    """A virtual loop that raises LivelockError, once."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = 0

    def select(self, timeout: float | None) -> list[Any]:
        """Let the time pass."""
        self._turns = 0 if timeout else self._turns + 1
        if self._turns == _MOST_TURNS:
            raise LivelockError(f"{_MOST_TURNS} turns of the event loop and no time has passed")
        return super().select(timeout)


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a watched loop of its own; what it leaves running is cancelled."""
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        return runner.run(story)
