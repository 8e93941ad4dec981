"""Virtual time: an event loop that never waits, and the engine's clock on it.

The loop jumps to the next timer as soon as nothing else is to be done. A loop of our own and not the
package looptime: its time is exact, where looptime rounds to microseconds and so lets code that compares times spin for
ever before a timer that is due a nanosecond later; it is several times faster; and it tells a deadlock at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from mtls_operator.engine.clock import Clock

T = TypeVar("T")
EPOCH: Final = 1_800_000_000.0
"""2027-01-15, 08:00 UTC: when virtual time begins, unless a test chooses another moment."""


class DeadlockError(Exception):
    """Everything waits for something that nobody will do."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without sockets, threads, signals and waiting. Its time begins at 0."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """What BaseEventLoop asks of a selector: there is never any input, so the time passes at once."""
        if timeout is None:
            raise DeadlockError("no task can go on and no timer is set: everything waits for ever")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody waits in `select`, so nobody has to be woken."""


class VirtualClock(Clock):
    """Seconds since the epoch: `epoch` at the loop's time 0. `loop` absent: the running one. Chance follows `seed`."""

    def __init__(self, epoch: float = EPOCH, loop: asyncio.AbstractEventLoop | None = None, seed: int = 0) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self._epoch = epoch
        self._loop = loop or asyncio.get_running_loop()

    def now(self) -> float:
        return self._epoch + self._loop.time()


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a virtual loop of its own; what it leaves running is cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
