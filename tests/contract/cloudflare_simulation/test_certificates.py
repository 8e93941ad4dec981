"""Certificates that exist: listing, use and deletion."""

from __future__ import annotations

import cloudflare
import pytest

from testbed.cloudflare.settings import Consistency, Kind, Settings, Staleness
from tests.contract.cloudflare_simulation.world import ACCOUNT, OTHER_ACCOUNT, ZONE, World, ca, code, make_world

UNKNOWN = "00000000-0000-4000-a000-000000000000"


def test_uploads_are_listed(world: World) -> None:
    ids = {world.upload(ca("Root A")), world.upload(ca("Root B"))}

    assert {item.id for item in world.client.mtls_certificates.list(account_id=ACCOUNT)} == ids


def test_the_list_can_be_filtered_by_name(world: World) -> None:
    world.upload(ca("Root A"), "first")
    second = world.upload(ca("Root B"), "second")

    listed = world.client.mtls_certificates.list(account_id=ACCOUNT, extra_query={"name": "second", "ca": "true"})

    assert [item.id for item in listed] == [second]


def test_the_list_can_be_filtered_to_what_is_no_ca(world: World) -> None:
    world.upload(ca("Root A"))

    assert list(world.client.mtls_certificates.list(account_id=ACCOUNT, extra_query={"ca": "false"})) == []


@pytest.mark.parametrize("kind", ["access_managed", "gateway_managed"])
def test_managed_certificates_are_listed_but_cannot_be_deleted(world: World, kind: str) -> None:
    managed = world.simulation.add_managed_certificate(ACCOUNT, ca("Access").pem, kind=kind)

    listed = list(world.client.mtls_certificates.list(account_id=ACCOUNT))
    with pytest.raises(cloudflare.PermissionDeniedError) as refused:
        world.client.mtls_certificates.delete(managed, account_id=ACCOUNT)

    assert [(item.id, item.type) for item in listed] == [(managed, kind)]
    assert code(refused.value) == 1469


def test_one_certificate_can_be_read(world: World) -> None:
    certificate_id = world.upload(ca("Root A"), "mine")

    found = world.client.mtls_certificates.get(certificate_id, account_id=ACCOUNT)

    assert found is not None
    assert (found.id, found.name, found.type) == (certificate_id, "mine", "custom")


def test_a_certificate_of_another_account_is_not_found(world: World) -> None:
    certificate_id = world.upload(ca("Root A"))

    with pytest.raises(cloudflare.NotFoundError):
        world.client.mtls_certificates.get(certificate_id, account_id=OTHER_ACCOUNT)


def test_an_unknown_certificate_cannot_be_deleted(world: World) -> None:
    with pytest.raises(cloudflare.NotFoundError):
        world.client.mtls_certificates.delete(UNKNOWN, account_id=ACCOUNT)


def test_a_deleted_certificate_is_gone(world: World) -> None:
    certificate_id = world.upload(ca("Root A"))

    world.client.mtls_certificates.delete(certificate_id, account_id=ACCOUNT)

    with pytest.raises(cloudflare.NotFoundError):
        world.client.mtls_certificates.get(certificate_id, account_id=ACCOUNT)


def test_a_certificate_in_use_cannot_be_deleted(world: World) -> None:
    certificate_id = world.upload(ca("Root A"))
    world.associate(certificate_id, "a.example.com")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.mtls_certificates.delete(certificate_id, account_id=ACCOUNT)

    assert code(refused.value) == 1470
    assert "in use" in str(refused.value.errors[0].message)
    assert certificate_id in world.simulation.state.certificates[ACCOUNT]


def test_a_certificate_can_be_deleted_once_its_hostnames_are_gone(world: World) -> None:
    certificate_id = world.upload(ca("Root A"))
    world.associate(certificate_id, "a.example.com")
    world.associate(certificate_id)

    world.client.mtls_certificates.delete(certificate_id, account_id=ACCOUNT)

    assert world.simulation.state.certificates[ACCOUNT] == {}


def test_a_replica_that_lags_still_believes_that_the_certificate_is_in_use() -> None:
    world = make_world(Settings(consistency=Consistency(Staleness.EXACT, {Kind.IN_USE: 90})))
    certificate_id = world.upload(ca("Root A"))
    world.associate(certificate_id, "a.example.com")
    world.clock.advance(10)
    world.associate(certificate_id)

    world.clock.advance(89)
    with pytest.raises(cloudflare.BadRequestError):
        world.client.mtls_certificates.delete(certificate_id, account_id=ACCOUNT)
    world.clock.advance(1)
    world.client.mtls_certificates.delete(certificate_id, account_id=ACCOUNT)

    assert world.simulation.state.certificates[ACCOUNT] == {}


def test_the_services_that_use_a_certificate_are_listed(world: World) -> None:
    certificate_id = world.upload(ca("Root A"))
    unused = list(world.client.mtls_certificates.associations.get(certificate_id, account_id=ACCOUNT))

    world.simulation.put_foreign_hostnames(ZONE, certificate_id, ["a.example.com"])
    used = list(world.client.mtls_certificates.associations.get(certificate_id, account_id=ACCOUNT))

    assert unused == []
    assert [item.status for item in used] == ["active"]
