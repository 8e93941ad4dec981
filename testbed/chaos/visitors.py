"""Visitors ask the edge in every story: at no instant is a hostname of a Ready binding open to a bad client, or closed
to a good one.

They ask whenever something has changed: in Cloudflare's truth, whoever changed it, in what a resource says, and when a
data centre learns of a change. Of data centres there are those that are as far behind as the edge can be, with lists
and certificates, with rules, or with both, and one that knows everything at once. Who is good and who is bad follows
from statuses (`promises`); what people did behind the operator's back is excused until it can know (`meddling`).
Nothing else is: what is in force stays in force while an operator is dead, its token is revoked, or a source is gone.

A client whose certificate its CA has revoked is bad from when an operator must have heard of it, and good again in the
same way; where nothing is blocked it may get in or not.

Of an edge on which only the CA counts that was uploaded last, a client of another one of a hostname's objects is let in
by nobody; docs and design promise it to nobody there, so only clients of every object of a hostname are good.

What a data centre learns between two changes is asked for when the second one comes, in the order of the times, so that
asking takes no part in what happens: a story is the same, byte for byte, with visitors and without.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from testbed.chaos.clients import Client, clients
from testbed.chaos.doors import Doors
from testbed.chaos.meddling import Meddling
from testbed.chaos.promises import READY, Accepted, Promise, Promises
from testbed.chaos.revocation_lists import Lists, is_list
from testbed.chaos.world import BINDING, CA, WINDOW, World
from testbed.cloudflare.edge.settings import EdgeSettings, SeveralCas
from testbed.cloudflare.edge.visit import Replica
from testbed.cloudflare.state import State
from testbed.cluster.store import Change

_KINDS: Final = frozenset({BINDING, CA})
_UNDER_WAY_SECONDS: Final = 60.0
"""So long a call may be under way that makes untrue what a binding says of a hostname without being Ready."""
_HEARD_SECONDS: Final = WINDOW + 30.0
"""Within which an operator has done what a new list of revoked certificates says, which no status tells. One that has
just started changes no rule before its window is over: what it reads may be older than what the one before it wrote."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """A client gets in that must not, or one does not that must because it is of a CA that is `accepted`. `due`: up to
    then (Unix time, seconds) nobody need have heard of it where rules are known at once."""

    promise: Promise
    client: Client
    accepted: Accepted | None = None
    due: float = -math.inf

    @property
    def what(self) -> str:
        """What is wrong, but for the client."""
        of, state = self.promise, "open" if self.accepted is None else "closed"
        return f"{of.hostname} of {of.word} binding {of.binding} of {of.owner} was {state} to"

    @property
    def key(self) -> tuple[str, str]:
        """What is wrong, and for whom."""
        return self.what, self.client.name


@dataclass
class _DataCentre:
    """One that is behind by so many seconds. `faults`: what is wrong there, excused or not."""

    name: str
    lists_age: float
    rules_age: float
    known: tuple[object, ...] = ()
    faults: tuple[_Fault, ...] = ()
    since: dict[tuple[str, str], float] = field(default_factory=dict)
    """Since when each is wrong, by its key."""


@dataclass(eq=False)
class Visitors:
    """`found` says what was wrong, each client of each promise once."""

    world: World
    found: list[str] = field(default_factory=list)
    _promises: tuple[Promise, ...] = ()
    _told: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        settings, cloudflare = self.world.setting.edge, self.world.cloudflare
        self._began = self._asked = self.world.clock.now()
        self._edge, self._doors = settings, Doors(settings)
        self._data_centres = [*_data_centres(settings)]
        self._meddling = Meddling(self.world.setting.staleness, settings.longest_delay)
        clock = self.world.clock.now
        self._clusters = [Promises(each, Lists(each.cluster.store, clock)) for each in self.world.sites]
        self._contents: dict[str, frozenset[str]] = {}
        self._history = deque([(self._began, cloudflare.state)])
        self._learn(cloudflare.state)
        cloudflare.on_change.append(self._changed)
        cloudflare.on_entry.append(self._meddling.hear)
        self.world.on_death.append(self._meddling.forget)
        for each in self.world.sites:
            each.cluster.store.listeners.append(self._said)
        self._hear()
        self._ask(self._began)

    def finish(self) -> list[str]:
        """Ask a last time; all that was found."""
        self._catch_up(self.world.clock.now())
        return self.found

    def _changed(self, before: State, owner: str | None) -> None:
        state = self.world.cloudflare.state
        if _deciding(before) == _deciding(state):
            return
        now = self.world.clock.now()
        self._catch_up(now)
        self._meddling.note(before, state, owner, now)
        self._learn(state)
        self._history.append((now, state))
        while len(self._history) > 1 and self._history[1][0] <= now - self._edge.longest_delay:
            self._history.popleft()
        self._ask(now)

    def _said(self, change: Change) -> None:
        """A resource says something else, or is wanted in another way."""
        if change.key.kind in _KINDS or is_list(change):
            now = self.world.clock.now()
            self._catch_up(now)
            self._meddling.heed(self._promises, now)
            self._hear()
            self._ask(now)

    def _hear(self) -> None:
        elsewhere = frozenset(each for cluster in self._clusters for each in cluster.accepted(self._contents))
        self._promises = tuple(each for cluster in self._clusters for each in cluster.now(self._contents, elsewhere))

    def _learn(self, state: State) -> None:
        for held in state.certificates.values():
            for each in held.values():
                self._contents.setdefault(each.id, frozenset(each.fingerprints))

    def _catch_up(self, now: float) -> None:
        """What data centres have learnt since, under what was promised all the while; what was excused, up to now."""
        delays = {self._edge.lists_delay, self._edge.rules_delay} - {0.0}
        moments = {since + delay for since, _ in self._history for delay in delays}
        for moment in sorted(each for each in moments if self._asked < each < now):
            self._ask(moment)
        self._tell(now)
        self._asked = now

    def _ask(self, now: float) -> None:
        for each in self._data_centres:
            replica = Replica(self._at(now - each.lists_age), self._at(now - each.rules_age))
            lists, rules = replica.lists, replica.rules
            known = (lists.lists, lists.certificates, rules.rulesets, rules.access_rules, self._promises)
            if len(each.known) != len(known) or any(a is not b for a, b in zip(each.known, known, strict=True)):
                each.known = known
                each.faults = tuple(
                    fault for promise in self._promises for fault in self._faults(replica, promise, now)
                )
                each.since = {fault.key: each.since.get(fault.key, now) for fault in each.faults}
        self._tell(now)

    def _faults(self, replica: Replica, promise: Promise, now: float) -> Iterator[_Fault]:
        admitted = self._doors.admitted(replica, promise.zone_id, promise.hostname, now)
        good = {each.authority: each for each in promise.good}
        if self._edge.several_cas is SeveralCas.MOST_RECENT:
            good = {each: good[each] for each in good.keys() & self._counting(replica.lists, promise)}
        told = {each.serial: each for each in promise.revoked}
        for client in clients():
            got_in, authority, entry = client in admitted, client.authority, told.get(client.serial)
            is_revoked, due = (entry.named, entry.since + _HEARD_SECONDS) if entry is not None else (False, -math.inf)
            if got_in and authority not in promise.possible:
                yield _Fault(promise, client)
            elif got_in and is_revoked and None not in promise.possible:
                yield _Fault(promise, client, due=due)
            elif not got_in and authority in good and not is_revoked:
                yield _Fault(promise, client, good[authority], due)

    def _counting(self, state: State, promise: Promise) -> frozenset[str]:
        """The CAs that are in every object that a hostname is associated with."""
        zone_id, hostname = promise.zone_id, promise.hostname
        objects = (each for (zone, each), names in state.lists.items() if zone == zone_id and hostname in names)
        contents = [self._contents[each] for each in objects if each is not None]
        return frozenset.intersection(*contents) if contents else frozenset(each.authority for each in promise.good)

    def _tell(self, now: float) -> None:
        for data_centre in self._data_centres:
            said: dict[str, list[str]] = {}
            for fault in data_centre.faults:
                key = what, who = fault.key
                if key in self._told or (fault.accepted is not None and now >= fault.accepted.until):
                    continue
                if now < fault.due + data_centre.rules_age:
                    continue
                if fault.promise.word != READY and now < data_centre.since[key] + _UNDER_WAY_SECONDS:
                    continue
                if not self._meddling.excuses(fault.promise, fault.accepted, now):
                    self._told.add(key)
                    said.setdefault(what, []).append(who)
            for what, names in said.items():
                others = f" and {len(names) - 1} others" if names[1:] else ""
                at = f"at {now - self._began:.1f} {what} {names[0]}{others}"
                self.found.append(f"an instant: {at}, at the data centre that is {data_centre.name}")

    def _at(self, moment: float) -> State:
        for since, state in reversed(self._history):
            if since <= moment:
                return state
        return self._history[0][1]


def _deciding(state: State) -> tuple[int, ...]:
    """Equal as long as nothing has changed that may open or close a hostname."""
    return tuple(map(id, (state.lists, state.certificates, state.rulesets, state.access_rules)))


def _data_centres(edge: EdgeSettings) -> Iterator[_DataCentre]:
    yield _DataCentre("up to date", 0.0, 0.0)
    if edge.lists_delay:
        yield _DataCentre("late with lists", edge.lists_delay, 0.0)
    if edge.rules_delay:
        yield _DataCentre("late with rules", 0.0, edge.rules_delay)
    if edge.lists_delay and edge.rules_delay:
        yield _DataCentre("late", edge.lists_delay, edge.rules_delay)
