"""Faults on order: what goes wrong between a client and Cloudflare, and how often.

A fault is taken by the first requests that match it. Delays add up; of the other effects a request takes the first
that was added.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from testbed.cloudflare.envelope import RefusalError
from testbed.cloudflare.messages import Answer, Request


class ConnectionCutError(Exception):
    """The connection broke before an answer arrived. Whether Cloudflare handled the request, the client cannot
    know."""


class Moment(enum.Enum):
    """Before Cloudflare handles the request, or after."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class AnswerStatus:
    """An error status in Cloudflare's envelope instead of handling the request. `retry_after` in seconds."""

    status: int
    retry_after: int | None = None
    message: str = "Internal error, injected"

    def answer(self) -> Answer:
        """The answer."""
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return RefusalError(self.status, 10000 + self.status, self.message, headers=headers).answer()


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """An HTML error page instead of handling the request, as from a proxy on the way."""

    status: int = 502

    def answer(self) -> Answer:
        """The answer."""
        page = f"<!DOCTYPE html><html><head><title>{self.status}: Bad gateway</title></head></html>"
        return Answer(self.status, {"content-type": "text/html; charset=UTF-8"}, page.encode())


class Garble(enum.Enum):
    """The request is handled, but its answer cannot be read."""

    TRUNCATED = "truncated"
    MALFORMED = "malformed"

    def apply(self, answer: Answer) -> Answer:
        """The answer with half of its body, or with a body that is no JSON."""
        half = answer.body[: len(answer.body) // 2]
        return Answer(answer.status, answer.headers, half if self is Garble.TRUNCATED else b"{]" + half)


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks. AFTER: the request was handled and its answer is lost."""

    moment: Moment


@dataclass(frozen=True, slots=True)
class Delay:
    """The request is on its way for so many seconds, or its answer is."""

    seconds: float
    moment: Moment = Moment.AFTER


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a function of the test with the request's index, before or after it is handled."""

    function: Callable[[int, Request], object]
    moment: Moment = Moment.BEFORE


Effect = AnswerStatus | AnswerPage | Garble | Cut | Delay | Call


@dataclass(frozen=True, slots=True)
class Match:
    """Requests by method and by a regular expression somewhere in the path; None matches all."""

    method: str | None = None
    path: str | None = None

    def __call__(self, request: Request) -> bool:
        """Whether the request matches."""
        if self.method is not None and self.method != request.method:
            return False
        return self.path is None or re.search(self.path, request.path) is not None


@dataclass(frozen=True, slots=True)
class Fault:
    """`times`: how many requests it hits, None for all; `skip`: how many matching ones it lets pass first."""

    effect: Effect
    match: Callable[[Request], bool] = field(default_factory=Match)
    times: int | None = 1
    skip: int = 0


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0

    def takes(self, request: Request) -> bool:
        if not self.fault.match(request):
            return False
        self.seen += 1
        hit = self.seen - self.fault.skip
        return hit > 0 and (self.fault.times is None or hit <= self.fault.times)


class Faults:
    """The faults that are armed."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    @property
    def armed(self) -> tuple[Fault, ...]:
        """Everything that was added and not cleared, also what is used up."""
        return tuple(armed.fault for armed in self._armed)

    def add(self, fault: Fault) -> None:
        """Arm a fault."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._armed.clear()

    def take(self, request: Request) -> tuple[Effect, ...]:
        """The effects on this request, in the order in which they were added; counts them as used."""
        return tuple(armed.fault.effect for armed in self._armed if armed.takes(request))
