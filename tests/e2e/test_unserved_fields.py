"""A field that this version does not serve is said so and never ignored; without it the resource is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.tenant import Tenant

OF_BOTH: Mapping[str, Mapping[str, Any]] = {
    "spec.managementPolicy: Observe": {"managementPolicy": "Observe"},
    "spec.adoptionPolicy: Never": {"adoptionPolicy": "Never"},
    "spec.deletionPolicy: Retain": {"deletionPolicy": "Retain"},
    "spec.suspend: true": {"suspend": True},
}
OF_AUTHORITIES: Mapping[str, Mapping[str, Any]] = {
    **OF_BOTH,
    "spec.rotation": {"rotation": {"overlap": "1h"}},
    "spec.revocation": {"revocation": {"secretRef": {"name": "crl", "key": "crl.pem"}}},
}
OF_BINDINGS: Mapping[str, Mapping[str, Any]] = {
    **OF_BOTH,
    "spec.enforcement.action: Log": {"enforcement": {"action": "Log"}},
    "spec.enforcement.action: None": {"enforcement": {"action": "None"}},
    "spec.enforcement.issuerPinning: Never": {"enforcement": {"issuerPinning": "Never"}},
    "spec.enforcement.additionalIssuers": {"enforcement": {"additionalIssuers": ["0A1B2C3D"]}},
    "spec.verification": {"verification": {"interval": "5m"}},
}


@pytest.mark.parametrize(("field", "spec"), OF_AUTHORITIES.items(), ids=list(OF_AUTHORITIES))
def test_a_ca_with_an_unserved_field_says_so_until_the_field_is_gone(
    tenant: Tenant, field: str, spec: Mapping[str, Any]
) -> None:
    tenant.apply(tenant.secret(), tenant.authority(**spec))
    message = tenant.wait_condition("mtlsca/partners", "Accepted", "False", "UnsupportedValue")
    event = tenant.wait_warning("partners", "UnsupportedValue")
    asked = list(tenant.history)

    tenant.apply(tenant.authority())
    tenant.wait_ready()

    assert field in message
    assert message in event
    assert asked == []


@pytest.mark.parametrize(("field", "spec"), OF_BINDINGS.items(), ids=list(OF_BINDINGS))
def test_a_binding_with_an_unserved_field_says_so_until_the_field_is_gone(
    tenant: Tenant, field: str, spec: Mapping[str, Any]
) -> None:
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()
    begun = len(tenant.history)
    tenant.apply(tenant.binding("api", **spec))
    message = tenant.wait_condition("mtlshb/api", "Accepted", "False", "UnsupportedValue")
    event = tenant.wait_warning("api", "UnsupportedValue")
    asked = tenant.history[begun:]

    tenant.apply(tenant.binding("api"))
    tenant.wait_ready()

    assert field in message
    assert message in event
    assert asked == []


def test_a_field_that_is_no_longer_served_leaves_in_force_what_is_in_force(tenant: Tenant) -> None:
    tenant.set_up("api")
    begun, rules = len(tenant.history), tenant.rules()

    tenant.apply(tenant.binding("api", "login", suspend=True))
    tenant.wait_condition("mtlshb/api", "Accepted", "False", "UnsupportedValue")

    assert tenant.history[begun:] == []
    assert tenant.rules() == rules
    assert tenant.get("mtlshb/api")["status"]["managed"][0]["hostnames"] == [tenant.zone.host("api")]


def test_another_certificate_in_the_source_is_no_rotation_yet_and_changes_nothing(tenant: Tenant) -> None:
    tenant.set_up("api")
    begun, rules = len(tenant.history), tenant.rules()
    before = tenant.get("mtlsca/partners")["status"]["certificateId"]

    stranger = Tenant.arrive(tenant.world)
    tenant.apply(tenant.secret(**{"ca.crt": stranger.ca.pem}))
    message = tenant.wait_condition("mtlsca/partners", "Accepted", "False", "UnsupportedValue")

    assert "rotation is not served" in message
    assert tenant.history[begun:] == []
    assert tenant.rules() == rules
    assert tenant.get("mtlsca/partners")["status"]["certificateId"] == before
