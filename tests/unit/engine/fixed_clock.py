"""A clock that tests set."""

from __future__ import annotations

import random

from mtls_operator.engine.clock import Clock


class FixedClock(Clock):
    """Stands still until it is told to go on."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        super().__init__()
        self.chance = random.Random(0)
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
