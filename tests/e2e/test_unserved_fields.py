"""A field that this version does not serve is said so and never ignored; without it the resource is served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.resources import Manifest
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until
from tests.e2e.world import Handled, World

OF_AUTHORITIES: Mapping[str, Mapping[str, Any]] = {
    "spec.revocation": {"revocation": {"secretRef": {"name": "crl", "key": "crl.pem"}}},
}
SOURCE = {"secretRef": {"name": "partners"}}
ACCEPTED = "{.status.conditions[?(@.type=='Accepted')].reason}"


@dataclass
class Judged:
    """Resources with one unserved field each, by name: what was said of them, and what was asked of Cloudflare."""

    conditions: dict[str, dict[str, dict[str, Any]]]
    warnings: dict[str, str]
    """Messages of the Warning events for it, by the name of the resource."""
    asked: list[Handled]


def names(fields: Mapping[str, Any]) -> dict[str, str]:
    """A name for the resource with each of the fields."""
    return {field: f"unserved-{number}" for number, field in enumerate(fields)}


def judge(tenant: Tenant, manifests: list[Manifest]) -> Judged:
    """Apply them and wait for what is said of each."""
    begun, expected = len(tenant.history), {manifest["metadata"]["name"] for manifest in manifests}
    tenant.apply(*manifests)
    what = [f"{manifest['kind'].lower()}/{manifest['metadata']['name']}" for manifest in manifests]
    tenant.kubectl("wait", f"--for=jsonpath={ACCEPTED}=UnsupportedValue", "--timeout=60s", *what)

    def warnings() -> dict[str, str]:
        told = [event for event in tenant.events() if event["reason"] == "UnsupportedValue"]
        return {event["involvedObject"]["name"]: event["message"] for event in told if event["type"] == "Warning"}

    until(lambda: expected <= warnings().keys(), "a warning about each resource")
    document = json.loads(tenant.kubectl("get", *what, "--output=json"))
    found = document.get("items", [document])
    conditions = {
        item["metadata"]["name"]: {each["type"]: each for each in item["status"]["conditions"]} for item in found
    }
    return Judged(conditions, warnings(), tenant.history[begun:])


@pytest.fixture(scope="module")
def authorities(module_world: World) -> Judged:
    """CAs with one unserved field each; afterwards all of them without it, and ready."""
    tenant, named = Tenant.arrive(module_world), names(OF_AUTHORITIES)
    tenant.apply(tenant.secret())
    judged = judge(tenant, [tenant.authority(named[f], source=SOURCE, **s) for f, s in OF_AUTHORITIES.items()])
    tenant.apply(*(tenant.authority(name, source=SOURCE) for name in named.values()))
    tenant.wait_ready()
    return judged


@pytest.mark.parametrize("field", OF_AUTHORITIES)
def test_a_ca_with_an_unserved_field_says_so_until_the_field_is_gone(authorities: Judged, field: str) -> None:
    name = names(OF_AUTHORITIES)[field]
    accepted, ready = (authorities.conditions[name][kind] for kind in ("Accepted", "Ready"))

    assert (accepted["status"], ready["status"], ready["reason"]) == ("False", "False", "UnsupportedValue")
    assert field in accepted["message"]
    assert accepted["message"] in authorities.warnings[name]
    assert authorities.asked == []


def test_a_field_that_is_no_longer_served_leaves_in_force_what_is_in_force(tenant: Tenant) -> None:
    tenant.set_up("api")
    begun, rules = len(tenant.history), tenant.rules()

    tenant.apply(tenant.authority(**OF_AUTHORITIES["spec.revocation"]))
    tenant.wait_condition("mtlsca/partners", "Accepted", "False", "UnsupportedValue")

    assert tenant.history[begun:] == []
    assert tenant.rules() == rules
    assert tenant.get("mtlshb/api")["status"]["managed"][0]["hostnames"] == [tenant.zone.host("api")]
