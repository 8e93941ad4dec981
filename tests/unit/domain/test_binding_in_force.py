"""What the rotation of a CA waits for, of one binding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.domain.binding_in_force import has_lost_its_status, is_in_force_on, is_moving_on
from mtls_operator.domain.records import BindingRecord
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE, binding, metadata

OLD, NEW = CERTIFICATE, OTHER_CERTIFICATE
API, PAY = "api.example.com", "pay.example.com"


def rotating(
    states: Mapping[str, str],
    *,
    associated: str = "True",
    reason: str = "Associated",
    action: str = "Block",
    recorded: tuple[str, ...] = (API,),
    generation: int = 3,
) -> BindingRecord:
    """A binding of two hostnames that has recorded those on both certificates, and says this of them."""
    condition = {
        "type": "Associated",
        "status": associated,
        "reason": reason,
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    hostnames = [{"name": name, "state": state} for name, state in states.items()]
    return binding(
        "binding",
        API,
        PAY,
        spec={"enforcement": {"action": action}},
        status=HostBindingStatus.model_validate({"conditions": [condition], "hostnames": hostnames}),
        managed={OLD: recorded, NEW: recorded},
    )


def test_it_is_in_force_when_every_hostname_is_recorded_and_enforced() -> None:
    record = rotating({API: "Enforced", PAY: "Enforced"}, recorded=(API, PAY))

    assert is_in_force_on(record, NEW)
    assert not is_in_force_on(record, "another")
    assert not is_in_force_on(record, None)


@pytest.mark.parametrize(
    "laid_aside", [{"suspend": True}, {"managementPolicy": "Observe"}], ids=["suspended", "observed"]
)
@pytest.mark.parametrize("deleting", [False, True])
def test_one_that_is_laid_aside_says_what_it_had_before(laid_aside: Mapping[str, object], *, deleting: bool) -> None:
    said = rotating({API: "Enforced", PAY: "Enforced"}, recorded=(API, PAY))
    spec = binding("binding", API, PAY, spec=laid_aside).spec
    meta = metadata("binding", deleting=deleting)

    # What is observed only is let go of when it is deleted.
    assert is_in_force_on(replace(said, spec=spec, metadata=meta), NEW) is (deleting and "suspend" not in laid_aside)


@pytest.mark.parametrize("kind", ["Accepted", "ResolvedRefs"])
@pytest.mark.parametrize(
    ("status", "deleting", "counts"), [("True", False, True), ("False", False, False), ("False", True, True)]
)
def test_one_that_cannot_be_reconciled_says_what_it_had_before(
    kind: str, status: str, *, deleting: bool, counts: bool
) -> None:
    said = rotating({API: "Enforced", PAY: "Enforced"}, recorded=(API, PAY))
    condition = said.status.conditions[0].model_copy(update={"type": kind, "status": status})
    told = said.status.model_copy(update={"conditions": (*said.status.conditions, condition)})

    assert is_in_force_on(replace(said, status=told, metadata=metadata("binding", deleting=deleting)), NEW) is counts


@pytest.mark.parametrize(("state", "reason"), [("Conflicted", "Conflicted"), ("Refused", "AdoptionRefused")])
def test_a_hostname_that_is_not_its_own_is_not_waited_for(state: str, reason: str) -> None:
    record = rotating({API: "Enforced", PAY: state}, associated="False", reason=reason)

    assert is_in_force_on(record, NEW)


def test_a_hostname_that_somebody_else_has_is_waited_for_while_it_is_still_recorded() -> None:
    record = rotating(
        {API: "Enforced", PAY: "Conflicted"}, associated="False", reason="Conflicted", recorded=(API, PAY)
    )

    assert not is_in_force_on(record, NEW)


def test_a_hostname_that_is_still_moving_is_waited_for_though_another_is_conflicted() -> None:
    record = rotating({API: "Moving", PAY: "Conflicted"}, associated="False", reason="Conflicted")

    assert not is_in_force_on(record, NEW)


def test_a_hostname_that_was_taken_off_the_list_is_waited_for_though_it_is_enforced() -> None:
    record = rotating({API: "Enforced", PAY: "Enforced"}, associated="False", reason="Arriving", recorded=(API, PAY))

    assert not is_in_force_on(record, NEW)


@pytest.mark.parametrize(("action", "state"), [("Log", "Logged"), ("None", "Associated")])
def test_what_the_action_asks_for_is_enough(action: str, state: str) -> None:
    assert is_in_force_on(rotating({API: state}, action=action), NEW)
    assert not is_in_force_on(rotating({API: state}, action="Block"), NEW)


def test_what_was_said_of_an_earlier_spec_does_not_count() -> None:
    assert not is_in_force_on(rotating({API: "Enforced"}, generation=2), NEW)


def test_a_binding_that_says_nothing_yet_is_waited_for() -> None:
    assert not is_in_force_on(binding(managed={NEW: [API]}), NEW)


def test_it_is_moving_on_a_certificate_while_one_of_its_hostnames_there_says_so() -> None:
    record = rotating({API: "Moving", PAY: "Enforced"})

    assert is_moving_on(record, NEW)
    assert not is_moving_on(record, "another")
    assert not is_moving_on(rotating({API: "Enforced", PAY: "Moving"}), NEW)


@pytest.mark.parametrize(("action", "state"), [("Log", "Logged"), ("None", "Associated")])
def test_where_nothing_is_blocked_it_is_moving_while_it_waits_for_another_installation(action: str, state: str) -> None:
    record = rotating({API: state}, associated="False", reason="WaitingForOthers", action=action)

    assert is_moving_on(record, NEW)
    assert not is_moving_on(record, "another")
    assert not is_in_force_on(record, NEW)


@pytest.mark.parametrize(
    ("state", "reason", "moving"),
    [
        ("Associated", "Progressing", True),
        ("Associated", "QuotaExhausted", False),
        ("Enforced", "Progressing", False),
        ("Arriving", "Progressing", False),
    ],
)
def test_it_is_moving_while_its_rule_is_on_its_way_to_the_whole_edge(state: str, reason: str, *, moving: bool) -> None:
    condition = {
        "type": "Enforced",
        "status": "Unknown",
        "reason": reason,
        "message": "",
        "observedGeneration": 3,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = HostBindingStatus.model_validate(
        {"conditions": [condition], "hostnames": [{"name": API, "state": state}, {"name": PAY, "state": "Enforced"}]}
    )

    assert is_moving_on(binding(status=status, managed={NEW: [API]}), NEW) is moving


@pytest.mark.parametrize(("state", "moving"), [("Arriving", True), ("Associated", False)])
def test_without_a_rule_it_is_moving_while_it_comes(state: str, *, moving: bool) -> None:
    assert is_moving_on(rotating({API: state}, action="None"), NEW) is moving


@pytest.mark.parametrize(
    ("record", "lost"),
    [
        (binding(), True),
        (binding(meta=metadata("binding", finalizer=False)), False),
        (binding(meta=metadata("binding", deleting=True)), False),
        (binding(spec={"suspend": True}), True),
        (binding(managed={NEW: [API]}), False),
        (rotating({API: "Conflicted"}, associated="False", reason="Conflicted", recorded=()), False),
        (rotating({API: "Refused"}, associated="False", reason="AdoptionRefused", recorded=()), False),
        (rotating({API: "Enforced", PAY: "Enforced"}, recorded=()), True),
    ],
    ids=["held", "new", "deleted", "suspended", "recorded", "of somebody else", "refused", "well"],
)
def test_it_has_lost_its_status_when_it_is_held_and_has_nothing(record: BindingRecord, *, lost: bool) -> None:
    assert has_lost_its_status(record) is lost
