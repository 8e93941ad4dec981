"""The labels of all namespaces, for the selectors of `allowedBindings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kubernetes.aio import client

from mtls_operator.cluster.api_server import ApiServer
from mtls_operator.cluster.reflector import Reflector


class NamespaceLabels:
    """Follows the namespaces, and calls `on_change` with the name of one whose labels have changed."""

    def __init__(self, api: ApiServer, on_change: Callable[[str], None]) -> None:
        self._list = client.CoreV1Api(api.connection).list_namespace
        self._on_change = on_change
        self._labels: dict[str, Mapping[str, str]] = {}

    def of(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace; none while they are not known, so that a selector refuses."""
        return self._labels.get(namespace, {})

    async def run(self) -> None:
        """Until cancelled."""
        await Reflector(
            "namespaces", self._list, on_list=self._take_all, on_change=self._take, on_delete=self._drop
        ).run()

    def _take_all(self, namespaces: list[Any]) -> None:
        for found in namespaces:
            self._take(found)

    def _take(self, found: Any) -> None:
        self._set(found.metadata.name, dict(found.metadata.labels or {}))

    def _drop(self, found: Any) -> None:
        self._set(found.metadata.name, {})

    def _set(self, namespace: str, labels: Mapping[str, str]) -> None:
        if self._labels.get(namespace) != labels:
            self._labels[namespace] = labels
            self._on_change(namespace)
