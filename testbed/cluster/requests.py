"""Requests of operator processes to the API server, and the journal of everything that happened in the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from testbed.cluster.objects import ObjectKey
from testbed.cluster.store import Store


@dataclass(frozen=True, slots=True)
class Request:
    """`client` is the process that asks. Where a name means nothing (a list of everything, an event), `key` has
    none."""

    client: str
    verb: str
    key: ObjectKey
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.key}{f' {self.detail}' if self.detail else ''}"


Hook = Callable[[int, Request], object]
"""Called with the index of a request, counted from 0 over all processes of the cluster."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that happened: a request of an operator process (`index` counts those), or an act of a user or a
    controller. `version` is the cluster's resource version after it; `outcome` is `ok` or says what went wrong."""

    time: float
    who: str
    what: str
    outcome: str
    version: int
    index: int | None = None

    def __str__(self) -> str:
        return f"{self.time:.6f} {self.who}: {self.what} -> {self.outcome} @{self.version}"


@dataclass(slots=True)
class Journal:
    """The log, and the hooks around each request. `clock` gives Unix time in seconds."""

    clock: Callable[[], float]
    store: Store
    log: list[LogEntry] = field(default_factory=list)
    before_request: list[Hook] = field(default_factory=list)
    after_request: list[Hook] = field(default_factory=list)
    _arrived: int = 0

    def note(self, who: str, what: str, outcome: str, index: int | None = None) -> None:
        """Write something down."""
        self.log.append(LogEntry(self.clock(), who, what, outcome, self.store.version, index))

    def begin(self, request: Request) -> int:
        """A request is about to be handled; its index."""
        index = self._arrived
        self._arrived += 1
        for hook in list(self.before_request):
            hook(index, request)
        return index

    def end(self, index: int, request: Request, outcome: str) -> None:
        """A request has been handled, and its answer is not on its way yet."""
        self.note(request.client, str(request), outcome, index)
        for hook in list(self.after_request):
            hook(index, request)
