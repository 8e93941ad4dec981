"""Replicas that lag: reads answer from the past, writes never do."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable

from testbed.cloudflare.settings import Consistency, Kind, Staleness
from testbed.cloudflare.state import State


class History:
    """The states of the past, as far back as the longest delay can reach."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._states: deque[tuple[float, State]] = deque([(-math.inf, State())])

    def record(self, now: float, state: State, keep: float) -> None:
        """Note the truth from `now` on and forget what nobody can see any more, `keep` seconds back."""
        if self._states[-1][0] == now:
            self._states.pop()
        self._states.append((now, state))
        while len(self._states) > 1 and self._states[1][0] <= now - keep:
            self._states.popleft()

    def rewrite(self, change: Callable[[State], State]) -> None:
        """Apply a change to every moment of the past, so that no replica can be behind it."""
        self._states = deque((since, change(state)) for since, state in self._states)

    def view(self, now: float, kind: Kind, consistency: Consistency) -> State:
        """What a read of this kind sees. Draws from the generator only where chance decides."""
        return self.at(now - self._age(consistency.delays.get(kind, 0.0), consistency.staleness))

    def at(self, moment: float) -> State:
        """The truth at a moment of the past; the oldest that is remembered for what lies before."""
        for since, state in reversed(self._states):
            if since <= moment:
                return state
        return self._states[0][1]

    def _age(self, delay: float, staleness: Staleness) -> float:
        if staleness is Staleness.IMMEDIATE or delay <= 0:
            return 0.0
        if staleness is Staleness.EXACT:
            return delay
        return self._rng.choice((0.0, self._rng.uniform(0.0, delay), delay))
