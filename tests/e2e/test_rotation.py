"""A CA whose source changes: new and previous CAs in one certificate, then the new ones alone; hostnames follow."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.certificates import Ca
from tests.e2e.resources import AUTHORITY
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until

CA = f"mtlsca/{AUTHORITY}"


@dataclass(frozen=True)
class Rotation:
    """A tenant whose source has just changed, and to which CA."""

    tenant: Tenant
    new: Ca

    def wait_over(self) -> None:
        self.tenant.wait_condition(CA, "Rotated", "True", "Current")
        self.tenant.wait_ready()

    def accepted(self) -> frozenset[str]:
        """Which of the two CAs the zone's rules name."""
        expressions = " ".join(rule.expression for rule in self.tenant.rules())
        return frozenset(
            each for each in (self.tenant.ca.key_identifier, self.new.key_identifier) if each in expressions
        )


def change_source(tenant: Tenant) -> Rotation:
    new = Tenant.arrive(tenant.world).ca
    tenant.apply(tenant.secret(**{"ca.crt": new.pem}))
    tenant.wait_condition(CA, "Rotated", "False", "Rotating")
    return Rotation(tenant, new)


@pytest.fixture
def alone(tenant: Tenant) -> Rotation:
    """A CA without bindings."""
    tenant.apply(tenant.secret(), tenant.authority(rotation={"overlap": "3s"}))
    tenant.wait_ready(CA)
    return change_source(tenant)


@pytest.fixture(params=["Bundle", "SideBySide"])
def bound(request: pytest.FixtureRequest, tenant: Tenant) -> Rotation:
    """A CA with a hostname that is enforced."""
    rotation = {"overlap": "3s", "strategy": request.param}
    tenant.apply(tenant.secret(), tenant.authority(rotation=rotation), tenant.binding("api"))
    tenant.wait_ready()
    return change_source(tenant)


def test_new_and_previous_cas_are_in_force_together_and_then_the_new_ones_alone(alone: Rotation) -> None:
    tenant, before = alone.tenant, alone.tenant.ca.fingerprint

    def overlapping() -> bool:
        return any(len(each.fingerprints) == 2 and before in each.fingerprints for each in tenant.certificates)

    until(overlapping, "a certificate with both CAs")
    alone.wait_over()
    status = tenant.get(CA)["status"]

    assert [each.fingerprints for each in tenant.certificates] == [(alone.new.fingerprint,)]
    assert status["certificateId"] == tenant.certificates[0].id
    assert status["fingerprints"] == [alone.new.fingerprint]
    assert "rotation" not in status
    assert "retiring" not in status
    assert tenant.violations == []


def test_clients_of_both_cas_are_accepted_for_the_overlap_and_then_those_of_the_new_one(bound: Rotation) -> None:
    tenant = bound.tenant

    until(lambda: len(bound.accepted()) == 2, "rules that accept clients of both")
    bound.wait_over()

    assert bound.accepted() == {bound.new.key_identifier}
    assert [each.fingerprints for each in tenant.certificates] == [(bound.new.fingerprint,)]
    assert [each["certificateId"] for each in tenant.get("mtlshb/api")["status"]["managed"]] == [
        tenant.certificates[0].id
    ]
    assert tenant.violations == []


def test_a_deleted_ca_takes_what_its_rotation_has_made_with_it(alone: Rotation) -> None:
    alone.tenant.delete(CA)
    alone.tenant.wait_gone(CA)

    assert alone.tenant.certificates == []
    assert alone.tenant.violations == []
