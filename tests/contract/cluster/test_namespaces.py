"""Namespaces: who a cluster is, and what happens to the content of one that is deleted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mtls_operator.cluster.errors import AccessDenied
from tests.contract.cluster.test_events import event
from tests.contract.cluster.world import CA, Cluster, RefusedError, running, until, until_gone


async def test_a_cluster_is_known_by_the_uid_of_its_system_namespace(cluster: Cluster) -> None:
    system = await cluster.users.read("Namespace", "", "kube-system")

    assert system is not None
    assert await cluster.api.cluster_uid() == system["metadata"]["uid"]


async def test_a_deleted_namespace_is_marked_and_stays_until_its_content_is_gone(cluster: Cluster) -> None:
    await cluster.held()

    await cluster.users.delete("Namespace", "", cluster.namespace)

    namespace = await cluster.users.read("Namespace", "", cluster.namespace)
    assert namespace is not None
    assert "deletionTimestamp" in namespace["metadata"]
    assert namespace["status"]["phase"] == "Terminating"


async def test_nothing_is_created_in_a_namespace_that_is_being_deleted(cluster: Cluster) -> None:
    await cluster.held()
    await cluster.users.delete("Namespace", "", cluster.namespace)

    with pytest.raises(RefusedError) as refusal:
        await cluster.users.create(cluster.authority("late"))

    assert refusal.value.status == 403


async def test_no_event_is_posted_in_a_namespace_that_is_being_deleted(cluster: Cluster) -> None:
    await cluster.held()
    await cluster.users.delete("Namespace", "", cluster.namespace)

    with pytest.raises(AccessDenied):
        await cluster.api.post_event(cluster.namespace, event(cluster))


async def test_what_is_in_a_namespace_that_is_being_deleted_can_be_written(cluster: Cluster) -> None:
    body = await cluster.held()
    await cluster.users.delete("Namespace", "", cluster.namespace)

    after = await cluster.write_status(body, {"subject": "CN=x"})

    assert after["status"] == {"subject": "CN=x"}


async def test_a_deleted_namespace_takes_its_content_with_it_and_waits_for_finalizers(
    cluster_with_controllers: Cluster,
) -> None:
    cluster = cluster_with_controllers
    await cluster.users.create(cluster.secret(text="gone"))
    await cluster.users.create(cluster.authority("free"))
    await cluster.held()
    labels: dict[str, Mapping[str, str] | None] = {}

    async with running(cluster.api.follow_namespaces(labels.__setitem__)):
        await until(lambda: labels.get(cluster.namespace))
        await cluster.users.delete("Namespace", "", cluster.namespace)
        await until_gone(cluster, "Secret", "source")
        await until_gone(cluster, CA, "free")
        held = await cluster.read()
        assert await cluster.users.read("Namespace", "", cluster.namespace)
        await cluster.write_finalizers(held)
        await until_gone(cluster, "Namespace", cluster.namespace, "")
        await until(lambda: labels[cluster.namespace] is None)

    assert "deletionTimestamp" in held["metadata"]
