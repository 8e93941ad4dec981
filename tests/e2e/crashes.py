"""`kill -9` of the operator before and after each call of a set-up and of a tear-down.

One tenant per boundary. A few of them run side by side, each until the call of its boundary is held; then the one
kill cuts all of them there, the operator is restarted, and the next few follow while these go on.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from testbed.cloudflare.faults import Moment
from testbed.cloudflare.state import Certificate
from tests.e2e.expected_rules import Sight, sights
from tests.e2e.story import told
from tests.e2e.tenant import RESOURCES, Tenant
from tests.e2e.waiting import until
from tests.e2e.world import WINDOW, World

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
    "delete certificate",
)
"""The calls of a tear-down by a process that has not changed the zone itself since it began."""
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
    """The call at which it was cut; empty if it never came."""
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
    _restarted: float = 0.0

    def run(self) -> None:
        self.set_ups = {boundary: Cut(Tenant.arrive(self.world)) for boundary in boundaries_of(SET_UP)}
        for batch in _batches(_with_look_ups_apart(self.set_ups)):
            self._cut(batch, begin=lambda tenant: tenant.apply_set_up("api"), done=_is_ready)
        for cut in self.set_ups.values():
            cut.tenant.wait_ready()
            cut.look()
        tenants = (cut.tenant for cut in self.set_ups.values())
        self.tear_downs = {boundary: Cut(next(tenants)) for boundary in boundaries_of(TEAR_DOWN)}
        self._restart()
        for batch in _batches(list(self.tear_downs.items())):
            for _, cut in batch:
                self._wait_until_quiet(cut.tenant)
            self._cut(batch, begin=lambda tenant: tenant.delete(RESOURCES, "--all"), done=_is_gone)
        for cut in self.tear_downs.values():
            cut.tenant.wait_all_gone()
            cut.look()
        for tenant in tenants:
            tenant.tear_down()

    def _cut(
        self,
        batch: Sequence[tuple[Boundary, Cut]],
        *,
        begin: Callable[[Tenant], None],
        done: Callable[[Tenant], bool],
    ) -> None:
        for boundary, cut in batch:
            self.world.held.hold(
                self.world.simulation.faults, cut.tenant.sent, boundary.number, boundary.moment, cut.tenant.namespace
            )
            begin(cut.tenant)
        for boundary, cut in batch:
            self._wait_until_held(boundary, cut.tenant, done)
        held = self.world.held.names
        lengths = {cut.tenant.namespace: len(cut.tenant.history) for _, cut in batch}
        self._restart()
        self._note_calls(batch, held, lengths)

    def _wait_until_held(self, boundary: Boundary, tenant: Tenant, done: Callable[[Tenant], bool]) -> None:
        until(lambda: tenant.namespace in self.world.held.names or done(tenant), f"{boundary} of {tenant.namespace}")

    def _note_calls(self, batch: Sequence[tuple[Boundary, Cut]], held: frozenset[str], lengths: dict[str, int]) -> None:
        """A call that was held before it is handled enters the history only when it is let go."""
        for boundary, cut in batch:
            if cut.tenant.namespace in held:
                before = boundary.moment is Moment.BEFORE
                index = lengths[cut.tenant.namespace] - (0 if before else 1)
                wait_for_history(cut.tenant, index)
                cut.call = told([cut.tenant.history[index]])[0]

    def _restart(self) -> None:
        self.world.crash()
        self._restarted = time.time()
        self.world.restart()

    def _wait_until_quiet(self, tenant: Tenant) -> None:
        """Until the process that runs now has read the tenant's rules and had time to trust what it read, so that all
        tear-downs are alike."""

        def is_quiet() -> bool:
            last = tenant.history[-1].entry.time
            return last > self._restarted and time.time() > last + 2 * WINDOW

        until(is_quiet, f"{tenant.namespace} is quiet after the restart")


def wait_for_history(tenant: Tenant, index: int) -> None:
    """Until the tenant's history has an entry of that index."""
    until(lambda: len(tenant.history) > index, f"request {index} about {tenant.namespace}")


def _with_look_ups_apart(cuts: dict[Boundary, Cut]) -> list[tuple[Boundary, Cut]]:
    """Zones are looked up one after the other: a held look-up is the last of its batch, and the only one in it."""
    others = [item for item in cuts.items() if item[0].number != _LOOK_UP]
    for position, boundary in zip((_AT_ONCE - 1, 2 * _AT_ONCE - 1), Moment, strict=True):
        others.insert(position, (Boundary(_LOOK_UP, boundary), cuts[Boundary(_LOOK_UP, boundary)]))
    return others


def _batches(cuts: Sequence[tuple[Boundary, Cut]]) -> Iterator[Sequence[tuple[Boundary, Cut]]]:
    remaining = iter(cuts)
    while batch := list(itertools.islice(remaining, _AT_ONCE)):
        yield batch


def _is_ready(tenant: Tenant) -> bool:
    return tenant.condition("mtlshb/api", "Ready").get("status") == "True"


def _is_gone(tenant: Tenant) -> bool:
    return not tenant.kubectl("get", RESOURCES, "--output=name")
