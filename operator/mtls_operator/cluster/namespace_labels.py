"""The labels of all namespaces, for the selectors of `allowedBindings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtls_operator.cluster.cluster_api import ClusterApi


class NamespaceLabels:
    """Follows the namespaces, and calls `on_change` with the name of one whose labels have changed."""

    def __init__(self, api: ClusterApi, on_change: Callable[[str], None]) -> None:
        self._api = api
        self._on_change = on_change
        self._labels: dict[str, Mapping[str, str]] = {}

    def of(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace; none while they are not known, so that a selector refuses."""
        return self._labels.get(namespace, {})

    async def run(self) -> None:
        """Until cancelled."""
        await self._api.follow_namespaces(self._set)

    def _set(self, namespace: str, labels: Mapping[str, str]) -> None:
        if self._labels.get(namespace) != labels:
            self._labels[namespace] = labels
            self._on_change(namespace)
