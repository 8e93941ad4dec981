"""`kill -9` of the operator before and after each call of a set-up and of a tear-down.

One tenant per boundary. A few of them run side by side, each until the call of its boundary is held; then the one
kill cuts all of them there, the operator is restarted, and the next few follow while these go on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from testbed.cloudflare.faults import Moment
from testbed.cloudflare.messages import Request
from testbed.cloudflare.state import Certificate
from tests.e2e.expected_rules import Sight, sights
from tests.e2e.story import told
from tests.e2e.tenant import RESOURCES, Tenant
from tests.e2e.waiting import until
from tests.e2e.world import World

SET_UP = (
    "read certificates",
    "create certificates",
    "find zone",
    "read rules",
    "create ruleset: claim arriving",
    "read list",
    "write list",
    "read list",
    "read rules",
    "read list",
    "change rule: claim held",
    "create rule: enforce",
)
"""The calls of a set-up, in their order."""
TEAR_DOWN = (
    "delete rule: enforce",
    "change rule: claim leaving",
    "read rules",
    "read list",
    "write list",
    "read list",
    "read rules",
    "delete rule: claim leaving",
    "read certificates",
    "read uses of certificate",
    "delete certificate",
)
"""The calls of a tear-down from its first write on, by a process that has not listed the certificates yet."""
_LOOK_UP = SET_UP.index("find zone")
_AT_ONCE = 6
"""The operator works on eight accounts and zones at a time, and a held call holds up one of them."""


class Boundary(NamedTuple):
    """Before a call is handled, or after it is and before it is answered. `number` counts the calls from 0."""

    number: int
    moment: Moment


def boundaries_of(calls: Sequence[str]) -> list[Boundary]:
    """All of them, in their order."""
    return [Boundary(number, moment) for number in range(len(calls)) for moment in Moment]


def names_of(calls: Sequence[str]) -> list[str]:
    """How each of `boundaries_of` is called in a report."""
    return [f"{each.moment.value} {each.number}, {calls[each.number]}" for each in boundaries_of(calls)]


@dataclass
class Cut:
    """A tenant whose set-up or tear-down was cut at a boundary, and what had become of it in the end."""

    tenant: Tenant
    call: str = ""
    """The call at which it was cut."""
    certificates: list[Certificate] = field(default_factory=list)
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    rules: list[Sight] = field(default_factory=list)

    def look(self) -> None:
        """Take down what Cloudflare holds for the tenant now."""
        self.certificates = self.tenant.certificates
        self.lists = self.tenant.lists
        self.rules = sights(self.tenant.rules())


@dataclass
class Campaign:
    """All set-ups, then all tear-downs of the same tenants."""

    world: World
    set_ups: dict[Boundary, Cut] = field(default_factory=dict)
    tear_downs: dict[Boundary, Cut] = field(default_factory=dict)

    def run(self) -> None:
        self.set_ups = {boundary: Cut(Tenant.arrive(self.world)) for boundary in boundaries_of(SET_UP)}
        for batch in _batches(_with_look_ups_apart(self.set_ups)):
            self._cut(batch, begin=self._begin_set_up)
        for cut in self.set_ups.values():
            cut.tenant.wait_ready()
            cut.look()
        tenants = (cut.tenant for cut in self.set_ups.values())
        self.tear_downs = {boundary: Cut(next(tenants)) for boundary in boundaries_of(TEAR_DOWN)}
        # A new process knows nothing of the account, so that all tear-downs are alike.
        self._restart()
        for batch in _batches(list(self.tear_downs.items())):
            self._cut(batch, begin=self._begin_tear_down)
        for cut in self.tear_downs.values():
            cut.tenant.tear_down()
            cut.look()
        for tenant in tenants:
            tenant.tear_down()

    def _cut(self, batch: Sequence[tuple[Boundary, Cut]], *, begin: Callable[[Boundary, Tenant], None]) -> None:
        *others, last = batch
        for boundary, cut in others:
            begin(boundary, cut.tenant)
        for boundary, cut in others:
            self._wait_until_held(boundary, cut.tenant)
        begin(last[0], last[1].tenant)
        self._wait_until_held(last[0], last[1].tenant)
        lengths = [len(cut.tenant.history) for _, cut in batch]
        self._restart()
        for (boundary, cut), length in zip(batch, lengths, strict=True):
            # A call that was held before it is handled enters the history only when it is let go.
            index = length - (0 if boundary.moment is Moment.BEFORE else 1)
            wait_for_history(cut.tenant, index)
            cut.call = told([cut.tenant.history[index]])[0]

    def _begin_set_up(self, boundary: Boundary, tenant: Tenant) -> None:
        self._hold(boundary, tenant, tenant.sent)
        tenant.apply_set_up("api")

    def _begin_tear_down(self, boundary: Boundary, tenant: Tenant) -> None:
        self._hold(boundary, tenant, _FromFirstWrite(tenant))
        tenant.delete(RESOURCES, "--all")

    def _hold(self, boundary: Boundary, tenant: Tenant, match: Callable[[Request], bool]) -> None:
        faults = self.world.simulation.faults
        self.world.held.hold(faults, match, boundary.number, boundary.moment, tenant.namespace)

    def _wait_until_held(self, boundary: Boundary, tenant: Tenant) -> None:
        until(lambda: tenant.namespace in self.world.held.names, f"{boundary} of {tenant.namespace}")

    def _restart(self) -> None:
        self.world.crash()
        self.world.restart()


@dataclass
class _FromFirstWrite:
    """A tenant's calls from its first write on: how often a new process reads before it, depends on when it began."""

    tenant: Tenant
    begun: bool = False

    def __call__(self, request: Request) -> bool:
        sent = self.tenant.sent(request)
        self.begun = self.begun or (sent and request.method != "GET")
        return sent and self.begun


def wait_for_history(tenant: Tenant, index: int) -> None:
    """Until the tenant's history has an entry of that index."""
    until(lambda: len(tenant.history) > index, f"request {index} about {tenant.namespace}")


def _with_look_ups_apart(cuts: dict[Boundary, Cut]) -> list[tuple[Boundary, Cut]]:
    """Zones are looked up one after the other, and a held look-up holds up all that come later: it is the only one of
    its batch, and the last."""
    others = [item for item in cuts.items() if item[0].number != _LOOK_UP]
    for position, boundary in zip((_AT_ONCE - 1, 2 * _AT_ONCE - 1), Moment, strict=True):
        others.insert(position, (Boundary(_LOOK_UP, boundary), cuts[Boundary(_LOOK_UP, boundary)]))
    return others


def _batches(cuts: Sequence[tuple[Boundary, Cut]]) -> Iterator[Sequence[tuple[Boundary, Cut]]]:
    remaining = iter(cuts)
    while batch := list(itertools.islice(remaining, _AT_ONCE)):
        yield batch
