"""The labels of all namespaces, for the selectors of `allowedBindings`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from mtls_operator.cluster.cluster_api import ClusterApi


class NamespaceLabels:
    """Follows the namespaces, and calls `on_change` with the name of one whose labels have changed."""

    def __init__(self, api: ClusterApi, on_change: Callable[[str], None]) -> None:
        self._api = api
        self._on_change = on_change
        self._labels: dict[str, Mapping[str, str]] = {}
        self.listed = asyncio.Event()
        """Set once the namespaces have been listed."""

    def of(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace, None while they are not known: nothing may be concluded from that."""
        return self._labels.get(namespace)

    async def run(self) -> None:
        """Until cancelled."""
        await self._api.follow_namespaces(self._set)

    def _set(self, namespace: str, labels: Mapping[str, str] | None) -> None:
        before = self._labels.pop(namespace, None)
        if labels is not None:
            self._labels[namespace] = labels
        if before != labels:
            self._on_change(namespace)
        self.listed.set()
