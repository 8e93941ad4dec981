"""A resource that is deleted while it asks for what it has to stay: nothing is cleaned up against the user's word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.authority_status import AuthorityView, authority_status
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import BindingView, binding_status
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.stakes import stakes_of
from mtls_operator.domain.verdicts import blocked, ok
from mtls_operator.domain.zone_places import Target
from tests.unit.domain.binding_records import CERTIFICATE, authority, binding, metadata

NOW = datetime(2026, 11, 24, tzinfo=UTC)
REFUSED = blocked(Reason.UNSUPPORTED_VALUE, "not served by this version")
FINE = ok(Reason.RESOLVED, "")
HOSTNAME = "api.example.com"
STAYING: Mapping[str, Mapping[str, object]] = {
    "spec.managementPolicy: Observe": {"managementPolicy": "Observe"},
}
each_that_stays = pytest.mark.parametrize(("field", "spec"), STAYING.items(), ids=list(STAYING))


@each_that_stays
def test_a_deleted_binding_goes_on_wanting_what_it_has(field: str, spec: Mapping[str, object]) -> None:
    record = binding(spec=spec, managed={CERTIFICATE: [HOSTNAME]}, meta=metadata("binding", deleting=True))

    stakes, _ = stakes_of([(record, BindingAssessment(REFUSED, FINE))])

    assert dict(stakes[0].wants) == {HOSTNAME: Target(CERTIFICATE, authority=ResourceKey("apps", "ca"))}


@each_that_stays
def test_a_deleted_binding_says_what_keeps_it_and_the_way_out(field: str, spec: Mapping[str, object]) -> None:
    record = binding(spec=spec, managed={CERTIFICATE: [HOSTNAME]}, meta=metadata("binding", deleting=True))

    ready = find(
        binding_status(record, BindingView(BindingAssessment(REFUSED, FINE)), NOW).conditions, ConditionType.READY
    )

    assert ready is not None
    assert ready.reason == Reason.DELETION_BLOCKED
    assert field in ready.message
    assert "force-orphan" in ready.message


@each_that_stays
def test_a_deleted_ca_says_what_keeps_it_and_the_way_out(field: str, spec: Mapping[str, object]) -> None:
    record = authority(spec=spec, status={"certificateId": CERTIFICATE}, meta=metadata("ca", deleting=True))
    view = AuthorityView(AuthorityAssessment(REFUSED, FINE, None, None))

    ready = find(authority_status(record, view, NOW).conditions, ConditionType.READY)

    assert ready is not None
    assert ready.reason == Reason.DELETION_BLOCKED
    assert field in ready.message


def test_a_deleted_binding_that_owns_nothing_is_not_kept() -> None:
    record = binding(spec={"deletionPolicy": "Retain"}, meta=metadata("binding", deleting=True))

    stakes, _ = stakes_of([(record, BindingAssessment(REFUSED, FINE))])

    assert (dict(stakes[0].wants), dict(stakes[0].managed)) == ({}, {})
