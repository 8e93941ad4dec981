"""Creating, reading, listing and changing objects."""

from __future__ import annotations

from datetime import datetime

import pytest

from mtls_operator.cluster.errors import ResourceGone
from tests.contract.cluster.world import BINDING, CA, Cluster, Operations, RefusedError


async def test_a_new_object_has_an_identity_and_generation_one(cluster: Cluster) -> None:
    body = await cluster.users.create(cluster.authority())

    metadata = body["metadata"]
    assert len(metadata["uid"]) == 36
    assert int(metadata["resourceVersion"]) > 0
    assert datetime.fromisoformat(metadata["creationTimestamp"]).microsecond == 0
    assert metadata["generation"] == 1
    assert "deletionTimestamp" not in metadata


async def test_a_status_that_comes_with_a_new_object_is_dropped(cluster: Cluster) -> None:
    await cluster.users.create({**cluster.authority(), "status": {"certificateId": "restored"}})

    assert "status" not in await cluster.read()


async def test_metadata_of_a_backup_does_not_decide_who_an_object_is(cluster: Cluster) -> None:
    manifest = cluster.authority()
    manifest["metadata"] |= {"uid": "restored", "generation": 7, "creationTimestamp": "2020-01-01T00:00:00Z"}
    manifest["metadata"] |= {"deletionTimestamp": "2020-01-02T00:00:00Z", "finalizers": ["example.com/held"]}

    body = await cluster.users.create(manifest)

    metadata = body["metadata"]
    assert metadata["uid"] != "restored"
    assert metadata["generation"] == 1
    assert metadata["creationTimestamp"] > "2020-01-01T00:00:00Z"
    assert "deletionTimestamp" not in metadata


async def test_finalizers_and_annotations_of_a_new_object_stay(cluster: Cluster) -> None:
    manifest = cluster.authority()
    manifest["metadata"] |= {"finalizers": ["example.com/held"], "annotations": {"example.com/note": "yes"}}

    await cluster.users.create(manifest)

    metadata = (await cluster.read())["metadata"]
    assert metadata["finalizers"] == ["example.com/held"]
    assert metadata["annotations"] == {"example.com/note": "yes"}


async def test_creating_an_object_that_is_there_is_refused(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())

    with pytest.raises(RefusedError) as refusal:
        await cluster.users.create(cluster.authority(displayName="another"))

    assert refusal.value.status == 409
    assert await cluster.read() == before


async def test_creating_an_object_in_a_namespace_that_is_not_there_is_refused(cluster: Cluster) -> None:
    manifest = cluster.authority()
    manifest["metadata"]["namespace"] = "contract-nowhere"

    with pytest.raises(RefusedError) as refusal:
        await cluster.users.create(manifest)

    assert refusal.value.status == 404


async def test_reading_what_is_not_there_says_that_it_is_gone(cluster: Cluster) -> None:
    with pytest.raises(ResourceGone):
        await cluster.api.get(CA, cluster.key("nobody"))


async def test_a_list_has_all_objects_of_the_kind_as_they_are_read(cluster: Cluster) -> None:
    one = await cluster.users.create(cluster.authority("one"))
    two = await cluster.users.create(cluster.authority("two"))

    listed = await cluster.api.list_all(CA)

    assert [each for each in listed.items if each["metadata"]["namespace"] == cluster.namespace] == [one, two]


async def test_a_list_is_not_older_than_what_was_written_before_it(cluster: Cluster) -> None:
    body = await cluster.users.create(cluster.authority())

    listed = await cluster.api.list_all(CA)

    assert listed.version >= int(body["metadata"]["resourceVersion"])


async def test_a_list_of_another_kind_lacks_the_object(cluster: Cluster) -> None:
    await cluster.users.create(cluster.authority())

    listed = await cluster.api.list_all(BINDING)

    assert [each for each in listed.items if each["metadata"]["namespace"] == cluster.namespace] == []


