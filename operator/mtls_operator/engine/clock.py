"""Time and chance as the engine uses them: handed over as an argument, so that a test decides both."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime


def _steady() -> float:
    """Monotonic, and where the system has such a clock, one that does not stand still while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock:
    """Seconds since the epoch that never go back: the wall clock at the start, carried on by the monotonic one.

    Waiting times are differences of it, and a moment of it can be shown to people.
    """

    chance: random.Random = random.SystemRandom()
    """For jitter and names that are unlikely to be taken."""

    def __init__(self) -> None:
        self._offset = time.time() - _steady()

    def now(self) -> float:
        return _steady() + self._offset

    def moment(self) -> datetime:
        """Now, for conditions and events."""
        return datetime.fromtimestamp(self.now(), UTC)
