"""The simulated API server, for the contract: without faults, and as fast as it can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from testbed.cluster import RefusalError, SimulatedCluster, WatchHabits
from tests.contract.cluster.world import Body, Cluster, Operations, RefusedError

T = TypeVar("T")
_AT_ONCE = (0.0, 0.0)


class SimulatedUsers:
    """Users of a simulated cluster, in the shape of those of a real one."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._users = cluster.users

    async def create(self, manifest: Mapping[str, Any]) -> Body:
        return _answer(lambda: self._users.create(manifest))

    async def apply(self, manifest: Mapping[str, Any]) -> Body:
        return _answer(lambda: self._users.apply(manifest))

    async def replace(self, manifest: Mapping[str, Any]) -> Body:
        return _answer(lambda: self._users.replace(manifest))

    async def patch(self, kind: str, namespace: str, name: str, operations: Operations) -> Body:
        return _answer(lambda: self._users.patch(kind, namespace, name, operations))

    async def write_status(self, kind: str, namespace: str, name: str, status: Mapping[str, Any] | None) -> Body:
        return _answer(lambda: self._users.write_status(kind, namespace, name, status))

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        _answer(lambda: self._users.delete(kind, namespace, name))

    async def read(self, kind: str, namespace: str, name: str) -> Body | None:
        return self._users.read(kind, namespace, name)


def simulated_cluster(namespace: str) -> Cluster:
    """A new cluster with one namespace for the test."""
    cluster = SimulatedCluster.seeded(time.time, seed=1, namespace_pause=(0.0, 0.01))
    cluster.users.create_namespace(namespace)
    client = cluster.client(latency=_AT_ONCE, habits=WatchHabits(lag=_AT_ONCE))
    return Cluster(client, SimulatedUsers(cluster), namespace, client.watch)


def _answer(act: Callable[[], T]) -> T:
    try:
        return act()
    except RefusalError as refusal:
        raise RefusedError(refusal.status, refusal.message) from None
