"""How many requests a token has left, as Cloudflare last told us.

Cloudflare counts 1,200 requests per five minutes per user, the dashboard and other clusters included, and
refuses every call for five minutes once they are used up (developers.cloudflare.com, API rate limits). So
a call that must be refused is not sent: it would cost the others their budget too. And what is left is kept for what
is urgent (`domain/urgency.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mtls_operator.domain.urgency import Urgency, may_be_sent

# The length of a ban, for a 429 that does not say how long.
DOCUMENTED_BAN_SECONDS: Final = 300.0
# A Retry-After beyond this is taken for a mistake: a wrong header must not stop the operator for days.
LONGEST_WAIT_SECONDS: Final = 3600.0
_MOST_STRETCHES: Final = 20
# What Cloudflare documents, for an answer that tells what is left and not of how many.
_DOCUMENTED_QUOTA: Final = 1200
# Installations that were stopped together go on apart: up to a fifth of the time later, and a minute at most.
_SPREAD: Final = 0.2
_LONGEST_SPREAD_SECONDS: Final = 60.0

# `"default";r=50;t=30`, several of them separated by commas; parameters in any order.
_ITEM = re.compile(r'"(?P<name>[^"]*)"(?P<parameters>(?:\s*;\s*[a-z]+=-?[0-9]+)*)')
_PARAMETER = re.compile(r"([a-z]+)=(-?[0-9]+)")


@dataclass(frozen=True, slots=True)
class Allowance:
    """`remaining` requests until `resets_at` (seconds of the budget's clock), of the limit of that name. What has to
    wait for the next window goes on at `resumes_at`."""

    name: str
    remaining: int
    resets_at: float
    resumes_at: float


@dataclass(frozen=True, slots=True)
class Policy:
    """`quota` requests per `window_seconds`."""

    quota: int
    window_seconds: int


@dataclass(slots=True)
class _Stretch:
    """The fewest requests that were left, as seen in a stretch of time that began at `since`."""

    since: float
    least: int


class RateBudget:
    """The budget of one token. Share it between all clients of that token.

    `clock` is monotonic, in seconds. `chance` spreads the moments at which calls go on; None: they go on at once.
    """

    def __init__(self, clock: Callable[[], float], chance: random.Random | None = None) -> None:
        self._clock = clock
        self._chance = chance
        self._lateness = 0.0
        """Between 0 and 1: how much of the spread this process goes on later. Drawn anew for each window and ban."""
        self._banned_until = float("-inf")
        self._allowance: Allowance | None = None
        self._policies: dict[str, Policy] = {}
        self._stretches: list[_Stretch] = []
        """One per window, the latest last."""

    @property
    def clock(self) -> Callable[[], float]:
        return self._clock

    @property
    def remaining(self) -> int | None:
        """Requests left in the present window; None when unknown or the window is over."""
        current = self._current()
        return None if current is None else current.remaining

    @property
    def policy(self) -> Policy | None:
        """The limit as last announced, the slowest where there are several; None before the first answer."""
        return min(self._policies.values(), key=lambda each: each.quota / each.window_seconds, default=None)

    @property
    def resets_in(self) -> float | None:
        """Seconds until the window that `remaining` speaks of is over."""
        current = self._current()
        return None if current is None else current.resets_at - self._clock()

    def least_left(self, lately: float) -> int | None:
        """The fewest requests that were left in the last so many seconds: what everybody together did not use. None
        when nothing was heard."""
        return min((each.least for each in self._stretches if self._clock() - each.since < lately), default=None)

    def wait(self, urgency: Urgency = Urgency.WITHDRAWAL) -> float:
        """Seconds for which no call of this urgency may be sent; 0 when one may."""
        now, current = self._clock(), self._allowance
        if current is None or now >= current.resumes_at:
            return max(0.0, self._banned_until - now)
        kept_back = not may_be_sent(urgency, current.remaining, self._quota_of(current))
        return max(0.0, self._banned_until - now, current.resumes_at - now if kept_back else 0.0)

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer. A 429 forbids further calls until its time is over."""
        now = self._clock()
        self._note_policy(headers.get("ratelimit-policy", ""))
        self._note_allowance(headers.get("ratelimit", ""), now)
        if status == 429:
            self._note_left(0, now)
            self._draw()
            self._banned_until = max(self._banned_until, self._later(now, self._length_of_ban(headers)))

    def _current(self) -> Allowance | None:
        if self._allowance is None or self._allowance.resets_at <= self._clock():
            return None
        return self._allowance

    def _quota_of(self, allowance: Allowance) -> int:
        policy = self._policies.get(allowance.name) or self.policy
        return policy.quota if policy else _DOCUMENTED_QUOTA

    def _later(self, now: float, seconds: float) -> float:
        return now + seconds + self._lateness * min(_SPREAD * seconds, _LONGEST_SPREAD_SECONDS)

    def _draw(self) -> None:
        self._lateness = self._chance.random() if self._chance else 0.0

    def _length_of_ban(self, headers: Mapping[str, str]) -> float:
        asked = retry_after(headers)
        return DOCUMENTED_BAN_SECONDS if asked is None else max(1.0, asked)

    def _note_allowance(self, header: str, now: float) -> None:
        items = [(name, numbers) for name, numbers in _items(header) if "r" in numbers and "t" in numbers]
        if items:
            name, tightest = min(items, key=lambda item: item[1]["r"])
            seconds, remaining = min(float(tightest["t"]), LONGEST_WAIT_SECONDS), max(0, tightest["r"])
            if self._current() is None:
                self._draw()
            self._allowance = Allowance(name, remaining, now + seconds, self._later(now, seconds))
            self._note_left(remaining, now)

    def _note_left(self, remaining: int, now: float) -> None:
        policy = self.policy
        window = policy.window_seconds if policy else DOCUMENTED_BAN_SECONDS
        present = self._stretches[-1] if self._stretches else None
        if present is None or now >= present.since + window:
            self._stretches = [*self._stretches[1 - _MOST_STRETCHES :], _Stretch(now, remaining)]
        else:
            present.least = min(present.least, remaining)

    def _note_policy(self, header: str) -> None:
        known = [(name, each.get("q", 0), each.get("w", 0)) for name, each in _items(header)]
        if policies := {name: Policy(quota, window) for name, quota, window in known if quota > 0 and window > 0}:
            self._policies = policies


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, capped; None when absent or a date (Cloudflare sends seconds)."""
    text = headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        return None
    return min(float(text), LONGEST_WAIT_SECONDS)


def _items(header: str) -> list[tuple[str, dict[str, int]]]:
    return [
        (match["name"], {name: int(value) for name, value in _PARAMETER.findall(match["parameters"])})
        for match in _ITEM.finditer(header)
    ]
