"""Lists every resource of the cluster: once before anything is done, and again from time to time to correct what the
watch did not tell.

A watch can go deaf: after a gap kopf lists again, but does not report what vanished meanwhile. What a later list finds
is believed when the watch has had a moment to tell it as well, and counted, because the watch should have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from mtls_operator.cluster.cluster_api import ClusterApi, Listed
from mtls_operator.cluster.errors import ClusterError, ResourceGone
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, ResourceKey
from mtls_operator.engine.clock import Clock
from mtls_operator.engine.defects import is_done
from mtls_operator.engine.resource_cache import ResourceCache
from mtls_operator.engine.troubles import pause_after
from mtls_operator.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)
_FIRST_SECONDS: Final = 30.0
"""Soon: what happened between the list at the start and the begin of the watch must not wait."""
_AGAIN_SECONDS: Final = 600.0
_GRACE_SECONDS: Final = 5.0
"""A watch that is alive tells a change within this."""

R = TypeVar("R", AuthorityRecord, BindingRecord)


@dataclass(frozen=True)
class ListedKind(Generic[R]):
    """A kind: where its resources are remembered, how one is read, and who is told of one that is gone."""

    name: str
    cache: ResourceCache[R]
    parse: Callable[[Mapping[str, Any]], R | None]
    forget: Callable[[R], object]

    def news(self, listed: Listed) -> list[ResourceKey]:
        """What a list holds and is not known."""
        records = (self.parse(body) for body in listed.items if not self.cache.has(body))
        return [record.key for record in records if record is not None]

    def forget_vanished(self, listed: Listed) -> int:
        """Forget what was there before the list was made and is not in it; returns how many."""
        present = {record.key for body in listed.items if (record := self.parse(body)) is not None}
        seen_before = (each for each in self.cache if int(each.metadata.resource_version) <= listed.version)
        vanished = [each for each in seen_before if each.key not in present]
        for record in vanished:
            self.forget(record)
        return len(vanished)


@dataclass(frozen=True, repr=False)
class Listing:
    """Keeps the caches true. `observe` is told of each resource, by its kind and body."""

    api: ClusterApi
    kinds: Sequence[ListedKind[AuthorityRecord] | ListedKind[BindingRecord]]
    observe: Callable[[str, Mapping[str, Any]], None]
    clock: Clock
    metrics: Metrics

    async def complete(self) -> None:
        """List all resources and remember them, however often it takes."""
        for kind in self.kinds:
            for body in (await self._list(kind.name)).items:
                self.observe(kind.name, body)

    async def keep_up(self) -> None:
        """Until cancelled."""
        pause = _FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _AGAIN_SECONDS
            lists = [await self._list(kind.name) for kind in self.kinds]
            await asyncio.sleep(_GRACE_SECONDS)
            for kind, listed in zip(self.kinds, lists, strict=True):
                await is_done(self._correct(kind, listed), "comparing what is known with a list", kind=kind.name)

    async def _correct(self, kind: ListedKind[AuthorityRecord] | ListedKind[BindingRecord], listed: Listed) -> None:
        self.metrics.deaf_watch(kind.name, kind.forget_vanished(listed))
        for key in kind.news(listed):
            await is_done(self._look_at(kind.name, key), "looking at what the watch did not tell", resource=str(key))

    async def _look_at(self, kind: str, key: ResourceKey) -> None:
        """Read a resource that a list held and the watch did not tell: it may have been told, and gone, since."""
        try:
            body = await self.api.get(kind, key)
        except ResourceGone:
            return
        except ClusterError as error:
            _LOG.warning("a resource cannot be read: %s", error)
        else:
            self.metrics.deaf_watch(kind, 1)
            self.observe(kind, body)

    async def _list(self, kind: str) -> Listed:
        failures = 0
        while True:
            try:
                return await self.api.list_all(kind)
            except ClusterError as error:
                failures += 1
                _LOG.warning("cannot list the resources of the cluster: %s", error)
                await asyncio.sleep(pause_after(error, failures, self.clock.chance))
