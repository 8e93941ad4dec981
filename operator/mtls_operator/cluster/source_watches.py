"""The contents of the Secrets and ConfigMaps that resources refer to, each watched by its name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from mtls_operator.cluster.cluster_api import ClusterApi
from mtls_operator.domain.sources import SourceData, SourceKey, Unreadable

_LOG = logging.getLogger(__name__)
_PAUSE_AFTER_DEFECT_SECONDS = 30.0


class SourceWatches:
    """Watches what it is told to watch, and calls `on_change` with the key of what has changed.

    `contents` lacks an object that has not been read yet, has None for one that does not exist, and Unreadable for one
    that never could be read. What was read once stays true while it cannot be read again.
    """

    def __init__(self, api: ClusterApi, on_change: Callable[[SourceKey], None]) -> None:
        self._api = api
        self._on_change = on_change
        self._tasks: dict[SourceKey, asyncio.Task[None]] = {}
        self.contents: dict[SourceKey, SourceData] = {}

    def watch_only(self, wanted: frozenset[SourceKey]) -> None:
        """Begin to watch what is new, and forget what nobody refers to any more."""
        for key in self._tasks.keys() - wanted:
            self._tasks.pop(key).cancel()
            self.contents.pop(key, None)
        for key in sorted(wanted - self._tasks.keys()):
            self._begin(key)

    async def stop(self) -> None:
        """End all watches."""
        tasks = list(self._tasks.values())
        self.watch_only(frozenset())
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: SourceKey) -> None:
        watch = self._api.follow_source(key, partial(self._set, key))
        self._tasks[key] = asyncio.create_task(watch, name=f"watch {key}")
        self._tasks[key].add_done_callback(partial(self._ended, key))

    def _ended(self, key: SourceKey, task: asyncio.Task[None]) -> None:
        """A watch ends only by being cancelled. One that ends by a defect is loud, and begun again."""
        if task.cancelled() or self._tasks.get(key) is not task:
            return
        _LOG.error("a watch ended in an unforeseen way", exc_info=task.exception(), extra={"source": str(key)})
        asyncio.get_running_loop().call_later(_PAUSE_AFTER_DEFECT_SECONDS, self._begin_again, key, task)

    def _begin_again(self, key: SourceKey, ended: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is ended:
            self._begin(key)

    def _set(self, key: SourceKey, data: SourceData) -> None:
        was_read = key in self.contents and not isinstance(self.contents[key], Unreadable)
        if isinstance(data, Unreadable) and was_read:
            return
        if key not in self.contents or self.contents[key] != data:
            self.contents[key] = data
            self._on_change(key)