async def test_versions_rise_with_each_write_to_anything(cluster: Cluster) -> None:
    bodies = [
        await cluster.users.create(cluster.authority("one")),
        await cluster.users.create(cluster.secret()),
        await cluster.users.create(cluster.authority("two")),
        await cluster.users.apply(cluster.authority("one", displayName="changed")),
    ]

    versions = [int(body["metadata"]["resourceVersion"]) for body in bodies]
    assert versions == sorted(set(versions))


async def test_a_change_of_the_spec_is_a_new_generation(cluster: Cluster) -> None:
    await cluster.users.create(cluster.authority())

    body = await cluster.users.apply(cluster.authority(displayName="changed"))

    assert body["metadata"]["generation"] == 2
    assert body["spec"]["displayName"] == "changed"


async def test_a_change_of_metadata_is_a_new_version_but_no_new_generation(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())
    operation = {"op": "add", "path": "/metadata/annotations", "value": {"example.com/note": "yes"}}

    after = await cluster.users.patch(CA, cluster.namespace, "ca", [operation])

    assert after["metadata"]["generation"] == 1
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]


async def test_applying_the_same_manifest_again_writes_nothing(cluster: Cluster) -> None:
    before = await cluster.users.apply(cluster.authority())

    after = await cluster.users.apply(cluster.authority())

    assert after == before


async def test_applying_a_manifest_without_a_field_removes_it(cluster: Cluster) -> None:
    await cluster.users.apply(cluster.authority(displayName="for a while"))

    body = await cluster.users.apply(cluster.authority())

    assert "displayName" not in body["spec"]


async def test_applying_leaves_annotations_of_others_alone(cluster: Cluster) -> None:
    await cluster.users.apply(cluster.authority())
    operation = {"op": "add", "path": "/metadata/annotations", "value": {"example.com/note": "yes"}}
    await cluster.users.patch(CA, cluster.namespace, "ca", [operation])

    body = await cluster.users.apply(cluster.authority(displayName="changed"))

    assert body["metadata"]["annotations"] == {"example.com/note": "yes"}


async def test_replacing_an_object_that_was_written_meanwhile_is_refused(cluster: Cluster) -> None:
    stale = await cluster.users.apply(cluster.authority())
    fresh = await cluster.users.apply(cluster.authority(displayName="changed"))

    with pytest.raises(RefusedError) as refusal:
        await cluster.users.replace(stale)

    assert refusal.value.status == 409
    assert (await cluster.read())["metadata"]["resourceVersion"] == fresh["metadata"]["resourceVersion"]


async def test_replacing_an_object_by_the_body_of_another_one_is_refused(cluster: Cluster) -> None:
    body = await cluster.users.create(cluster.authority())
    body["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"

    with pytest.raises(RefusedError) as refusal:
        await cluster.users.replace(body)

    assert refusal.value.status == 409


async def test_a_patch_whose_test_fails_does_nothing_at_all(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())
    operations: Operations = [
        {"op": "add", "path": "/spec/displayName", "value": "changed"},
        {"op": "test", "path": "/metadata/generation", "value": 9},
    ]

    with pytest.raises(RefusedError) as refusal:
        await cluster.users.patch(CA, cluster.namespace, "ca", operations)

    assert refusal.value.status == 422
    assert await cluster.read() == before


async def test_a_patch_that_removes_what_is_not_there_is_refused(cluster: Cluster) -> None:
    await cluster.users.create(cluster.authority())
    operation = {"op": "remove", "path": "/spec/displayName"}

    with pytest.raises(RefusedError) as refusal:
        await cluster.users.patch(CA, cluster.namespace, "ca", [operation])

    assert refusal.value.status == 422


async def test_a_patch_escapes_slashes_of_names_by_tilde_one(cluster: Cluster) -> None:
    manifest = cluster.authority()
    manifest["metadata"]["annotations"] = {"example.com/note": "no"}
    await cluster.users.create(manifest)
    operation = {"op": "replace", "path": "/metadata/annotations/example.com~1note", "value": "yes"}

    body = await cluster.users.patch(CA, cluster.namespace, "ca", [operation])

    assert body["metadata"]["annotations"] == {"example.com/note": "yes"}
