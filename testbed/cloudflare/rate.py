"""The rate limit per token, with the headers that announce it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.cloudflare.envelope import RefusalError
from testbed.cloudflare.settings import RateLimit


@dataclass(slots=True)
class _Window:
    opened: float
    used: int = 0
    banned_until: float = -math.inf


class RateMeter:
    """Counts requests per token in windows that open with the first request."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def count(self, key: str, now: float, limit: RateLimit) -> Mapping[str, str]:
        """Count one request and return the headers of its answer.

        Raises RefusalError (429) past the limit, and for the whole penalty after that.
        """
        window = self._current(key, now, limit)
        if now >= window.banned_until:
            window.used += 1
            if window.used > limit.requests:
                window.banned_until = now + limit.penalty
        headers = _headers(window, now, limit)
        if now < window.banned_until:
            wait = math.ceil(window.banned_until - now)
            raise RefusalError(
                429,
                971,
                "Please wait and consider throttling your request speed",
                headers={**headers, "retry-after": str(wait)},
            )
        return headers

    def spend(self, key: str, requests: int, now: float, limit: RateLimit) -> None:
        """Use up part of a token's budget, as the same user's dashboard would."""
        self._current(key, now, limit).used += requests

    def _current(self, key: str, now: float, limit: RateLimit) -> _Window:
        window = self._windows.get(key)
        if window is None or now >= max(window.opened + limit.window, window.banned_until):
            window = self._windows[key] = _Window(opened=now)
        return window


def _headers(window: _Window, now: float, limit: RateLimit) -> Mapping[str, str]:
    remaining = max(0, limit.requests - window.used)
    reset = max(window.opened + limit.window, window.banned_until) - now
    return {
        "ratelimit": f'"default";r={remaining};t={math.ceil(reset)}',
        "ratelimit-policy": f'"default";q={limit.requests};w={math.ceil(limit.window)}',
    }
