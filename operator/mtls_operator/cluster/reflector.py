"""List, then watch, for ever: keeps somebody told of objects that kopf does not watch for us.

Used for single Secrets and ConfigMaps by a field selector on their name, so that a Role with `resourceNames` is
enough and no other Secret of the cluster is ever read, and for the namespaces' labels.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from kubernetes.aio import watch
from kubernetes.aio.client.exceptions import ApiException

from mtls_operator.cluster.errors import ClusterError, explained

_LOG = logging.getLogger(__name__)
_WATCH_SECONDS = 240
"""The API server ends a watch after this; a gap then is bridged by the resource version."""
_LONGEST_PAUSE = 30.0

List = Callable[..., Awaitable[Any]]


class Reflector:
    """Follows the objects of one list call.

    `on_list` gets all objects, `on_change` one that is new or changed, `on_delete` one that is gone.
    A failure is retried with growing pauses; what was known stays known meanwhile.
    """

    def __init__(
        self,
        what: str,
        list_objects: List,
        *,
        on_list: Callable[[list[Any]], None],
        on_change: Callable[[Any], None],
        on_delete: Callable[[Any], None],
        **selection: str,
    ) -> None:
        self._what = what
        self._list = list_objects
        self._on_list = on_list
        self._handlers = {"ADDED": on_change, "MODIFIED": on_change, "DELETED": on_delete}
        self._selection = selection

    async def run(self) -> None:
        """Until cancelled."""
        pause = 0.0
        while True:
            try:
                version = await self._list_once()
                pause = 0.0
                while True:
                    version = await self._watch_once(version)
            except ClusterError as error:
                pause = min(_LONGEST_PAUSE, max(0.5, 2 * pause))
                _LOG.warning("watching failed, listing again", extra={"what": self._what, "error": str(error)})
                await asyncio.sleep(pause)
            except _Expired:
                continue

    async def _list_once(self) -> str:
        with explained(f"listing {self._what}"):
            listed = await self._list(**self._selection, _request_timeout=_WATCH_SECONDS)
        self._on_list(listed.items)
        return str(listed.metadata.resource_version)

    async def _watch_once(self, version: str) -> str:
        with explained(f"watching {self._what}"):
            try:
                return await self._follow(version)
            except ApiException as error:
                if error.status == 410:
                    raise _Expired from None
                raise

    async def _follow(self, version: str) -> str:
        async with watch.Watch() as stream:
            events = stream.stream(
                self._list,
                **self._selection,
                resource_version=version,
                timeout_seconds=_WATCH_SECONDS,
                _request_timeout=_WATCH_SECONDS + 30,
            )
            async for event in events:
                version = str(event["raw_object"]["metadata"]["resourceVersion"])
                if handle := self._handlers.get(event["type"]):
                    handle(event["object"])
        return version


class _Expired(Exception):
    """The version from which to watch is too old: list again."""
