"""The API server, through the `kubernetes` package: lists, two kinds of patch, events, and watches by name.

Patches are JSON patches that test the resourceVersion that was decided on, so that a write never lands on an object
that was recreated or changed meanwhile. Status is replaced whole: a merge would keep what is no longer there.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from kubernetes.aio import client, config

from mtls_operator.api.constants import GROUP, VERSION
from mtls_operator.cluster.cluster_api import ClusterApi, Listed
from mtls_operator.cluster.core_reads import CoreReads
from mtls_operator.cluster.errors import explained
from mtls_operator.cluster.kinds import PLURALS
from mtls_operator.cluster.reflector import Object, Reflector
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.sources import SourceData, SourceKey, SourceKind, Unreadable

_PATCH = "application/json-patch+json"
_TIMEOUT_SECONDS = 30
_PAGE = 500
_PLURALS = {SourceKind.SECRET: "secrets", SourceKind.CONFIG_MAP: "configmaps"}


class ApiServer(ClusterApi):
    """The API server as the operator's ServiceAccount sees it."""

    def __init__(self, connection: client.ApiClient) -> None:
        self._objects = client.CustomObjectsApi(connection)
        self._core = CoreReads(connection)
        self._events = client.EventsV1Api(connection)

    async def cluster_uid(self) -> str:
        """The UID of namespace kube-system, by which a cluster is told from others. Raises ClusterError."""
        with explained("reading namespace kube-system"):
            namespace = await self._core.read("namespaces/kube-system", _TIMEOUT_SECONDS)
            return str(namespace["metadata"]["uid"])

    async def list_all(self, kind: str) -> Listed:
        """Every object of one of our kinds, in all namespaces. Raises ClusterError rather than give a part."""
        found: list[Mapping[str, Any]] = []
        page: str | None = None
        while True:
            with explained(f"listing {PLURALS[kind]}"):
                answer = await self._objects.list_cluster_custom_object(
                    GROUP, VERSION, PLURALS[kind], limit=_PAGE, _continue=page, _request_timeout=_TIMEOUT_SECONDS
                )
            found += answer["items"]
            page = answer["metadata"].get("continue")
            if not page:
                return Listed(found, int(answer["metadata"]["resourceVersion"]))

    async def get(self, kind: str, key: ResourceKey) -> Mapping[str, Any]:
        """One object. Raises ResourceGone."""
        with explained(f"reading {kind} {key}"):
            return dict(
                await self._objects.get_namespaced_custom_object(
                    GROUP, VERSION, key.namespace, PLURALS[kind], key.name, _request_timeout=_TIMEOUT_SECONDS
                )
            )

    async def replace_status(
        self, kind: str, key: ResourceKey, resource_version: str, status: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/status", "value": status},
        ]
        with explained(f"writing the status of {kind} {key}"):
            return dict(
                await self._objects.patch_namespaced_custom_object_status(
                    GROUP,
                    VERSION,
                    key.namespace,
                    PLURALS[kind],
                    key.name,
                    patch,
                    _content_type=_PATCH,
                    _request_timeout=_TIMEOUT_SECONDS,
                )
            )

    async def replace_finalizers(
        self, kind: str, key: ResourceKey, resource_version: str, finalizers: Sequence[str]
    ) -> Mapping[str, Any]:
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)},
        ]
        with explained(f"writing the finalizers of {kind} {key}"):
            return dict(
                await self._objects.patch_namespaced_custom_object(
                    GROUP,
                    VERSION,
                    key.namespace,
                    PLURALS[kind],
                    key.name,
                    patch,
                    _content_type=_PATCH,
                    _request_timeout=_TIMEOUT_SECONDS,
                )
            )

    async def post_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Post an event of events.k8s.io/v1. Raises ClusterError."""
        with explained(f"posting an event in namespace {namespace}"):
            await self._events.create_namespaced_event(namespace, event, _request_timeout=_TIMEOUT_SECONDS)

    async def follow_source(self, source: SourceKey, on_data: Callable[[SourceData], None]) -> None:
        """By a field selector on the name, so that a Role with `resourceNames` is enough."""
        await Reflector(
            str(source),
            partial(self._core.begin, f"namespaces/{source.namespace}/{_PLURALS[source.kind]}"),
            on_list=lambda objects: on_data(_data(source.kind, objects[0]) if objects else None),
            on_change=lambda found: on_data(_data(source.kind, found)),
            on_delete=lambda _: on_data(None),
            on_trouble=lambda why: on_data(Unreadable(why)),
            selection={"fieldSelector": f"metadata.name={source.name}"},
        ).run()

    async def follow_namespaces(self, on_labels: Callable[[str, Mapping[str, str] | None], None]) -> None:
        """All of them: labels are what a selector of `allowedBindings` is about."""
        told: set[str] = set()

        def tell(found: Object) -> None:
            told.add(_name(found))
            on_labels(_name(found), dict(found["metadata"].get("labels") or {}))

        def tell_all(namespaces: list[Object]) -> None:
            for gone in told - {_name(found) for found in namespaces}:
                forget(gone)
            for found in namespaces:
                tell(found)

        def forget(name: str) -> None:
            told.discard(name)
            on_labels(name, None)

        await Reflector(
            "namespaces",
            partial(self._core.begin, "namespaces"),
            on_list=tell_all,
            on_change=tell,
            on_delete=lambda found: forget(_name(found)),
            on_trouble=lambda _: None,
        ).run()


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _data(kind: SourceKind, found: Object) -> Mapping[str, bytes]:
    data = found.get("data") or {}
    if kind is SourceKind.SECRET:
        return {name: base64.b64decode(value) for name, value in data.items()}
    text = {name: value.encode() for name, value in data.items()}
    return text | {name: base64.b64decode(value) for name, value in (found.get("binaryData") or {}).items()}


@asynccontextmanager
async def connected() -> AsyncIterator[ApiServer]:
    """The API server of the pod's ServiceAccount, or of `KUBECONFIG` where that is set."""
    settings = client.Configuration()
    # Each watched Secret holds a connection: with the client's limit of 100, writes would have to wait for a slot.
    settings.connection_pool_maxsize = 0
    if os.environ.get("KUBECONFIG"):
        await config.load_kube_config(client_configuration=settings)
    else:
        config.load_incluster_config(client_configuration=settings)
    async with client.ApiClient(settings) as connection:
        yield ApiServer(connection)
