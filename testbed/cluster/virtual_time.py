"""The engine's clock on the time of an event loop, which a virtual loop (looptime) moves."""

from __future__ import annotations

import asyncio
from typing import Final

from mtls_operator.engine.clock import Clock

EPOCH: Final = 1_800_000_000.0
"""2027-01-15, 08:00 UTC: when virtual time begins, unless a test chooses another moment."""


class VirtualClock(Clock):
    """Seconds since the epoch: `epoch` at the loop's time 0. `loop` absent: the running one."""

    def __init__(self, epoch: float = EPOCH, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__()
        self._epoch = epoch
        self._loop = loop or asyncio.get_running_loop()

    def now(self) -> float:
        return self._epoch + self._loop.time()
