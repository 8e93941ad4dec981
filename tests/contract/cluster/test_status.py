"""The status subresource."""

from __future__ import annotations

import pytest

from mtls_operator.cluster.errors import ResourceChanged, ResourceGone
from tests.contract.cluster.world import CA, Body, Cluster


def without_version(body: Body) -> Body:
    """The metadata that a status write must leave alone. Who wrote what field is not simulated."""
    return {key: value for key, value in body["metadata"].items() if key not in {"resourceVersion", "managedFields"}}


async def test_a_status_write_changes_the_status_and_the_version_and_nothing_else(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())

    after = await cluster.write_status(before, {"subject": "CN=x"})

    assert after["status"] == {"subject": "CN=x"}
    assert after["spec"] == before["spec"]
    assert without_version(after) == without_version(before)
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_a_status_write_answers_what_is_read_afterwards(cluster: Cluster) -> None:
    body = await cluster.users.create(cluster.authority())

    answer = await cluster.write_status(body, {"subject": "CN=x"})

    assert await cluster.read() == answer


async def test_a_status_is_replaced_whole(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())
    before = await cluster.write_status(before, {"subject": "CN=x", "bindings": 1})

    after = await cluster.write_status(before, {"hostnames": 2})

    assert after["status"] == {"hostnames": 2}


async def test_an_empty_status_is_a_status(cluster: Cluster) -> None:
    body = await cluster.users.create(cluster.authority())

    await cluster.write_status(body, {})

    assert (await cluster.read())["status"] == {}


async def test_writing_the_same_status_again_writes_nothing(cluster: Cluster) -> None:
    before = await cluster.write_status(await cluster.users.create(cluster.authority()), {"subject": "CN=x"})

    after = await cluster.write_status(before, {"subject": "CN=x"})

    assert after == before
    assert await cluster.read() == before


async def test_a_status_is_not_written_to_an_object_whose_spec_was_written_meanwhile(cluster: Cluster) -> None:
    stale = await cluster.users.apply(cluster.authority())
    fresh = await cluster.users.apply(cluster.authority(displayName="changed"))

    with pytest.raises(ResourceChanged):
        await cluster.write_status(stale, {"subject": "CN=x"})

    assert await cluster.read() == fresh


async def test_a_status_is_not_written_over_a_status_that_was_written_meanwhile(cluster: Cluster) -> None:
    stale = await cluster.users.create(cluster.authority())
    fresh = await cluster.write_status(stale, {"subject": "CN=x"})

    with pytest.raises(ResourceChanged):
        await cluster.write_status(stale, {"subject": "CN=y"})

    assert await cluster.read() == fresh


async def test_a_status_write_for_an_object_that_is_not_there_says_that_it_is_gone(cluster: Cluster) -> None:
    with pytest.raises(ResourceGone):
        await cluster.api.replace_status(CA, cluster.key("nobody"), "1", {})


async def test_a_change_of_the_object_leaves_the_status_alone(cluster: Cluster) -> None:
    body = await cluster.write_status(await cluster.users.create(cluster.authority()), {"subject": "CN=x"})
    body["spec"] = {**body["spec"], "displayName": "changed"}

    after = await cluster.users.replace({**body, "status": {"subject": "CN=forged"}})

    assert after["status"] == {"subject": "CN=x"}
    assert after["spec"]["displayName"] == "changed"


async def test_a_change_of_nothing_but_the_status_through_the_object_writes_nothing(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())

    after = await cluster.users.replace({**before, "status": {"subject": "CN=forged"}})

    assert after == before


async def test_a_status_can_be_lost(cluster: Cluster) -> None:
    await cluster.write_status(await cluster.users.create(cluster.authority()), {"subject": "CN=x"})

    await cluster.users.write_status(CA, cluster.namespace, "ca", None)

    assert "status" not in await cluster.read()
