"""Waiting for a condition, never for time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 120.0
"""Seconds. Generous: a loaded machine must not fail a test; one that passes never waits this long."""
_POLL = 0.1

T = TypeVar("T")


def until(probe: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """The first truthy answer of the probe. Raises AssertionError, with the last answer, when there is none."""
    deadline = time.monotonic() + patience
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}; last seen: {answer!r}"
        time.sleep(_POLL)
