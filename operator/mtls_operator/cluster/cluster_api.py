"""What the operator asks of a cluster, as a protocol: the API server implements it, and so does the simulated one.

Every method raises ClusterError, and only that, when it cannot do what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.sources import SourceData, SourceKey


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a kind, and the resource version at which that was so."""

    items: list[Mapping[str, Any]]
    version: int


class ClusterApi(Protocol):
    """A cluster as the operator's ServiceAccount sees it."""

    async def cluster_uid(self) -> str:
        """The UID of namespace kube-system, by which a cluster is told from others."""

    async def list_all(self, kind: str) -> Listed:
        """Every object of one of our kinds, in all namespaces, or an error; never a part."""

    async def get(self, kind: str, key: ResourceKey) -> Mapping[str, Any]:
        """One object. Raises ResourceGone."""

    async def replace_status(
        self, kind: str, key: ResourceKey, resource_version: str, status: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Replace the status of the object as it was at this version; returns the object. Raises ResourceGone,
        ResourceChanged."""

    async def replace_finalizers(
        self, kind: str, key: ResourceKey, resource_version: str, finalizers: Sequence[str]
    ) -> Mapping[str, Any]:
        """Replace the finalizers of the object as it was at this version. Raises ResourceGone, ResourceChanged."""

    async def post_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Post an event of events.k8s.io/v1."""

    async def follow_source(self, source: SourceKey, on_data: Callable[[SourceData], None]) -> None:
        """Tell the data of a Secret or ConfigMap, now and after each change: None while it does not exist, Unreadable
        when it cannot be read now. Until cancelled; failures are retried."""

    async def follow_namespaces(self, on_labels: Callable[[str, Mapping[str, str] | None], None]) -> None:
        """Tell the labels of every namespace, now and after each change, None for one that is gone. Until
        cancelled; failures are retried."""
