"""The contents of the Secrets and ConfigMaps that resources refer to, each watched by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from mtls_operator.cluster.cluster_api import ClusterApi
from mtls_operator.domain.sources import SourceKey


class SourceWatches:
    """Watches what it is told to watch, and calls `on_change` with the key of what has changed.

    `contents` lacks an object that has not been read yet, and has None for one that does not exist.
    """

    def __init__(self, api: ClusterApi, on_change: Callable[[SourceKey], None]) -> None:
        self._api = api
        self._on_change = on_change
        self._tasks: dict[SourceKey, asyncio.Task[None]] = {}
        self.contents: dict[SourceKey, Mapping[str, bytes] | None] = {}

    def watch_only(self, wanted: frozenset[SourceKey]) -> None:
        """Begin to watch what is new, and forget what nobody refers to any more."""
        for key in self._tasks.keys() - wanted:
            self._tasks.pop(key).cancel()
            self.contents.pop(key, None)
        for key in sorted(wanted - self._tasks.keys()):
            watch = self._api.follow_source(key, partial(self._set, key))
            self._tasks[key] = asyncio.create_task(watch, name=f"watch {key}")

    async def stop(self) -> None:
        """End all watches."""
        tasks = list(self._tasks.values())
        self.watch_only(frozenset())
        await asyncio.gather(*tasks, return_exceptions=True)

    def _set(self, key: SourceKey, data: Mapping[str, bytes] | None) -> None:
        if key not in self.contents or self.contents[key] != data:
            self.contents[key] = data
            self._on_change(key)
