"""Whether Cloudflare answers at all, as the calls of one token tell.

While it does not, each zone would try on its own, and all of them again after each pause. So after some failures in a
row only one call is let through per pause, whoever makes it; the first good answer lets all of them through again.

    closed  --5 failures in a row-->  open  --an answer of Cloudflare's, whatever it says-->  closed
                                      open  --a failed probe-->  open, with a longer pause
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FAILURES_IN_A_ROW: Final = 5
_SHORTEST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 60.0


class Circuit:
    """The circuit of one token. Share it between all clients of that token. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._next_probe = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._failures >= FAILURES_IN_A_ROW

    def ask(self) -> float:
        """Seconds for which no call may be sent; 0 when this one may. While it is open that call is the probe, and
        the next has to wait."""
        now = self._clock()
        if not self.is_open:
            return 0.0
        if now < self._next_probe:
            return self._next_probe - now
        self._next_probe = now + self._pause()
        return 0.0

    def note(self, *, failed: bool) -> None:
        """A call ended: with an answer of Cloudflare's, or with none that could be used."""
        self._failures = self._failures + 1 if failed else 0
        if self._failures == FAILURES_IN_A_ROW:
            self._next_probe = self._clock() + self._pause()

    def _pause(self) -> float:
        growing = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2.0 ** min(self._failures - FAILURES_IN_A_ROW, 10))
        # Jitter: other clusters lost Cloudflare at the same moment.
        return growing * self._chance.uniform(0.5, 1.0)
