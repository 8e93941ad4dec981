"""Events of events.k8s.io/v1."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from mtls_operator.api.metadata import Metadata
from mtls_operator.cluster.errors import ResourceChanged, ResourceGone, WriteRefused
from mtls_operator.cluster.events import event_body
from tests.contract.cluster.world import CA, Cluster

_SUFFIXES = map(str, count())


def event(cluster: Cluster, note: str = "all is well") -> dict[str, Any]:
    """An event as the operator posts it."""
    return event_body(
        CA,
        Metadata(name="ca", namespace=cluster.namespace, uid="00000000-0000-4000-8000-000000000000"),
        warning=False,
        reason="Ready",
        note=note,
        action="Reconcile",
        instance="operator-0",
        suffix=next(_SUFFIXES),
        now=datetime(2027, 1, 15, 8, tzinfo=UTC),
    )


async def test_an_event_of_the_operator_is_accepted(cluster: Cluster) -> None:
    await cluster.api.post_event(cluster.namespace, event(cluster))


async def test_the_same_event_again_is_a_conflict(cluster: Cluster) -> None:
    one = event(cluster)
    await cluster.api.post_event(cluster.namespace, one)

    with pytest.raises(ResourceChanged):
        await cluster.api.post_event(cluster.namespace, one)


@pytest.mark.parametrize("field", ["reportingController", "reportingInstance", "action", "reason"])
async def test_an_event_without_a_field_that_it_needs_is_refused(cluster: Cluster, field: str) -> None:
    body = event(cluster)
    del body[field]

    with pytest.raises(WriteRefused, match="422"):
        await cluster.api.post_event(cluster.namespace, body)


async def test_an_event_of_an_unknown_type_is_refused(cluster: Cluster) -> None:
    with pytest.raises(WriteRefused, match="422"):
        await cluster.api.post_event(cluster.namespace, {**event(cluster), "type": "Alarm"})


async def test_an_event_with_a_long_note_is_refused(cluster: Cluster) -> None:
    body = {**event(cluster), "note": "x" * 1025}

    with pytest.raises(WriteRefused, match="422"):
        await cluster.api.post_event(cluster.namespace, body)


async def test_an_event_whose_own_namespace_is_another_one_is_refused(cluster: Cluster) -> None:
    body = event(cluster)
    body["metadata"]["namespace"] = "default"

    with pytest.raises(WriteRefused, match="400"):
        await cluster.api.post_event(cluster.namespace, body)


async def test_an_event_in_a_namespace_that_is_not_there_says_that_it_is_gone(cluster: Cluster) -> None:
    body = event(cluster)
    body["metadata"]["namespace"] = body["regarding"]["namespace"] = "contract-nowhere"

    with pytest.raises(ResourceGone):
        await cluster.api.post_event("contract-nowhere", body)
