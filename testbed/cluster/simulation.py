"""A cluster in this process: one store, its users, its namespace controller, and a client for each operator process.

Rules of this package: no wall clock, no sockets, no threads; waiting is asyncio's, so a virtual loop makes it free. The
same rng, clock and acts give the same log, byte for byte. Each client draws from an rng of its own, so that what one
process does never shifts the luck of another.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Final

from testbed.cluster.client import SimulatedClient
from testbed.cluster.requests import Hook, Journal, LogEntry
from testbed.cluster.store import Store
from testbed.cluster.termination import NamespaceController
from testbed.cluster.users import Users
from testbed.cluster.watching import Range, WatchHabits

NAMESPACE_PAUSE: Final[Range] = (0.01, 3.0)


class SimulatedCluster:
    """`clock` gives Unix time in seconds. `namespace_pause`: seconds between two acts of the namespace controller.

    Hooks are called with the index of a request and the request, in the middle of it: before it is handled, and after
    it was handled but not answered. A hook may kill a client.
    """

    def __init__(
        self, clock: Callable[[], float], rng: random.Random, *, namespace_pause: Range = NAMESPACE_PAUSE
    ) -> None:
        self._rng = rng
        self.store = Store(clock, self._own_rng())
        self._journal = Journal(clock, self.store)
        self.users = Users(self.store, partial(self._journal.note, "user"))
        note = partial(self._journal.note, "namespace controller")
        NamespaceController(self.store, self._own_rng(), namespace_pause, lambda what: note(what, "ok"))
        for name in ("kube-system", "default"):
            self.users.create_namespace(name)

    @classmethod
    def seeded(
        cls, clock: Callable[[], float], seed: int, *, namespace_pause: Range = NAMESPACE_PAUSE
    ) -> SimulatedCluster:
        """A cluster whose luck follows from a number."""
        return cls(clock, random.Random(seed), namespace_pause=namespace_pause)

    @property
    def log(self) -> list[LogEntry]:
        """Everything that happened, oldest first."""
        return self._journal.log

    @property
    def before_request(self) -> list[Hook]:
        """Called before a request is handled."""
        return self._journal.before_request

    @property
    def after_request(self) -> list[Hook]:
        """Called after a request was handled, before its answer is on its way."""
        return self._journal.after_request

    def client(
        self, name: str = "operator", *, latency: Range = (0.001, 0.02), habits: WatchHabits | None = None
    ) -> SimulatedClient:
        """The cluster as a new operator process sees it. A process that restarts gets a new one."""
        return SimulatedClient(
            name,
            store=self.store,
            journal=self._journal,
            rng=self._own_rng(),
            latency=latency,
            habits=habits or WatchHabits(),
        )

    def _own_rng(self) -> random.Random:
        return random.Random(self._rng.getrandbits(64))
