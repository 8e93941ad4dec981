"""What is told of our kinds by kopf, and of sources and namespaces by the operator's own watches."""

from __future__ import annotations

from collections.abc import Mapping

from mtls_operator.domain.sources import SourceData, SourceKey, SourceKind
from tests.contract.cluster.world import BINDING, CA, FINALIZER, Cluster, Recorder, running, until


async def test_objects_that_are_there_are_told_first(cluster: Cluster) -> None:
    body = await cluster.users.create(cluster.authority())
    recorder = Recorder(cluster.namespace)

    async with running(cluster.watch(recorder.observe)):
        await until(lambda: recorder.seen)

    assert recorder.seen == [(CA, body, False)]


async def test_each_change_of_an_object_is_told_in_its_order(cluster: Cluster) -> None:
    await cluster.users.apply(cluster.authority())
    recorder = Recorder(cluster.namespace)

    async with running(cluster.watch(recorder.observe)):
        await until(lambda: recorder.seen)
        await cluster.users.apply(cluster.authority(displayName="two"))
        await cluster.users.apply(cluster.authority(displayName="three"))
        await until(lambda: len(recorder.seen) == 3)

    assert [body["spec"].get("displayName") for _, body, _ in recorder.seen] == [None, "two", "three"]


async def test_a_status_write_is_told(cluster: Cluster) -> None:
    body = await cluster.users.create(cluster.authority())
    recorder = Recorder(cluster.namespace)

    async with running(cluster.watch(recorder.observe)):
        await until(lambda: recorder.seen)
        await cluster.write_status(body, {"subject": "CN=x"})
        await until(lambda: len(recorder.seen) == 2)

    assert recorder.seen[-1][1]["status"] == {"subject": "CN=x"}


async def test_an_object_that_goes_is_told_at_the_version_of_its_deletion(cluster: Cluster) -> None:
    before = await cluster.users.create(cluster.authority())
    recorder = Recorder(cluster.namespace)

    async with running(cluster.watch(recorder.observe)):
        await until(lambda: recorder.seen)
        await cluster.users.delete(CA, cluster.namespace, "ca")
        await until(lambda: len(recorder.seen) == 2)

    assert recorder.story() == [("ca", False), ("ca", True)]
    last = recorder.seen[-1][1]
    assert last["metadata"]["uid"] == before["metadata"]["uid"]
    assert int(last["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_an_object_that_goes_with_its_last_finalizer_is_told_marked_and_then_gone(cluster: Cluster) -> None:
    await cluster.held()
    recorder = Recorder(cluster.namespace)

    async with running(cluster.watch(recorder.observe)):
        await until(lambda: recorder.seen)
        await cluster.users.delete(CA, cluster.namespace, "ca")
        await cluster.write_finalizers(await cluster.read())
        await until(lambda: len(recorder.seen) == 3)

    marks = [("deletionTimestamp" in body["metadata"], deleted) for _, body, deleted in recorder.seen]
    assert marks == [(False, False), (True, False), (True, True)]
    # Its last stored state: the write that took the finalizer was carried out as the deletion.
    assert recorder.seen[-1][1]["metadata"]["finalizers"] == [FINALIZER]


async def test_both_kinds_are_told(cluster: Cluster) -> None:
    recorder = Recorder(cluster.namespace)
    binding = {
        **cluster.authority("binding"),
        "kind": BINDING,
        "spec": {
            "certificateAuthorityRef": {"name": "ca"},
            "zone": {"name": "example.com"},
            "hostnames": ["api.example.com"],
        },
    }

    async with running(cluster.watch(recorder.observe)):
        await cluster.users.create(cluster.authority())
        await cluster.users.create(binding)
        await until(lambda: len(recorder.seen) == 2)

    assert {(kind, body["metadata"]["name"]) for kind, body, _ in recorder.seen} == {(CA, "ca"), (BINDING, "binding")}


async def test_a_source_is_told_from_missing_to_created_to_changed_to_deleted(cluster: Cluster) -> None:
    told: list[SourceData] = []
    source = SourceKey(SourceKind.SECRET, cluster.namespace, "source")

    async with running(cluster.api.follow_source(source, told.append)):
        await until(lambda: len(told) == 1)
        await cluster.users.apply(cluster.secret(**{"ca.crt": "one"}))
        await until(lambda: len(told) == 2)
        await cluster.users.apply(cluster.secret(**{"ca.crt": "two", "more": ""}))
        await until(lambda: len(told) == 3)
        await cluster.users.delete("Secret", cluster.namespace, "source")
        await until(lambda: len(told) == 4)

    assert told == [None, {"ca.crt": b"one"}, {"ca.crt": b"two", "more": b""}, None]


async def test_a_source_that_is_there_is_told_at_once(cluster: Cluster) -> None:
    told: list[SourceData] = []
    metadata = {"namespace": cluster.namespace, "name": "bundle"}
    await cluster.users.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"text": "é"},
            "binaryData": {"bytes": "/w=="},
        }
    )
    source = SourceKey(SourceKind.CONFIG_MAP, cluster.namespace, "bundle")

    async with running(cluster.api.follow_source(source, told.append)):
        await until(lambda: told)

    assert told == [{"text": "é".encode(), "bytes": b"\xff"}]


async def test_a_source_without_data_is_there_and_empty(cluster: Cluster) -> None:
    told: list[SourceData] = []
    await cluster.users.create(cluster.secret())
    source = SourceKey(SourceKind.SECRET, cluster.namespace, "source")

    async with running(cluster.api.follow_source(source, told.append)):
        await until(lambda: told)

    assert told == [{}]


async def test_other_objects_are_not_told_to_who_follows_a_source(cluster: Cluster) -> None:
    told: list[SourceData] = []
    source = SourceKey(SourceKind.SECRET, cluster.namespace, "source")

    async with running(cluster.api.follow_source(source, told.append)):
        await until(lambda: told)
        await cluster.users.create(cluster.secret("another", text="no"))
        await cluster.users.create(cluster.secret(text="yes"))
        await until(lambda: len(told) == 2)

    assert told == [None, {"text": b"yes"}]


async def test_the_text_of_a_secret_becomes_its_data(cluster: Cluster) -> None:
    manifest = {**cluster.secret(), "stringData": {"token": "text"}}

    body = await cluster.users.create(manifest)

    assert body["data"] == {"token": "dGV4dA=="}
    assert "stringData" not in body


async def test_labels_of_namespaces_are_told_and_told_again_when_they_change(cluster: Cluster) -> None:
    labels: dict[str, Mapping[str, str] | None] = {}
    operation = {"op": "add", "path": "/metadata/labels/team", "value": "edge"}
    own = {"kubernetes.io/metadata.name": cluster.namespace}

    async with running(cluster.api.follow_namespaces(labels.__setitem__)):
        await until(lambda: cluster.namespace in labels)
        first = labels[cluster.namespace]
        await cluster.users.patch("Namespace", "", cluster.namespace, [operation])
        await until(lambda: labels[cluster.namespace] != first)

    assert first == own
    assert labels[cluster.namespace] == {**own, "team": "edge"}
    assert labels.keys() >= {"default", "kube-system"}
