"""List, then watch, as kopf and the operator's own watches by name do it: late, twice, with gaps, and deaf at times.

Theory of operation. A connection is drawn when it begins: how long it lives, from when on it is silent, and whether it
can be resumed. What happens while it is silent is told after the resumption, or, where the resource version is too
old by then (410), never: everything is listed again, and what vanished meanwhile is not reported. Events of one object
(by name) keep their order, those of different objects need not: kopf has a worker for each object.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mtls_operator.cluster.errors import ClusterError
from testbed.cluster.objects import Body, ObjectKey
from testbed.cluster.store import Change, Store

Range = tuple[float, float]
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_RESOLUTION = 1e-6
"""Seconds. Virtual loops count time in such steps."""


@dataclass(frozen=True, slots=True)
class WatchHabits:
    """How badly watches work. Times in seconds, each drawn between two bounds; probabilities are of each event
    (`repeats`) or each connection. Without `lifetime` a connection holds for ever.

    kopf takes a connection for dead after 70 s without bookmarks, so nothing stays deaf for longer.
    """

    lag: Range = (0.0, 0.05)
    repeats: float = 0.0
    lifetime: Range | None = None
    outage: Range = (0.1, 5.0)
    gaps: float = 0.0
    deaf: float = 0.0
    deafness: Range = (5.0, 70.0)


@dataclass(frozen=True, slots=True)
class Connection:
    """Loop times: told from `begins`, silent from `silent_from`, broken at `ends`, again there at `resumes`."""

    begins: float
    silent_from: float = math.inf
    ends: float = math.inf
    resumes: float = math.inf
    gap: bool = False

    @classmethod
    def drawn(cls, habits: WatchHabits, rng: random.Random, begins: float) -> Connection:
        """One of a watch with these habits."""
        if habits.lifetime is None:
            return cls(begins)
        silent_from = begins + rng.uniform(*habits.lifetime)
        ends = silent_from + (rng.uniform(*habits.deafness) if rng.random() < habits.deaf else 0.0)
        return cls(begins, silent_from, ends, ends + rng.uniform(*habits.outage), rng.random() < habits.gaps)


class Audience(Protocol):
    """Who is told."""

    def on_list(self, bodies: list[Body]) -> None:
        """Everything that is there."""

    def on_change(self, body: Body, *, deleted: bool) -> None:
        """One object that is new, changed or gone. The body is the stored one: nobody changes it."""

    def on_trouble(self, why: str) -> None:
        """The API server cannot be asked, or the connection has broken for good; all is listed again."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is watched: a kind everywhere, or one name."""

    kind: str
    namespace: str | None = None
    name: str | None = None

    def __contains__(self, change: Change) -> bool:
        key = change.key
        return key.kind == self.kind and self.namespace in {None, key.namespace} and self.name in {None, key.name}


List = Callable[[Callable[[], list[Body]]], Awaitable[list[Body]]]
"""A list request of the process: carries out what it is given at the API server. Raises ClusterError."""


class Watch:
    """One watch of one process. `check` raises when the process has ended."""

    def __init__(
        self,
        selection: Selection,
        audience: Audience,
        *,
        store: Store,
        ask: List,
        check: Callable[[], None],
        habits: Callable[[], WatchHabits],
        rng: random.Random,
    ) -> None:
        self._selection = selection
        self._audience = audience
        self._store = store
        self._ask = ask
        self._check = check
        self._habits = habits
        self._rng = rng
        self._wake = asyncio.Event()
        self._connection: Connection | None = None
        self._order = itertools.count()
        self._queue: list[tuple[float, int, Change]] = []
        self._latest: dict[ObjectKey, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        self._store.listeners.append(self._hear)
        try:
            while True:
                self._audience.on_list(await self._list())
                await self._follow()
        finally:
            self._store.listeners.remove(self._hear)

    def interrupt(self, seconds: float, *, gap: bool) -> None:
        """The connection breaks now and is there again after so many seconds. One that was silent already and cannot be
        resumed cannot be after that either."""
        now, connection = _now(), self._connection
        if connection is not None:
            lost = connection.gap and connection.silent_from <= now
            self._connection = Connection(connection.begins, now, now, now + seconds, gap or lost)
            self._wake.set()

    async def _list(self) -> list[Body]:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._ask(self._begin)
            except ClusterError as error:
                self._audience.on_trouble(str(error))
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)

    def _begin(self) -> list[Body]:
        """At the API server: what is there, and from now on all changes."""
        self._queue.clear()
        self._latest.clear()
        self._connection = Connection.drawn(self._habits(), self._rng, _now())
        return self._store.find(self._selection.kind, self._selection.namespace, self._selection.name)

    def _hear(self, change: Change) -> None:
        connection = self._connection
        if connection is None or change not in self._selection:
            return
        moment = max(_now(), connection.begins)
        if moment >= connection.silent_from:
            if connection.gap:
                return
            moment = max(moment, connection.resumes)
        habits = self._habits()
        for _ in range(2 if habits.repeats and self._rng.random() < habits.repeats else 1):
            due = max(moment + self._rng.uniform(*habits.lag), self._latest.get(change.key, 0.0))
            self._latest[change.key] = due
            heapq.heappush(self._queue, (due, next(self._order), change))
        self._wake.set()

    async def _follow(self) -> None:
        """Until everything has to be listed again."""
        while self._connection is not None:
            self._tell()
            connection = self._connection
            if connection.ends > _now() + _RESOLUTION:
                await self._sleep_until(min(connection.ends, self._queue[0][0] if self._queue else math.inf))
            elif connection.gap:
                self._connection = None
                self._audience.on_trouble("the watch broke, and its version is too old to resume it")
                await asyncio.sleep(connection.resumes - _now())
            else:
                self._connection = Connection.drawn(self._habits(), self._rng, connection.resumes)

    def _tell(self) -> None:
        while self._queue and self._queue[0][0] <= _now() + _RESOLUTION:
            _, _, change = heapq.heappop(self._queue)
            self._check()
            self._audience.on_change(change.body, deleted=change.type == "DELETED")

    async def _sleep_until(self, when: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout_at(None if math.isinf(when) else when):
                await self._wake.wait()
        except TimeoutError:
            return


def _now() -> float:
    return asyncio.get_running_loop().time()
