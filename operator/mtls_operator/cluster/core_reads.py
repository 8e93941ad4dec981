"""Reads of the core API by path, as JSON, with the connection of the `kubernetes` package.

Not by its CoreV1Api: to import that makes the types of all core objects, which took half of the operator's start and a
quarter of its memory, for objects that are read as JSON anyway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kubernetes.aio import client

from mtls_operator.cluster.errors import refused

Query = Mapping[str, str]


class CoreReads:
    """GET requests of `/api/v1`, with the credentials of the connection."""

    def __init__(self, connection: client.ApiClient) -> None:
        self._connection = connection

    async def begin(self, path: str, query: Query, timeout_seconds: float) -> Any:
        """The answer (of aiohttp), whose body is not read yet and whose status is not judged."""
        request = await self._connection.param_serialize(
            "GET",
            f"/api/v1/{path}",
            query_params=list(query.items()),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        return (await self._connection.call_api(*request, _request_timeout=timeout_seconds)).response

    async def read(self, path: str, timeout_seconds: float) -> Mapping[str, Any]:
        """One object. Raises ClusterError where the API server refuses, ValueError for an answer that is no JSON."""
        answer = await self.begin(path, {}, timeout_seconds)
        found: Mapping[str, Any] = json.loads(await whole_body(answer))
        return found


async def whole_body(answer: Any) -> bytes:
    """The body of an answer that says 200. Raises ClusterError for any other."""
    body: bytes = await answer.read()
    if answer.status != 200:
        raise refused(answer.status, body.decode(errors="replace"))
    return body
