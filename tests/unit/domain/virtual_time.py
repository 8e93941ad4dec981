"""Virtual time: processes that wait, events that happen, and nobody who sleeps.

A process is a generator that yields what it waits for: seconds during which it is busy, or a `Sleep`, out of which it
can be woken. It can be killed at any moment, then what it has set in motion goes on without it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from math import inf

Action = Callable[[], None]


class Chance(random.Random):
    """Chance that a seed repeats; no secret depends on it."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Idle until a moment (None: for ever) or until somebody wakes the process."""

    until: float | None


Wait = float | Sleep
Body = Generator[Wait, None, None]


@dataclass(slots=True)
class Event:
    """Something that will happen unless it is called off."""

    action: Action
    off: bool = False


@dataclass
class VirtualTime:
    """A clock that jumps from event to event."""

    now: float = 0.0
    _events: list[tuple[float, int, Event]] = field(default_factory=list)
    _count: int = 0

    def after(self, seconds: float, action: Action) -> Event:
        """Let something happen later."""
        event = Event(action)
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, event))
        return event

    def run(self, until: float) -> bool:
        """Let everything happen up to a moment; whether nothing is left to happen."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            if not event.off:
                event.action()
        return not self._events


@dataclass
class Process:
    """A process that begins again after each death, remembering nothing."""

    time: VirtualTime
    rng: random.Random
    body: Callable[[], Body]
    chance_of_death: Callable[[], float] = lambda: 0.0
    deaths: int = 0
    asleep: bool = False
    _running: Body | None = None
    _next: Event | None = None

    def start(self, delay: float) -> None:
        """Begin after a delay."""
        self._next = self.time.after(delay, self._begin)

    def wake(self) -> None:
        """End a sleep; nothing happens to a busy process."""
        if self.asleep:
            self.asleep = False
            if self._next is not None:
                self._next.off = True
            self._next = self.time.after(0.0, self._go_on)

    def kill(self) -> None:
        """End it for good, or until it is started again."""
        self.asleep = False
        if self._next is not None:
            self._next.off = True
        if self._running is not None:
            self._running.close()

    def _begin(self) -> None:
        self._running = self.body()
        self._go_on()

    def _go_on(self) -> None:
        assert self._running is not None
        self.asleep = False
        wait = next(self._running, None)
        if wait is None:
            return
        self.asleep = isinstance(wait, Sleep)
        seconds = self._seconds(wait)
        if self.rng.random() < self.chance_of_death():
            self._next = self.time.after(self.rng.uniform(0, min(seconds, 200.0)), self._die)
        else:
            self._next = None if seconds == inf else self.time.after(seconds, self._go_on)

    def _seconds(self, wait: Wait) -> float:
        if isinstance(wait, float):
            return wait
        return inf if wait.until is None else max(0.0, wait.until - self.time.now)

    def _die(self) -> None:
        self.kill()
        self.deaths += 1
        self.start(self.rng.choice([1.0, self.rng.uniform(1, 30), self.rng.uniform(1, 200)]))
