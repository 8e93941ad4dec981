"""Finalizers, deletion, and names that come back."""

from __future__ import annotations

import pytest

from mtls_operator.cluster.errors import ResourceChanged, ResourceGone, WriteRefused
from tests.contract.cluster.world import CA, FINALIZER, Body, Cluster


async def deleted(cluster: Cluster) -> Body:
    """The CA after a deletion of it."""
    await cluster.users.delete(CA, cluster.namespace, "ca")
    return await cluster.read()


async def come_back(cluster: Cluster) -> tuple[Body, Body]:
    """A CA that was deleted, and the one of its name that was created then."""
    before = await cluster.users.create(cluster.authority())
    await cluster.users.delete(CA, cluster.namespace, "ca")
    return before, await cluster.users.create(cluster.authority())


async def test_a_finalizer_is_a_new_version_but_no_new_generation(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())

    after = await cluster.write_finalizers(before, FINALIZER)

    assert after["metadata"]["finalizers"] == [FINALIZER]
    assert after["metadata"]["generation"] == 1
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])
    assert await cluster.read() == after


async def test_finalizers_are_not_written_to_an_object_that_was_written_meanwhile(cluster: Cluster) -> None:
    stale = await cluster.users.apply(cluster.authority())
    fresh = await cluster.users.apply(cluster.authority(displayName="changed"))

    with pytest.raises(ResourceChanged):
        await cluster.write_finalizers(stale, FINALIZER)

    assert await cluster.read() == fresh


async def test_a_status_write_is_a_write_meanwhile(cluster: Cluster) -> None:
    stale = await cluster.users.create(cluster.authority())
    await cluster.write_status(stale, {"subject": "CN=x"})

    with pytest.raises(ResourceChanged):
        await cluster.write_finalizers(stale, FINALIZER)


async def test_finalizers_of_an_object_that_is_not_there_say_that_it_is_gone(cluster: Cluster) -> None:
    with pytest.raises(ResourceGone):
        await cluster.api.replace_finalizers(CA, cluster.key("nobody"), "1", [FINALIZER])


async def test_the_same_finalizers_again_write_nothing(cluster: Cluster) -> None:
    before = await cluster.held()

    after = await cluster.write_finalizers(before, FINALIZER)

    assert after == before


async def test_no_finalizers_are_as_good_as_an_empty_list_of_them(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())

    after = await cluster.write_finalizers(before)

    assert after == before


async def test_an_object_without_finalizers_goes_at_once(cluster: Cluster) -> None:
    await cluster.users.create(cluster.authority())

    await cluster.users.delete(CA, cluster.namespace, "ca")

    with pytest.raises(ResourceGone):
        await cluster.read()


async def test_deleting_what_a_finalizer_holds_marks_it_and_is_a_new_generation(cluster: Cluster) -> None:
    before = await cluster.held()

    after = await deleted(cluster)

    metadata = after["metadata"]
    assert metadata["deletionTimestamp"] >= metadata["creationTimestamp"]
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert metadata["finalizers"] == [FINALIZER]
    assert metadata["generation"] == before["metadata"]["generation"] + 1
    assert after["spec"] == before["spec"]


async def test_deleting_it_a_second_time_writes_nothing(cluster: Cluster) -> None:
    await cluster.held()
    before = await deleted(cluster)

    after = await deleted(cluster)

    assert after == before


async def test_an_object_being_deleted_goes_with_its_last_finalizer(cluster: Cluster) -> None:
    await cluster.held()
    body = await deleted(cluster)

    answer = await cluster.write_finalizers(body)

    assert "deletionTimestamp" in answer["metadata"]
    assert "finalizers" not in answer["metadata"]
    with pytest.raises(ResourceGone):
        await cluster.read()


async def test_an_object_being_deleted_stays_while_somebody_elses_finalizer_holds_it(cluster: Cluster) -> None:
    await cluster.write_finalizers(await cluster.users.create(cluster.authority()), "example.com/held", FINALIZER)
    body = await deleted(cluster)

    after = await cluster.write_finalizers(body, "example.com/held")

    assert await cluster.read() == after


async def test_an_object_being_deleted_takes_no_new_finalizer(cluster: Cluster) -> None:
    await cluster.held()
    body = await deleted(cluster)

    with pytest.raises(WriteRefused):
        await cluster.write_finalizers(body, FINALIZER, "example.com/late")

    assert await cluster.read() == body


async def test_the_status_of_an_object_being_deleted_can_be_written(cluster: Cluster) -> None:
    await cluster.held()
    body = await deleted(cluster)

    after = await cluster.write_status(body, {"subject": "CN=x"})

    assert after["status"] == {"subject": "CN=x"}
    assert after["metadata"]["generation"] == body["metadata"]["generation"]


async def test_the_spec_of_an_object_being_deleted_can_be_changed(cluster: Cluster) -> None:
    await cluster.held()
    body = await deleted(cluster)
    operation = {"op": "add", "path": "/spec/displayName", "value": "changed"}

    after = await cluster.users.patch(CA, cluster.namespace, "ca", [operation])

    assert after["metadata"]["generation"] == body["metadata"]["generation"] + 1
    assert after["metadata"]["deletionTimestamp"] == body["metadata"]["deletionTimestamp"]


async def test_a_name_that_comes_back_is_another_object(cluster: Cluster) -> None:
    before, after = await come_back(cluster)

    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["generation"] == 1
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_a_status_write_for_an_object_whose_name_has_come_back_is_refused(cluster: Cluster) -> None:
    before, after = await come_back(cluster)

    with pytest.raises(ResourceChanged):
        await cluster.write_status(before, {"subject": "CN=x"})

    assert await cluster.read() == after


async def test_finalizers_for_an_object_whose_name_has_come_back_are_refused(cluster: Cluster) -> None:
    before, after = await come_back(cluster)

    with pytest.raises(ResourceChanged):
        await cluster.write_finalizers(before, FINALIZER)

    assert await cluster.read() == after
