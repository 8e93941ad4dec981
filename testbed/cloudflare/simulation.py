"""A Cloudflare that behaves like the real one, as a synchronous and deterministic core.

Rules of this file: no I/O, no sleeping, no clock and no randomness but the injected ones. The same seed, clock and
requests give the same answers, byte for byte. Adapters (transport.py, server.py) carry requests here:

    delivery = simulation.arrive(request)    takes the faults that hit it; sleep delivery.delay_before
    answer = simulation.process(delivery)    handles it, or raises ConnectionCutError; sleep delivery.delay_after

Theory of operation: rate limit, authentication, routing, permission, endpoint. An endpoint is a function from a
`Call` to an `Outcome`; it never changes the state itself. After each handled request the monitor sees the state
before and after.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from testbed.cloudflare import access, faults, routing
from testbed.cloudflare.calls import Call
from testbed.cloudflare.envelope import RefusalError, success
from testbed.cloudflare.history import History
from testbed.cloudflare.identifiers import Identifiers
from testbed.cloudflare.journal import LogEntry
from testbed.cloudflare.messages import Answer, Request
from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.rate import RateMeter
from testbed.cloudflare.settings import Kind, Settings
from testbed.cloudflare.setup import Setup
from testbed.cloudflare.state import State

Hook = Callable[[int, Request], object]
_Effect = TypeVar("_Effect", bound=faults.Effect)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request that has arrived, with what will go wrong about it."""

    request: Request
    effects: tuple[faults.Effect, ...]

    @property
    def delay_before(self) -> float:
        """Seconds the request is still on its way."""
        return self._delay(faults.Moment.BEFORE)

    @property
    def delay_after(self) -> float:
        """Seconds its answer is on its way."""
        return self._delay(faults.Moment.AFTER)

    def _delay(self, moment: faults.Moment) -> float:
        delays = (effect for effect in self.effects if isinstance(effect, faults.Delay))
        return sum(delay.seconds for delay in delays if delay.moment is moment)

    def first(self, kind: type[_Effect]) -> _Effect | None:
        """The first effect of a kind."""
        return next((effect for effect in self.effects if isinstance(effect, kind)), None)

    def cut(self, moment: faults.Moment) -> bool:
        """Whether the connection breaks at this moment."""
        return any(isinstance(effect, faults.Cut) and effect.moment is moment for effect in self.effects)


