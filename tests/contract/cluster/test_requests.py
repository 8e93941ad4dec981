"""What can go wrong between a process and the simulated cluster, and what a driver can do about a request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mtls_operator.cluster.errors import ApiServerUnavailable, ClusterError, ResourceChanged, WriteRefused
from mtls_operator.domain.records import ResourceKey
from testbed.cluster import (
    AnswerLost,
    Away,
    Chance,
    Fault,
    Refused,
    Request,
    SimulatedClient,
    SimulatedCluster,
    Slow,
    VirtualClock,
)
from testbed.cluster.faults import Effect
from tests.contract.cluster.world import CA, Recorder, running
from tests.virtual_time import in_virtual_time

KEY = ResourceKey("shop", "ca")


def new_cluster(seed: int = 1) -> SimulatedCluster:
    """A cluster with one CA."""
    cluster = SimulatedCluster.seeded(VirtualClock().now, seed)
    cluster.users.create_namespace("shop")
    cluster.users.apply({"kind": CA, "metadata": {"namespace": "shop", "name": "ca"}, "spec": {}})
    return cluster


async def write(cluster: SimulatedCluster, client: SimulatedClient, status: dict[str, Any] | None = None) -> None:
    """A write of a status by the process, on the newest version."""
    body = cluster.users.read(CA, "shop", "ca") or {}
    await client.replace_status(CA, KEY, body["metadata"]["resourceVersion"], status or {"subject": "written"})


def status(cluster: SimulatedCluster) -> object:
    return (cluster.users.read(CA, "shop", "ca") or {}).get("status")


@in_virtual_time
async def test_a_request_that_does_not_arrive_has_no_effect() -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.faults.add(Fault(Away()))

    with pytest.raises(ApiServerUnavailable):
        await write(cluster, client)

    assert status(cluster) is None


@in_virtual_time
async def test_a_request_whose_answer_is_lost_has_its_effect() -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.faults.add(Fault(AnswerLost()))

    with pytest.raises(ApiServerUnavailable):
        await write(cluster, client)

    assert status(cluster) == {"subject": "written"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (409, ResourceChanged),
        (410, ApiServerUnavailable),
        (422, WriteRefused),
        (429, ApiServerUnavailable),
        (500, ApiServerUnavailable),
    ],
)
@in_virtual_time
async def test_a_refusal_on_order_has_no_effect(code: int, error: type[ClusterError]) -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.faults.add(Fault(Refused(code)))

    with pytest.raises(error):
        await write(cluster, client)

    assert status(cluster) is None


@pytest.mark.parametrize(
    ("effect", "shortest"), [(Slow(20.0), 20.0), (Away(after=30.0), 30.0), (AnswerLost(after=30.0), 30.0)]
)
@in_virtual_time
async def test_a_process_notices_after_a_while(effect: Effect, shortest: float) -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.faults.add(Fault(effect))
    begun = asyncio.get_running_loop().time()

    await asyncio.gather(write(cluster, client), return_exceptions=True)

    assert shortest < asyncio.get_running_loop().time() - begun < shortest + 0.1


@in_virtual_time
async def test_a_fault_hits_the_requests_that_it_is_for_and_no_others() -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.faults.add(Fault(Away(), match=lambda request: request.verb == "get", skip=1, times=1))

    outcomes = [isinstance(each, ClusterError) for each in await _in_turn(cluster, client)]

    assert outcomes == [False, False, True, False]


async def _in_turn(cluster: SimulatedCluster, client: SimulatedClient) -> list[object]:
    """A write and three reads, one after the other, and what came of them."""
    return [
        *await asyncio.gather(write(cluster, client), return_exceptions=True),
        *await asyncio.gather(client.get(CA, KEY), return_exceptions=True),
        *await asyncio.gather(client.get(CA, KEY), return_exceptions=True),
        *await asyncio.gather(client.get(CA, KEY), return_exceptions=True),
    ]


@in_virtual_time
async def test_faults_by_chance_follow_from_the_seed() -> None:
    one, two, other = new_cluster(1), new_cluster(1), new_cluster(2)

    stories = [await _tale(each) for each in (one, two, other)]

    assert stories[0] == stories[1] != stories[2]
    assert {"ok", "did not arrive"} < {entry.split(" -> ")[1].split(" @")[0] for entry in stories[0]}


async def _tale(cluster: SimulatedCluster) -> list[str]:
    """Forty unlucky writes, without their times."""
    client = cluster.client()
    client.faults.chance = Chance(0.5)
    for number in range(40):
        await asyncio.gather(write(cluster, client, {"bindings": number}), return_exceptions=True)
    return [str(entry).split(" ", 1)[1] for entry in cluster.log]


@in_virtual_time
async def test_while_a_process_is_cut_off_nothing_arrives() -> None:
    cluster = new_cluster()
    client = cluster.client()
    client.cut_off(60.0)

    with pytest.raises(ApiServerUnavailable):
        await write(cluster, client)
    await asyncio.sleep(60.0)
    await write(cluster, client)

    assert [entry.outcome for entry in cluster.log if entry.index is not None] == ["did not arrive", "ok"]


@in_virtual_time
async def test_hooks_are_told_of_each_request_before_and_after_it_takes_effect() -> None:
    cluster = new_cluster()
    told: list[tuple[str, int, str, object]] = []
    cluster.before_request.append(lambda index, request: told.append(("before", index, str(request), status(cluster))))
    cluster.after_request.append(lambda index, request: told.append(("after", index, str(request), status(cluster))))

    await write(cluster, cluster.client())

    assert told == [
        ("before", 0, f"write status of {CA} shop/ca", None),
        ("after", 0, f"write status of {CA} shop/ca", {"subject": "written"}),
    ]


@pytest.mark.parametrize(("moment", "expected"), [("before", None), ("after", {"subject": "written"})])
@in_virtual_time
async def test_a_process_killed_in_a_hook_never_learns_what_became_of_its_request(
    moment: str, expected: object
) -> None:
    cluster = new_cluster()
    client = cluster.client()
    hooks = {"before": cluster.before_request, "after": cluster.after_request}[moment]

    def kill(_index: int, _request: Request) -> None:
        client.kill()

    hooks.append(kill)

    with pytest.raises(asyncio.CancelledError):
        await write(cluster, client)

    assert status(cluster) == expected


@in_virtual_time
async def test_a_killed_process_sends_and_hears_nothing_any_more() -> None:
    cluster = new_cluster()
    client = cluster.client()
    recorder = Recorder("shop")

    async with running(client.watch(recorder.observe)):
        await asyncio.sleep(1)
        client.kill()
        cluster.users.label(CA, "shop", "ca", {"a": "b"})
        await asyncio.sleep(1)

    assert recorder.story() == [("ca", False)]
    with pytest.raises(asyncio.CancelledError):
        await write(cluster, client)
    assert status(cluster) is None


@in_virtual_time
async def test_what_a_process_gets_is_a_copy() -> None:
    cluster = new_cluster()
    client = cluster.client()
    body = dict(await client.get(CA, KEY))

    body["metadata"]["labels"] = {"forged": "yes"}

    assert "labels" not in (await client.get(CA, KEY))["metadata"]


@in_virtual_time
async def test_what_a_process_writes_is_a_copy() -> None:
    cluster = new_cluster()
    written = {"managed": ["one"]}
    await write(cluster, cluster.client(), written)

    written["managed"].append("two")

    assert status(cluster) == {"managed": ["one"]}
