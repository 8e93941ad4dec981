"""The table at the top of health.lua, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from lupa import lua51

from mtls_operator.api import Reason
from tests.unit.chart.argo_health import Health, assess


def condition(kind: str, status: str, reason: str = "Reconciled", generation: int = 3) -> dict[str, Any]:
    """A condition, with a message that is `about <kind>`."""
    message = f"about {kind}"
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation}


def resource(*conditions: dict[str, Any], deleted: bool = False, suspend: bool = False) -> dict[str, Any]:
    """A resource of generation 3 whose status is about generation 3."""
    metadata: dict[str, Any] = {"name": "partners", "generation": 3}
    spec = {"suspend": True} if suspend else {"hostnames": ["api.example.com"]}
    status = {"observedGeneration": 3, "conditions": list(conditions)}
    deletion = {"deletionTimestamp": "2030-01-02T03:04:05Z"} if deleted else {}
    return {"metadata": metadata | deletion, "spec": spec, "status": status}


READY = condition("Ready", "True")
NOT_READY = condition("Ready", "False", Reason.PROGRESSING)


@pytest.mark.parametrize("kind", [pytest.param({}, id="no status"), pytest.param({"status": {}}, id="empty status")])
def test_a_resource_that_the_operator_has_not_taken_up_is_progressing(kind: dict[str, Any]) -> None:
    fresh = {"metadata": {"name": "partners", "generation": 1}, "spec": {}, **kind}

    assert assess(fresh) == Health("Progressing", "The operator has not taken it up yet.")


def test_a_ready_resource_is_healthy_and_says_why() -> None:
    assert assess(resource(READY)) == Health("Healthy", "Reconciled: about Ready")


def test_a_condition_without_a_message_is_shown_by_its_reason() -> None:
    assert assess(resource(READY | {"message": ""})) == Health("Healthy", "Reconciled")


def test_a_change_that_the_status_has_not_seen_is_progressing_although_it_was_ready() -> None:
    changed = resource(READY)
    changed["metadata"]["generation"] = 4

    assert assess(changed) == Health("Progressing", "The operator has not seen this change yet.")


def test_a_ready_condition_of_an_older_spec_does_not_make_healthy() -> None:
    older = condition("Ready", "True", generation=2)

    assert assess(resource(older)).status == "Progressing"


def test_what_is_under_way_is_progressing() -> None:
    waiting = condition("Reconciling", "True", Reason.ARRIVING)

    assert assess(resource(NOT_READY, waiting)) == Health("Progressing", "Arriving: about Reconciling")


def test_a_rotation_of_what_is_in_force_is_progressing() -> None:
    rotating = condition("Reconciling", "True", Reason.ROTATING)

    assert assess(resource(READY, rotating)).status == "Progressing"


def test_what_cannot_go_on_is_degraded_and_says_why() -> None:
    stalled = condition("Stalled", "True", Reason.INVALID_CERTIFICATE)

    assert assess(resource(NOT_READY, stalled)) == Health("Degraded", "InvalidCertificate: about Stalled")


def test_stalled_counts_more_than_reconciling() -> None:
    conditions = (condition("Reconciling", "True"), condition("Stalled", "True"))

    assert assess(resource(NOT_READY, *conditions)).status == "Degraded"


@pytest.mark.parametrize("kind", ["Reconciling", "Stalled"])
def test_a_condition_of_an_older_spec_is_not_held_against_a_ready_resource(kind: str) -> None:
    assert assess(resource(READY, condition(kind, "True", generation=2))).status == "Healthy"


@pytest.mark.parametrize("kind", ["Reconciling", "Stalled"])
def test_a_condition_that_is_false_is_not_held_against_a_ready_resource(kind: str) -> None:
    assert assess(resource(READY, condition(kind, "False"))).status == "Healthy"


def test_not_ready_without_anything_under_way_is_degraded() -> None:
    assert assess(resource(NOT_READY)) == Health("Degraded", "Progressing: about Ready")


def test_an_unknown_state_is_progressing() -> None:
    assert assess(resource(condition("Ready", "Unknown"))).status == "Progressing"


def test_what_is_only_observed_is_suspended() -> None:
    observed = condition("Ready", "False", Reason.OBSERVED)

    assert assess(resource(observed)) == Health("Suspended", "Observed: about Ready")


@pytest.mark.parametrize("status", [[READY], [NOT_READY, condition("Stalled", "True")], []])
def test_a_suspended_resource_is_suspended_whatever_its_conditions(status: list[dict[str, Any]]) -> None:
    assert assess(resource(*status, suspend=True)).status == "Suspended"


def test_a_suspended_resource_says_that_its_deletion_waits() -> None:
    waiting = resource(READY, suspend=True, deleted=True)

    assert assess(waiting) == Health("Suspended", "The deletion waits until spec.suspend is lifted.")


@pytest.mark.parametrize("generation", [2, 3])
def test_a_deletion_is_progressing_also_before_the_operator_has_seen_it(generation: int) -> None:
    in_use = condition("Ready", "False", Reason.IN_USE, generation)

    assert assess(resource(in_use, deleted=True)) == Health("Progressing", "InUse: about Ready")


def test_the_deletion_of_a_resource_that_was_never_taken_up_is_progressing() -> None:
    assert assess(resource(deleted=True)) == Health("Progressing", "Being deleted.")


def test_a_blocked_deletion_is_degraded_because_somebody_has_to_act() -> None:
    blocked = condition("Ready", "False", Reason.DELETION_BLOCKED)

    assert assess(resource(blocked, deleted=True)) == Health("Degraded", "DeletionBlocked: about Ready")


@pytest.mark.parametrize("script", ['return ("x"):upper()', 'return string.upper("x")', "return math.max(1, 2)"])
def test_these_tests_open_no_library_that_argo_cd_keeps_closed(script: str) -> None:
    with pytest.raises(lua51.LuaError, match=r"nil value|index a string value"):
        assess(resource(READY), script)
