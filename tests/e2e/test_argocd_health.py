"""Argo CD's health script on real resources, as a real API server gives them back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from mtls_operator.api import Condition, ConditionStatus, ConditionType, Reason
from testbed.controlplane import ControlPlane
from tests.e2e.chart_release import install
from tests.e2e.crd_objects import certificate_authority, host_binding
from tests.unit.chart.argo_health import Health, assess

Make = Callable[[str], dict[str, Any]]
both_kinds = pytest.mark.parametrize("make", [certificate_authority, host_binding])

MOMENT: Final = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def plane(control_plane_programs: None) -> Iterator[ControlPlane]:
    """A control plane of its own with the chart in it."""
    with ControlPlane.start() as plane:
        plane.kubectl("create", "namespace", "operator")
        install(plane, "operator")
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all")
        yield plane


@pytest.fixture
def team(plane: ControlPlane) -> str:
    """A namespace for one test."""
    name = f"team-{uuid.uuid4().hex[:10]}"
    plane.kubectl("create", "namespace", name)
    return name


def condition(
    kind: ConditionType, status: ConditionStatus, reason: Reason, message: str, generation: int = 1
) -> Condition:
    """As the operator writes it."""
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=MOMENT,
    )


READY = condition(ConditionType.READY, ConditionStatus.TRUE, Reason.RECONCILED, "3 hostnames are closed")
NOT_READY = condition(ConditionType.READY, ConditionStatus.FALSE, Reason.ARRIVING, "settles for 80 s")
UNDER_WAY = condition(ConditionType.RECONCILING, ConditionStatus.TRUE, Reason.ARRIVING, "settles for 80 s")
STUCK = condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.CREDENTIALS_INVALID, "the token has expired")
IN_USE = condition(ConditionType.READY, ConditionStatus.FALSE, Reason.IN_USE, "used by team-a/partners")


def applied(plane: ControlPlane, manifest: dict[str, Any], conditions: Sequence[Condition] = ()) -> dict[str, Any]:
    """The resource as the API server holds it, after the operator's write of its status."""
    plane.kubectl("apply", "--filename", "-", stdin=json.dumps(manifest))
    if conditions:
        status = {"observedGeneration": 1, "conditions": [condition.to_wire() for condition in conditions]}
        patch = ("--subresource", "status", "--type", "merge", "--patch", json.dumps({"status": status}))
        plane.kubectl("patch", *_place(manifest), *patch)
    return read(plane, manifest)


def read(plane: ControlPlane, manifest: dict[str, Any]) -> dict[str, Any]:
    """The resource as the API server holds it."""
    stored: dict[str, Any] = json.loads(plane.kubectl("get", *_place(manifest), "--output", "json").stdout)
    return stored


def _place(manifest: dict[str, Any]) -> tuple[str, ...]:
    metadata = manifest["metadata"]
    return (manifest["kind"], metadata["name"], "--namespace", metadata["namespace"])


@both_kinds
def test_a_resource_that_was_just_applied_is_progressing(plane: ControlPlane, team: str, make: Make) -> None:
    assert assess(applied(plane, make(team))).status == "Progressing"


@both_kinds
@pytest.mark.parametrize(
    ("conditions", "health"),
    [
        ([READY], Health("Healthy", "Reconciled: 3 hostnames are closed")),
        ([NOT_READY, UNDER_WAY], Health("Progressing", "Arriving: settles for 80 s")),
        ([NOT_READY, STUCK], Health("Degraded", "CredentialsInvalid: the token has expired")),
    ],
)
def test_the_health_is_what_the_conditions_say(
    plane: ControlPlane, team: str, make: Make, conditions: list[Condition], health: Health
) -> None:
    assert assess(applied(plane, make(team), conditions)) == health


def test_a_change_of_the_spec_is_progressing_until_the_operator_has_answered_it(plane: ControlPlane, team: str) -> None:
    applied(plane, host_binding(team), [READY])

    changed = applied(plane, host_binding(team, hostnames=["new.example.com"]))

    assert assess(changed) == Health("Progressing", "The operator has not seen this change yet.")


@both_kinds
def test_a_suspended_resource_is_suspended_at_once(plane: ControlPlane, team: str, make: Make) -> None:
    applied(plane, make(team), [READY])

    suspended = make(team)
    suspended["spec"]["suspend"] = True

    assert assess(applied(plane, suspended)).status == "Suspended"


def test_a_resource_that_waits_to_be_deleted_is_progressing_and_says_for_whom(plane: ControlPlane, team: str) -> None:
    manifest = certificate_authority(team)
    manifest["metadata"]["finalizers"] = ["apishield-mtls.io/cleanup"]
    applied(plane, manifest, [IN_USE])

    plane.kubectl("delete", *_place(manifest), "--wait=false")

    assert assess(read(plane, manifest)) == Health("Progressing", "InUse: used by team-a/partners")
