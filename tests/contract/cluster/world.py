"""A cluster as the contract sees it, whichever of the two it is: the operator's side, its users, and a namespace."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from mtls_operator.cluster.cluster_api import ClusterApi
from mtls_operator.domain.records import ResourceKey

Body = dict[str, Any]
Operations = Sequence[Mapping[str, Any]]

CA: Final = "MtlsCertificateAuthority"
BINDING: Final = "MtlsHostBinding"
API_VERSION: Final = "apishield-mtls.io/v1alpha1"
FINALIZER: Final = "apishield-mtls.io/cleanup"
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.02


class RefusedError(Exception):
    """The API server refused what a user asked for."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{status}: {message}")


class Users(Protocol):
    """What people do. Every method raises RefusedError."""

    async def create(self, manifest: Mapping[str, Any]) -> Body: ...

    async def apply(self, manifest: Mapping[str, Any]) -> Body: ...

    async def replace(self, manifest: Mapping[str, Any]) -> Body: ...

    async def patch(self, kind: str, namespace: str, name: str, operations: Operations) -> Body: ...

    async def write_status(self, kind: str, namespace: str, name: str, status: Mapping[str, Any] | None) -> Body: ...

    async def delete(self, kind: str, namespace: str, name: str) -> None: ...

    async def read(self, kind: str, namespace: str, name: str) -> Body | None: ...


Seen = tuple[str, Body, bool]
"""Kind, body, and whether it is deleted."""
Observe = Callable[..., None]


@dataclass
class Cluster:
    """`namespace` is new for each test. `watch` is kopf's part: it tells `observe` of each object of our kinds."""

    api: ClusterApi
    users: Users
    namespace: str
    watch: Callable[[Observe], Awaitable[None]]

    def key(self, name: str) -> ResourceKey:
        return ResourceKey(self.namespace, name)

    def authority(self, name: str = "ca", **spec: Any) -> Body:
        """A valid CA."""
        wanted = {"accountId": "0" * 32, "source": {"secretRef": {"name": "source"}}, **spec}
        return {
            "apiVersion": API_VERSION,
            "kind": CA,
            "metadata": {"namespace": self.namespace, "name": name},
            "spec": wanted,
        }

    def secret(self, name: str = "source", **data: str) -> Body:
        """A Secret with these texts."""
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        metadata = {"namespace": self.namespace, "name": name}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded}

    async def held(self, name: str = "ca") -> Body:
        """A CA that our finalizer holds."""
        return await self.write_finalizers(await self.users.create(self.authority(name)), FINALIZER)

    async def write_status(self, body: Body, status: Mapping[str, Any]) -> Body:
        """The status of a CA, written by who has seen this body of it."""
        metadata = body["metadata"]
        key = self.key(metadata["name"])
        return dict(await self.api.replace_status(CA, key, metadata["resourceVersion"], status))

    async def write_finalizers(self, body: Body, *finalizers: str) -> Body:
        """The finalizers of a CA, written by who has seen this body of it."""
        metadata = body["metadata"]
        key = self.key(metadata["name"])
        return dict(await self.api.replace_finalizers(CA, key, metadata["resourceVersion"], finalizers))

    async def read(self, name: str = "ca") -> Body:
        """A CA that is there."""
        return dict(await self.api.get(CA, self.key(name)))


@dataclass
class Recorder:
    """Notes what it is told of the objects in one namespace."""

    namespace: str
    seen: list[Seen] = field(default_factory=list)

    def observe(self, kind: str, body: Mapping[str, Any], *, deleted: bool) -> None:
        if body["metadata"]["namespace"] == self.namespace:
            self.seen.append((kind, dict(body), deleted))

    def story(self) -> list[tuple[str, bool]]:
        """Name and whether deleted, in the order of telling."""
        return [(body["metadata"]["name"], deleted) for _, body, deleted in self.seen]


async def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not condition():
            await _pause()


async def until_gone(cluster: Cluster, kind: str, name: str, namespace: str | None = None) -> None:
    """Wait until there is no such object."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await cluster.users.read(kind, cluster.namespace if namespace is None else namespace, name):
            await _pause()


async def _pause() -> None:
    await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Something that runs until the block ends."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
