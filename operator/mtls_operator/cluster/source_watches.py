"""The contents of the Secrets and ConfigMaps that resources refer to, each watched by its name."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes.aio import client

from mtls_operator.cluster.api_server import ApiServer
from mtls_operator.cluster.reflector import Reflector
from mtls_operator.domain.sources import SourceKey, SourceKind


class SourceWatches:
    """Watches what it is told to watch, and calls `on_change` with the key of what has changed.

    `contents` lacks an object that has not been read yet, and has None for one that does not exist.
    """

    def __init__(self, api: ApiServer, on_change: Callable[[SourceKey], None]) -> None:
        core = client.CoreV1Api(api.connection)
        self._lists = {
            SourceKind.SECRET: core.list_namespaced_secret,
            SourceKind.CONFIG_MAP: core.list_namespaced_config_map,
        }
        self._on_change = on_change
        self._tasks: dict[SourceKey, asyncio.Task[None]] = {}
        self.contents: dict[SourceKey, Mapping[str, bytes] | None] = {}

    def watch_only(self, wanted: frozenset[SourceKey]) -> None:
        """Begin to watch what is new, and forget what nobody refers to any more."""
        for key in self._tasks.keys() - wanted:
            self._tasks.pop(key).cancel()
            self.contents.pop(key, None)
        for key in sorted(wanted - self._tasks.keys()):
            self._tasks[key] = asyncio.create_task(self._reflector(key).run(), name=f"watch {key}")

    async def stop(self) -> None:
        """End all watches."""
        tasks = list(self._tasks.values())
        self.watch_only(frozenset())
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reflector(self, key: SourceKey) -> Reflector:
        return Reflector(
            str(key),
            self._lists[key.kind],
            on_list=lambda objects: self._set(key, _data(key.kind, objects[0]) if objects else None),
            on_change=lambda found: self._set(key, _data(key.kind, found)),
            on_delete=lambda _: self._set(key, None),
            namespace=key.namespace,
            field_selector=f"metadata.name={key.name}",
        )

    def _set(self, key: SourceKey, data: Mapping[str, bytes] | None) -> None:
        if key not in self.contents or self.contents[key] != data:
            self.contents[key] = data
            self._on_change(key)


def _data(kind: SourceKind, found: Any) -> Mapping[str, bytes]:
    if kind is SourceKind.SECRET:
        return {name: base64.b64decode(value) for name, value in (found.data or {}).items()}
    text = {name: value.encode() for name, value in (found.data or {}).items()}
    return text | {name: base64.b64decode(value) for name, value in (found.binary_data or {}).items()}
