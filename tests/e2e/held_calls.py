"""Calls that are held on their way, so that the operator can be killed in the middle of them.

A held call is a fault with a delay that lasts until it is let go. Held before Cloudflare handles it, it never is:
its connection is cut. Held after, its answer is lost with the process that would have read it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from testbed.cloudflare.faults import Cut, Delay, Fault, Faults, Moment
from testbed.cloudflare.messages import Request

_LONG = 1e6


class HeldCalls:
    """`sleep` serves the delays of a server's faults: finite ones by waiting, endless ones until `let_go`."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._generation = 0
        self._names: dict[float, str] = {}
        self._held: set[str] = set()

    @property
    def names(self) -> frozenset[str]:
        """Names of what is held now."""
        with self._change:
            return frozenset(self._held)

    def hold(
        self, faults: Faults, match: Callable[[Request], bool], number: int, moment: Moment, name: str = "a call"
    ) -> None:
        """Hold the call that matches for the `number`-th time from now on, counted from 0."""
        # A delay is a number of seconds, and this one also says what is held.
        delay = _LONG + len(self._names)
        self._names[delay] = name
        faults.add(Fault(Delay(delay, moment), match, skip=number))
        if moment is Moment.BEFORE:
            faults.add(Fault(Cut(Moment.BEFORE), match, skip=number))

    def let_go(self) -> None:
        """All that is held goes on."""
        with self._change:
            self._generation += 1
            self._held.clear()
            self._change.notify_all()

    def sleep(self, seconds: float) -> None:
        """For `CloudflareServer`."""
        if seconds < _LONG:
            time.sleep(seconds)
            return
        with self._change:
            mine = self._generation
            self._held.add(self._names[seconds])
            self._change.wait_for(lambda: self._generation > mine)
