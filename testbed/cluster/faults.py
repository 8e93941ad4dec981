"""What goes wrong between an operator process and the API server: on order, or by chance.

A request takes the first armed fault that matches it, else one by chance, else none.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from testbed.cluster.requests import Request


@dataclass(frozen=True, slots=True)
class Away:
    """The request never arrives; the process notices after so many seconds."""

    after: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """The request takes effect and its answer is lost; the process notices after so many seconds."""

    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The API server answers with this status instead of doing anything."""

    status: int


@dataclass(frozen=True, slots=True)
class Slow:
    """The request is on its way for so many seconds longer."""

    seconds: float


Effect = Away | AnswerLost | Refused | Slow

EVERYTHING: Final[tuple[Effect, ...]] = (
    Away(),
    Away(after=30.0),
    AnswerLost(),
    AnswerLost(after=30.0),
    *map(Refused, (409, 410, 422, 429, 500, 503)),
    Slow(1.0),
    Slow(20.0),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """`match` None: any request. `times`: how many it hits, None for all; `skip`: how many it lets pass first."""

    effect: Effect
    match: Callable[[Request], bool] | None = None
    times: int | None = 1
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Chance:
    """One of the effects, each as likely as the others, with this probability for each request."""

    probability: float
    effects: tuple[Effect, ...] = EVERYTHING


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0

    def takes(self, request: Request) -> bool:
        if self.fault.match is not None and not self.fault.match(request):
            return False
        self.seen += 1
        hit = self.seen - self.fault.skip
        return hit > 0 and (self.fault.times is None or hit <= self.fault.times)


@dataclass(slots=True)
class Faults:
    """The faults of one process."""

    rng: random.Random
    chance: Chance = Chance(0.0)
    _armed: list[_Armed] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Arm a fault."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Nothing goes wrong any more, on order or by chance."""
        self._armed.clear()
        self.chance = Chance(0.0)

    def take(self, request: Request) -> Effect | None:
        """What goes wrong with this request; counts it as used."""
        armed = next((each for each in self._armed if each.takes(request)), None)
        if armed is not None:
            return armed.fault.effect
        if self.chance.probability > 0 and self.rng.random() < self.chance.probability:
            return self.rng.choice(self.chance.effects)
        return None