class CloudflareSimulation(Setup):
    """`clock` gives Unix time in seconds. Hooks are called with the index of a request, counted from 0.

    The default monitor expects installations to have been told a consistency window of 90 s; where they were told
    another one, give `Monitor(window=...)`.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        settings: Settings | None = None,
        *,
        seed: int = 0,
        monitor: Monitor | None = None,
    ) -> None:
        self.clock = clock
        self.settings = settings or Settings()
        self.monitor = monitor or Monitor()
        self.faults = faults.Faults()
        self.log: list[LogEntry] = []
        self.before_request: list[Hook] = []
        self.after_request: list[Hook] = []
        self.on_entry: list[Callable[[LogEntry], object]] = []
        self.on_change: list[Callable[[State, str | None], object]] = []
        """Told of each change of the truth: the state before, and the owner of the token of the request that made it,
        None for what came from outside the API or by nobody's token."""
        self.rates = RateMeter()
        self._arrived = 0
        self._state = State()
        self._lock = threading.RLock()
        self._identifiers = Identifiers(random.Random(f"{seed} identifiers"))
        self._history = History(random.Random(f"{seed} staleness"))

    def install(self, change: Callable[[State], State], *, settled: bool) -> None:
        """Change the truth from outside the API. `settled`: every replica has known it for ever."""
        with self._lock:
            before, self._state = self._state, change(self._state)
            if settled:
                self._history.rewrite(change)
            else:
                self._history.record(self.clock(), self._state, self.settings.memory)
            self._tell(before, None)

    @property
    def identifiers(self) -> Identifiers:
        """The generator of ids."""
        return self._identifiers

    @property
    def state(self) -> State:
        """The truth, without any delay."""
        return self._state

    def past(self, age: float) -> State:
        """The truth as it was `age` seconds ago, as far back as the longest delay of the settings reaches."""
        with self._lock:
            return self._history.at(self.clock() - age)

    def handle(self, request: Request) -> Answer:
        """Answer a request at once, without the delays of faults. Raises ConnectionCutError."""
        return self.process(self.arrive(request))

    def arrive(self, request: Request) -> Delivery:
        """Take the faults that hit a request."""
        with self._lock:
            return Delivery(request, self.faults.take(request))

    def process(self, delivery: Delivery) -> Answer:
        """Handle a request that has arrived. Raises ConnectionCutError where a fault says so."""
        with self._lock:
            index = self._arrived
            self._arrived += 1
            self._call_hooks(self.before_request, delivery, faults.Moment.BEFORE, index)
            if delivery.cut(faults.Moment.BEFORE):
                self._note(index, delivery.request, None, delivered=False)
                raise faults.ConnectionCutError("before the request was handled")
            answer = self._answer(index, delivery)
            lost = delivery.cut(faults.Moment.AFTER)
            self._note(index, delivery.request, answer, delivered=not lost)
            self._call_hooks(self.after_request, delivery, faults.Moment.AFTER, index)
            if lost:
                raise faults.ConnectionCutError("after the request was handled")
            return answer

    def _answer(self, index: int, delivery: Delivery) -> Answer:
        instead = delivery.first(faults.AnswerStatus) or delivery.first(faults.AnswerPage)
        if instead is not None:
            return instead.answer()
        answer = self._handle(index, delivery.request)
        garble = delivery.first(faults.Garble)
        return answer if garble is None else garble.apply(answer)

    def _handle(self, index: int, request: Request) -> Answer:
        before, now = self._state, self.clock()
        try:
            headers = self.rates.count(request.bearer or "", now, self.settings.rate_limit)
        except RefusalError as refusal:
            answer = refusal.answer()
        else:
            answer = self._outcome(request, now)
            answer = replace(answer, headers={**answer.headers, **headers})
        answer = replace(answer, headers={**answer.headers, "cf-ray": f"{index:016x}-SIM"})
        self.monitor.observe(before, request, answer, self._state, now)
        return answer

    def _outcome(self, request: Request, now: float) -> Answer:
        try:
            call, route = self._admit(request, now)
            outcome = route.endpoint(call)
        except RefusalError as refusal:
            return refusal.answer()
        if outcome.state is not None:
            before, self._state = self._state, outcome.state
            self._history.record(now, self._state, self.settings.memory)
            self._tell(before, call.token.owner)
        return success(outcome.result, info=outcome.info, messages=outcome.messages)

    def _admit(self, request: Request, now: float) -> tuple[Call, routing.Route]:
        token = access.authenticate(request, self._state)
        route, place = routing.find_route(request.method, request.path)
        if not route.verifies:
            access.check_usable(token, request, now)
        if route.permission is not None:
            target = place.get("zone_id") or place["account_id"]
            access.check_permission(token, self._state, route.permission, target)
        self._check_place(request, place)
        call = Call(
            request=request,
            place=place,
            token=token,
            now=now,
            truth=self._state,
            seen=lambda kind: self._seen(kind, now),
            identifiers=self._identifiers,
            settings=self.settings,
        )
        return call, route

    def _check_place(self, request: Request, place: Mapping[str, str]) -> None:
        zone_id, account_id = place.get("zone_id"), place.get("account_id")
        if zone_id is not None and zone_id not in self._state.zones:
            raise routing.no_such_object(request.path)
        if account_id is not None and account_id not in self._state.accounts:
            raise routing.no_such_object(request.path)

    def _seen(self, kind: Kind, now: float) -> State:
        return self._history.view(now, kind, self.settings.consistency)

    def _note(self, index: int, request: Request, answer: Answer | None, *, delivered: bool) -> None:
        token = self._state.token_of(request)
        entry = LogEntry(
            index=index,
            time=self.clock(),
            method=request.method,
            path=request.path,
            query=request.query,
            request_body=request.body.decode(errors="replace"),
            status=None if answer is None else answer.status,
            answer_body="" if answer is None else answer.body.decode(errors="replace"),
            token_label="unknown" if token is None else token.label,
            delivered=delivered,
        )
        self.log.append(entry)
        for listener in self.on_entry:
            listener(entry)

    def _tell(self, before: State, owner: str | None) -> None:
        for listener in self.on_change:
            listener(before, owner)

    def _call_hooks(self, hooks: list[Hook], delivery: Delivery, moment: faults.Moment, index: int) -> None:
        for hook in hooks:
            hook(index, delivery.request)
        for effect in delivery.effects:
            if isinstance(effect, faults.Call) and effect.moment is moment:
                effect.function(index, delivery.request)
