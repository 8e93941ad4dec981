"""A queue of keys: each at most once, none worked on twice at the same time, and any of them at a later time.

The unit of serialisation is the key, so the order inside a zone is a sequence and not a protocol. A thousand
changes of one zone that come together are one reconcile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mtls_operator.engine.defects import PAUSE_AFTER_DEFECT_SECONDS
from mtls_operator.engine.keys import Key

_LOG = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[float | None]]
"""Works on a key and returns after how many seconds to look again, None for only when something happens."""


class WorkQueue:
    """Runs `reconcile` for keys that are due, at most `concurrency` at a time."""

    def __init__(self, reconcile: Reconcile, *, concurrency: int, coalesce_seconds: float) -> None:
        self._reconcile = reconcile
        self._coalesce = coalesce_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._due: dict[Key, float] = {}
        self._running: set[Key] = set()
        self._tasks: set[asyncio.Task[float | None]] = set()
        self._changed = asyncio.Event()

    def add(self, key: Key) -> None:
        """Something has changed: work on the key soon, together with what else changes now."""
        self._schedule(key, self._coalesce)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._changed.clear()
                now = asyncio.get_running_loop().time()
                for key in [each for each, due in self._due.items() if due <= now and each not in self._running]:
                    del self._due[key]
                    self._start(key)
                await self._sleep(now)
        finally:
            await self._stop()

    async def _sleep(self, now: float) -> None:
        times = [due for key, due in self._due.items() if key not in self._running]
        timeout = max(0.0, min(times) - now) if times else None
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return

    def _schedule(self, key: Key, delay: float) -> None:
        due = asyncio.get_running_loop().time() + delay
        self._due[key] = min(due, self._due.get(key, due))
        self._changed.set()

    def _start(self, key: Key) -> None:
        self._running.add(key)
        task = asyncio.create_task(self._work(key))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finish(key, done))

    async def _work(self, key: Key) -> float | None:
        async with self._slots:
            return await self._reconcile(key)

    def _finish(self, key: Key, task: asyncio.Task[float | None]) -> None:
        self._tasks.discard(task)
        self._running.discard(key)
        self._changed.set()
        if task.cancelled():
            return
        defect = task.exception()
        if defect is not None:
            # A defect of ours in one zone must not stop the others; it is loud, and tried again.
            _LOG.error("a reconcile failed in an unforeseen way", exc_info=defect, extra={"key": str(key)})
            self._schedule(key, PAUSE_AFTER_DEFECT_SECONDS)
        elif (again := task.result()) is not None:
            self._schedule(key, again)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
