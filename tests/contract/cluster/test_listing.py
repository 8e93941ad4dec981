"""Lists that correct what a watch did not tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from mtls_operator.cluster.kinds import authority_record
from mtls_operator.domain.records import AuthorityRecord
from mtls_operator.engine.listing import ListedKind, Listing
from mtls_operator.engine.resource_cache import ResourceCache
from mtls_operator.observability.metrics import Metrics
from testbed.cluster import Away, Fault, SimulatedClient, SimulatedCluster, VirtualClock
from tests.contract.cluster.world import CA, running
from tests.virtual_time import in_virtual_time

MINUTE = 60.0


class Caught:
    """A cache of CAs that is filled by lists, and by a watch unless that is deaf."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.cluster = SimulatedCluster.seeded(self.clock.now, 1)
        self.cluster.users.create_namespace("shop")
        self.client: SimulatedClient = self.cluster.client()
        self.metrics = Metrics(self.clock.now)
        self.cache: ResourceCache[AuthorityRecord] = ResourceCache()
        kind = ListedKind(CA, self.cache, authority_record, self.cache.remove)
        self.listing = Listing(self.client, (kind,), self._observe, self.clock, self.metrics)

    def watching(self) -> AbstractAsyncContextManager[None]:
        return running(self.client.watch(self._watched))

    def names(self) -> list[str]:
        return [record.key.name for record in self.cache]

    @property
    def counted(self) -> float:
        """How many changes the watch should have told."""
        return self.metrics.registry.get_sample_value("cfmtls_deaf_watches_total", {"kind": CA}) or 0.0

    def apply(self, name: str) -> None:
        self.cluster.users.apply({"kind": CA, "metadata": {"namespace": "shop", "name": name}, "spec": {}})

    def _observe(self, _kind: str, body: Mapping[str, Any]) -> None:
        record = authority_record(body)
        if record is not None:
            self.cache.put(record)

    def _watched(self, kind: str, body: Mapping[str, Any], *, deleted: bool) -> None:
        record = authority_record(body)
        if deleted and record is not None:
            self.cache.remove(record)
        elif not deleted:
            self._observe(kind, body)


@in_virtual_time
async def test_the_first_list_is_tried_until_it_is_whole() -> None:
    caught = Caught()
    caught.apply("one")
    caught.client.faults.add(Fault(Away(), times=3))

    await caught.listing.complete()

    assert caught.names() == ["one"]
    assert caught.counted == 0.0


@in_virtual_time
async def test_what_vanished_changed_or_came_while_a_watch_was_deaf_is_found_and_counted() -> None:
    caught = Caught()
    for name in ("gone", "changed", "same"):
        caught.apply(name)
    await caught.listing.complete()
    caught.cluster.users.delete(CA, "shop", "gone")
    caught.cluster.users.label(CA, "shop", "changed", {"a": "b"})
    caught.apply("new")

    async with running(caught.listing.keep_up()):
        await asyncio.sleep(MINUTE)

    assert caught.names() == ["changed", "new", "same"]
    assert caught.counted == 3.0


@in_virtual_time
async def test_what_a_watch_tells_a_moment_later_is_not_held_against_it() -> None:
    caught = Caught()
    await caught.listing.complete()

    async with running(caught.listing.keep_up()), caught.watching():
        for number in range(60):
            caught.apply(f"ca-{number}")
            await asyncio.sleep(1.0)
            caught.cluster.users.delete(CA, "shop", f"ca-{number}")

    assert caught.counted == 0.0
