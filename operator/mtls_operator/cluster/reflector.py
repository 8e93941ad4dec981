"""List, then watch, for ever: keeps somebody told of objects that kopf does not watch for us.

Used for single Secrets and ConfigMaps by a field selector on their name, so that a Role with `resourceNames` is
enough and no other Secret of the cluster is ever read, and for the namespaces' labels.

The stream is read here and not by the package's Watch: that one neither looks at the status of the answer nor
notices a connection that has gone silent.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mtls_operator.cluster.core_reads import Query, whole_body
from mtls_operator.cluster.errors import ApiServerUnavailable, ClusterError, explained, refused

_LOG = logging.getLogger(__name__)
_LIST_SECONDS = 30.0
_WATCH_SECONDS = 240
"""The API server ends a watch after this; a gap then is bridged by the resource version."""
_SILENCE_SECONDS = 75.0
"""Bookmarks come about once a minute: a watch that is silent for longer is dead."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0

RawList = Callable[[Query, float], Awaitable[Any]]
"""A list or watch of some objects, given the query and a timeout in seconds; its answer is not read yet."""
Object = Mapping[str, Any]


class Reflector:
    """Follows the objects of one list call.

    `on_list` gets all objects, `on_change` one that is new or changed, `on_delete` one that is gone, `on_trouble` what
    is wrong when the API server cannot be asked. A failure is retried with growing pauses.
    """

    def __init__(
        self,
        what: str,
        list_objects: RawList,
        *,
        on_list: Callable[[list[Object]], None],
        on_change: Callable[[Object], None],
        on_delete: Callable[[Object], None],
        on_trouble: Callable[[str], None],
        selection: Query | None = None,
    ) -> None:
        self._what = what
        self._list = list_objects
        self._on_list = on_list
        self._handlers = {"ADDED": on_change, "MODIFIED": on_change, "DELETED": on_delete}
        self._on_trouble = on_trouble
        self._selection = selection or {}

    async def run(self) -> None:
        """Until cancelled."""
        pause, now = _SHORTEST_PAUSE, asyncio.get_running_loop().time
        while True:
            begun = now()
            try:
                await self._list_and_watch()
            except ClusterError as error:
                _LOG.warning("watching failed, listing again: %s", error, extra={"what": self._what})
                self._on_trouble(str(error))
            # What went well for a while has no history of failures.
            pause = _SHORTEST_PAUSE if now() - begun > _LONGEST_PAUSE else min(_LONGEST_PAUSE, 2 * pause)
            await asyncio.sleep(pause)

    async def _list_and_watch(self) -> None:
        with explained(f"listing {self._what}"):
            async with asyncio.timeout(_LIST_SECONDS):
                listed = json.loads(await whole_body(await self._list(self._selection, _LIST_SECONDS)))
        self._on_list(listed["items"])
        version, now = listed["metadata"]["resourceVersion"], asyncio.get_running_loop().time
        while True:
            begun = now()
            with explained(f"watching {self._what}"):
                version = await self._watch(version)
            if now() - begun < _SHORTEST_PAUSE:
                raise ApiServerUnavailable(f"watching {self._what}: the watch ended as soon as it had begun")

    async def _watch(self, version: str) -> str:
        """Until the API server ends the watch; returns the version from which the next one goes on."""
        watch = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        answer = await self._list({**self._selection, **watch}, _WATCH_SECONDS + _SILENCE_SECONDS)
        try:
            if answer.status != 200:
                raise refused(answer.status, answer.reason)
            while True:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    line = await answer.content.readline()
                if not line:
                    return version
                version = self._take(json.loads(line))
        finally:
            answer.close()

    def _take(self, event: Mapping[str, Any]) -> str:
        found = event["object"]
        if event["type"] == "ERROR":
            raise refused(int(found.get("code") or 0), str(found.get("message")))
        if handle := self._handlers.get(event["type"]):
            handle(found)
        return str(found["metadata"]["resourceVersion"])
