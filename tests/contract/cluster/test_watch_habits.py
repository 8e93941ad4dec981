"""How badly the watches of a simulated process can work, and that they recover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from mtls_operator.domain.sources import SourceData, SourceKey, SourceKind, Unreadable
from testbed.cluster import Away, Fault, SimulatedClient, SimulatedCluster, VirtualClock, WatchHabits
from tests.contract.cluster.world import CA, Recorder, running
from tests.virtual_time import in_virtual_time

SECRET = SourceKey(SourceKind.SECRET, "shop", "source")


def new_cluster(seed: int = 1) -> SimulatedCluster:
    cluster = SimulatedCluster.seeded(VirtualClock().now, seed)
    cluster.users.create_namespace("shop")
    return cluster


def apply(cluster: SimulatedCluster, name: str, value: int = 0) -> None:
    """A CA with a number in its spec."""
    cluster.users.apply({"kind": CA, "metadata": {"namespace": "shop", "name": name}, "spec": {"value": value}})


def apply_twenty(cluster: SimulatedCluster, name: str) -> None:
    """Twenty numbers, to the CA of that name or, with `{}` in it, to a CA for each."""
    for value in range(20):
        apply(cluster, name.format(value), value)


@asynccontextmanager
async def watched(client: SimulatedClient) -> AsyncIterator[Recorder]:
    """A watch of our kinds that has listed everything and seen to the end what happens in the block."""
    recorder = Recorder("shop")
    async with running(client.watch(recorder.observe)):
        await asyncio.sleep(1)
        yield recorder
        await asyncio.sleep(600)


def values(recorder: Recorder) -> list[int]:
    return [body["spec"]["value"] for _, body, _ in recorder.seen]


@in_virtual_time
async def test_a_change_is_told_late() -> None:
    cluster = new_cluster()
    client = cluster.client(habits=WatchHabits(lag=(5.0, 6.0)))

    async with watched(client) as recorder:
        apply(cluster, "ca")
        await asyncio.sleep(4.9)
        early = list(recorder.seen)

    assert early == []
    assert recorder.story() == [("ca", False)]


@in_virtual_time
async def test_changes_of_one_object_keep_their_order_however_late_they_are() -> None:
    cluster = new_cluster()
    client = cluster.client(habits=WatchHabits(lag=(0.0, 50.0)))

    async with watched(client) as recorder:
        apply_twenty(cluster, "ca")

    assert values(recorder) == [*range(20)]


@in_virtual_time
async def test_changes_of_different_objects_may_change_places() -> None:
    cluster = new_cluster()
    client = cluster.client(habits=WatchHabits(lag=(0.0, 50.0)))

    async with watched(client) as recorder:
        apply_twenty(cluster, "ca-{}")

    assert values(recorder) != [*range(20)]
    assert sorted(values(recorder)) == [*range(20)]


@in_virtual_time
async def test_a_change_can_be_told_twice() -> None:
    cluster = new_cluster()
    client = cluster.client(habits=WatchHabits(repeats=1.0))

    async with watched(client) as recorder:
        apply(cluster, "ca", 1)
        apply(cluster, "ca", 2)

    assert values(recorder) == [1, 1, 2, 2]


@in_virtual_time
async def test_a_watch_that_can_be_resumed_misses_nothing() -> None:
    cluster = new_cluster()
    client = cluster.client()

    async with watched(client) as recorder:
        apply(cluster, "ca", 1)
        await asyncio.sleep(1)
        client.cut_off(30.0)
        apply(cluster, "ca", 2)
        cluster.users.delete(CA, "shop", "ca")

    assert [(body["spec"]["value"], deleted) for _, body, deleted in recorder.seen] == [
        (1, False),
        (2, False),
        (2, True),
    ]


@in_virtual_time
async def test_what_vanishes_in_a_gap_is_not_told_and_what_is_there_is_told_again() -> None:
    cluster = new_cluster()
    client = cluster.client()
    apply(cluster, "kept")
    apply(cluster, "lost")

    async with watched(client) as recorder:
        client.cut_off(30.0, gap=True)
        cluster.users.delete(CA, "shop", "lost")

    assert recorder.story() == [("kept", False), ("lost", False), ("kept", False)]


@in_virtual_time
async def test_a_deaf_watch_tells_late_what_happened_meanwhile() -> None:
    cluster = new_cluster()
    habits = WatchHabits(lifetime=(10.0, 10.0), deaf=1.0, deafness=(50.0, 50.0), outage=(1.0, 1.0))
    client = cluster.client(habits=habits)

    async with watched(client) as recorder:
        await asyncio.sleep(12)
        apply(cluster, "ca")
        await asyncio.sleep(40)
        early = list(recorder.seen)
        await asyncio.sleep(9)

    assert early == []
    assert recorder.story() == [("ca", False)]


@in_virtual_time
async def test_a_calm_process_sees_everything_again() -> None:
    cluster = new_cluster()
    habits = WatchHabits(lag=(0.0, 9.0), lifetime=(1.0, 9.0), gaps=1.0, deaf=1.0)
    client = cluster.client(habits=habits)

    async with watched(client) as recorder:
        await asyncio.sleep(300)
        client.calm()
        await asyncio.sleep(100)
        apply_twenty(cluster, "ca")

    assert values(recorder) == [*range(20)]


@in_virtual_time
async def test_a_list_that_fails_is_tried_again() -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.faults.add(Fault(Away(), times=6))
    apply(cluster, "ca")

    async with watched(client) as recorder:
        pass

    assert recorder.story() == [("ca", False)]


@in_virtual_time
async def test_a_source_that_cannot_be_read_is_told_to_be_unreadable_and_then_its_data() -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.faults.add(Fault(Away()))
    cluster.users.put_secret("shop", "source", {"token": "text"})
    told: list[SourceData] = []

    async with running(client.follow_source(SECRET, told.append)):
        await asyncio.sleep(60)

    assert isinstance(told[0], Unreadable)
    assert told[1:] == [{"token": b"text"}]


@in_virtual_time
async def test_a_source_that_vanishes_in_a_gap_is_told_to_be_gone() -> None:
    cluster = new_cluster()
    client = cluster.client()
    cluster.users.put_secret("shop", "source", {"token": "text"})
    told: list[SourceData] = []

    async with running(client.follow_source(SECRET, told.append)):
        await asyncio.sleep(1)
        client.cut_off(30.0, gap=True)
        cluster.users.delete("Secret", "shop", "source")
        await asyncio.sleep(60)

    assert told[0] == {"token": b"text"}
    assert told[-1] is None


@in_virtual_time
async def test_what_a_deaf_watch_missed_is_told_also_when_it_is_cut_off_before_it_ends() -> None:
    cluster = new_cluster()
    habits = WatchHabits(lifetime=(10.0, 10.0), gaps=1.0, deaf=1.0, deafness=(50.0, 50.0))
    client = cluster.client(habits=habits)
    cluster.users.put_secret("shop", "source", {"token": "old"})
    told: list[SourceData] = []

    async with running(client.follow_source(SECRET, told.append)):
        await asyncio.sleep(12)
        cluster.users.put_secret("shop", "source", {"token": "new"})
        client.cut_off(3.0)
        await asyncio.sleep(60)

    assert told[0] == {"token": b"old"}
    assert told[-1] == {"token": b"new"}


@in_virtual_time
async def test_a_namespace_that_vanishes_in_a_gap_is_told_to_be_gone() -> None:
    cluster = new_cluster()
    client = cluster.client()
    labels: dict[str, Mapping[str, str] | None] = {}

    async with running(client.follow_namespaces(labels.__setitem__)):
        await asyncio.sleep(1)
        client.cut_off(300.0, gap=True)
        cluster.users.delete_namespace("shop")
        await asyncio.sleep(600)

    assert labels["shop"] is None
    assert labels["default"] == {"kubernetes.io/metadata.name": "default"}


@in_virtual_time
async def test_the_order_in_which_a_namespace_is_emptied_follows_from_the_seed() -> None:
    orders = [await _emptied(seed) for seed in (1, 1, 2, 3, 4, 5, 6)]

    assert orders[0] == orders[1]
    assert len(set(orders)) > 1
    assert {order[0].split()[1] for order in orders} == {CA, "Secret"}


async def _emptied(seed: int) -> tuple[str, ...]:
    """The controller's acts on a namespace with a Secret and twenty CAs."""
    cluster = new_cluster(seed)
    cluster.users.put_secret("shop", "source", {})
    apply_twenty(cluster, "ca-{}")
    cluster.users.delete_namespace("shop")
    await asyncio.sleep(120)
    return tuple(entry.what for entry in cluster.log if entry.who == "namespace controller")
