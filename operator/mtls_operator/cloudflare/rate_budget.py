"""How many requests a token has left, as Cloudflare last told us.

Cloudflare counts 1,200 requests per five minutes per user, the dashboard and other clusters included, and
refuses every call for five minutes once they are used up (developers.cloudflare.com, API rate limits). So
a call that must be refused is not sent: it would cost the others their budget too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

# The length of a ban, for a 429 that does not say how long.
DOCUMENTED_BAN_SECONDS: Final = 300.0
# A Retry-After beyond this is taken for a mistake: a wrong header must not stop the operator for days.
LONGEST_WAIT_SECONDS: Final = 3600.0
_MOST_STRETCHES: Final = 20

# `"default";r=50;t=30`, several of them separated by commas; parameters in any order.
_ITEM = re.compile(r'"(?P<name>[^"]*)"(?P<parameters>(?:\s*;\s*[a-z]+=-?[0-9]+)*)')
_PARAMETER = re.compile(r"([a-z]+)=(-?[0-9]+)")


@dataclass(frozen=True, slots=True)
class Allowance:
    """`remaining` requests until `resets_at` (seconds of the budget's clock)."""

    remaining: int
    resets_at: float


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

    `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._banned_until = float("-inf")
        self._allowance: Allowance | None = None
        self._policy: Policy | None = None
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
        """The limit as last announced; None before the first answer."""
        return self._policy

    @property
    def resets_in(self) -> float | None:
        """Seconds until the window that `remaining` speaks of is over."""
        current = self._current()
        return None if current is None else current.resets_at - self._clock()

    def least_left(self, lately: float) -> int | None:
        """The fewest requests that were left in the last so many seconds: what everybody together did not use. None
        when nothing was heard."""
        return min((each.least for each in self._stretches if self._clock() - each.since < lately), default=None)

    def wait(self) -> float:
        """Seconds for which no call may be sent; 0 when one may."""
        now = self._clock()
        current = self._current()
        exhausted_until = current.resets_at if current is not None and current.remaining <= 0 else now
        return max(0.0, self._banned_until - now, exhausted_until - now)

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer. A 429 forbids further calls until its time is over."""
        now = self._clock()
        self._note_policy(headers.get("ratelimit-policy", ""))
        self._note_allowance(headers.get("ratelimit", ""), now)
        if status == 429:
            self._note_left(0, now)
            self._banned_until = max(self._banned_until, now + self._length_of_ban(headers))

    def _current(self) -> Allowance | None:
        if self._allowance is None or self._allowance.resets_at <= self._clock():
            return None
        return self._allowance

    def _length_of_ban(self, headers: Mapping[str, str]) -> float:
        asked = retry_after(headers)
        return DOCUMENTED_BAN_SECONDS if asked is None else max(1.0, asked)

    def _note_allowance(self, header: str, now: float) -> None:
        items = [item for item in _items(header) if "r" in item and "t" in item]
        if items:
            tightest = min(items, key=lambda item: item["r"])
            seconds = min(float(tightest["t"]), LONGEST_WAIT_SECONDS)
            self._allowance = Allowance(max(0, tightest["r"]), now + seconds)
            self._note_left(self._allowance.remaining, now)

    def _note_left(self, remaining: int, now: float) -> None:
        window = self._policy.window_seconds if self._policy else DOCUMENTED_BAN_SECONDS
        present = self._stretches[-1] if self._stretches else None
        if present is None or now >= present.since + window:
            self._stretches = [*self._stretches[1 - _MOST_STRETCHES :], _Stretch(now, remaining)]
        else:
            present.least = min(present.least, remaining)

    def _note_policy(self, header: str) -> None:
        items = [item for item in _items(header) if item.get("q", 0) > 0 and item.get("w", 0) > 0]
        if items:
            slowest = min(items, key=lambda item: item["q"] / item["w"])
            self._policy = Policy(slowest["q"], slowest["w"])


def retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, capped; None when absent or a date (Cloudflare sends seconds)."""
    text = headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        return None
    return min(float(text), LONGEST_WAIT_SECONDS)


def _items(header: str) -> list[dict[str, int]]:
    return [
        {name: int(value) for name, value in _PARAMETER.findall(match["parameters"])}
        for match in _ITEM.finditer(header)
    ]
