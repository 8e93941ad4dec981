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

from mtls_operator.cluster.errors import ApiServerUnavailable, ClusterError, explained

_LOG = logging.getLogger(__name__)
_WATCH_SECONDS = 240
"""The API server ends a watch after this; a gap then is bridged by the resource version."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0

List = Callable[..., Awaitable[Any]]


class Reflector:
    """Follows the objects of one list call.

    `on_list` gets all objects, `on_change` one that is new or changed, `on_delete` one that is gone, `on_trouble` what
    is wrong when the API server cannot be asked. A failure is retried with growing pauses.
    """

    def __init__(
        self,
        what: str,
        list_objects: List,
        *,
        on_list: Callable[[list[Any]], None],
        on_change: Callable[[Any], None],
        on_delete: Callable[[Any], None],
        on_trouble: Callable[[str], None],
        **selection: str,
    ) -> None:
        self._what = what
        self._list = list_objects
        self._on_list = on_list
        self._handlers = {"ADDED": on_change, "MODIFIED": on_change, "DELETED": on_delete}
        self._on_trouble = on_trouble
        self._selection = selection

    async def run(self) -> None:
        """Until cancelled."""
        pause, now = _SHORTEST_PAUSE, asyncio.get_running_loop().time
        while True:
            begun = now()
            try:
                await self._list_and_watch()
            except ClusterError as error:
                _LOG.warning("watching failed, listing again", extra={"what": self._what, "error": str(error)})
                self._on_trouble(str(error))
            except _Expired:
                _LOG.debug("the version to watch from is too old, listing again", extra={"what": self._what})
            # What went well for a while has no history of failures.
            pause = _SHORTEST_PAUSE if now() - begun > _LONGEST_PAUSE else min(_LONGEST_PAUSE, 2 * pause)
            await asyncio.sleep(pause)

    async def _list_and_watch(self) -> None:
        version, now = await self._list_once(), asyncio.get_running_loop().time
        while True:
            begun = now()
            version = await self._watch_once(version)
            if now() - begun < _SHORTEST_PAUSE:
                raise ApiServerUnavailable(f"watching {self._what}: the watch ended as soon as it had begun")

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
                if not isinstance(event, dict):
                    # The client does not look at the status of a watch: a proxy's page comes as a line of text.
                    raise ApiServerUnavailable(f"watching {self._what}: the answer is not a stream of events")
                version = str(event["raw_object"]["metadata"]["resourceVersion"])
                if handle := self._handlers.get(event["type"]):
                    handle(event["object"])
        return version


class _Expired(Exception):
    """The version from which to watch is too old: list again."""
