"""Hostname associations."""

from __future__ import annotations

import cloudflare
import pytest

from tests.contract.cloudflare_simulation.world import (
    ACCOUNT,
    OTHER_ACCOUNT,
    ZONE,
    World,
    ca,
    code,
    pointer,
)

NAMES = [f"{letter}.example.com" for letter in "abcdefgh"]
LISTS = f"/zones/{ZONE}/certificate_authorities/hostname_associations"


def test_an_empty_list_is_null(world: World) -> None:
    certificate_id = world.upload(ca())

    assert world.hostnames(certificate_id) is None


def test_what_is_put_is_read_back(world: World) -> None:
    certificate_id = world.upload(ca())

    world.associate(certificate_id, *NAMES)

    assert sorted(world.hostnames(certificate_id) or []) == NAMES


def test_the_order_of_the_answer_is_not_the_order_sent(world: World) -> None:
    certificate_id = world.upload(ca())

    answered = world.client.certificate_authorities.hostname_associations.update(
        zone_id=ZONE, hostnames=NAMES, mtls_certificate_id=certificate_id
    )

    assert answered is not None
    assert answered.hostnames != NAMES
    assert sorted(answered.hostnames or []) == NAMES


def test_a_put_replaces_the_whole_list(world: World) -> None:
    certificate_id = world.upload(ca())
    world.simulation.put_foreign_hostnames(ZONE, certificate_id, ["theirs.example.com"])

    world.associate(certificate_id, "ours.example.com")

    assert world.hostnames(certificate_id) == ["ours.example.com"]


def test_each_certificate_has_a_list_of_its_own(world: World) -> None:
    first, second = world.upload(ca("Root A")), world.upload(ca("Root B"))

    world.associate(first, "a.example.com")
    world.associate(second, "a.example.com", "b.example.com")

    assert world.simulation.state.lists == {
        (ZONE, first): frozenset({"a.example.com"}),
        (ZONE, second): frozenset({"a.example.com", "b.example.com"}),
    }


def test_the_empty_list_removes_every_hostname(world: World) -> None:
    certificate_id = world.upload(ca())
    world.associate(certificate_id, *NAMES)

    world.associate(certificate_id)

    assert world.simulation.state.lists == {}


def test_without_a_certificate_id_the_list_of_the_managed_ca_is_meant(world: World) -> None:
    certificate_id = world.upload(ca())
    world.associate(certificate_id, "a.example.com")

    world.client.certificate_authorities.hostname_associations.update(zone_id=ZONE, hostnames=["m.example.com"])
    seen = world.client.certificate_authorities.hostname_associations.get(zone_id=ZONE)

    assert seen is not None
    assert seen.hostnames == ["m.example.com"]
    assert world.simulation.state.hostnames(ZONE, None) == {"m.example.com"}
    assert world.simulation.state.hostnames(ZONE, certificate_id) == {"a.example.com"}


def test_the_zone_itself_is_a_hostname_of_it(world: World) -> None:
    certificate_id = world.upload(ca())

    world.associate(certificate_id, "example.com")

    assert world.hostnames(certificate_id) == ["example.com"]


@pytest.mark.parametrize(
    ("hostname", "refusal"),
    [
        ("", 1443),
        ("A.example.com", 1443),
        ("*.example.com", 1443),
        ("a_b.example.com", 1443),
        ("-a.example.com", 1443),
        ("a.example.com.", 1443),
        ("a.example.com:443", 1443),
        ("https://a.example.com", 1443),
        ("bücher.example.com", 1443),
        ("a" * 64 + ".example.com", 1443),
        ("a." * 125 + "example.com", 1443),
        ("a.example.org", 1444),
        ("badexample.com", 1444),
    ],
)
def test_what_is_no_hostname_of_the_zone_is_refused(world: World, hostname: str, refusal: int) -> None:
    certificate_id = world.upload(ca())

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.associate(certificate_id, "good.example.com", hostname)

    assert (code(refused.value), pointer(refused.value)) == (refusal, "/hostnames/1")
    assert world.simulation.state.lists == {}


@pytest.mark.parametrize("certificate_id", ["", "x", "0" * 32, "00000000-0000-4000-A000-000000000000"])
def test_a_malformed_certificate_id_is_refused(world: World, certificate_id: str) -> None:
    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.associate(certificate_id, "a.example.com")

    assert code(refused.value) == 1440


def test_a_malformed_certificate_id_is_refused_when_reading(world: World) -> None:
    with pytest.raises(cloudflare.BadRequestError):
        world.hostnames("x")


def test_a_certificate_of_another_account_is_refused(world: World) -> None:
    theirs = world.simulation.add_certificate(OTHER_ACCOUNT, ca().pem)

    with pytest.raises(cloudflare.NotFoundError):
        world.associate(theirs, "a.example.com")


def test_a_certificate_of_access_is_refused(world: World) -> None:
    managed = world.simulation.add_managed_certificate(ACCOUNT, ca().pem)

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.associate(managed, "a.example.com")

    assert code(refused.value) == 1441


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"hostnames": [], "certificate_id": "x"}, "/certificate_id"),
        ({}, "/hostnames"),
        ({"hostnames": None}, "/hostnames"),
        ({"hostnames": "a.example.com"}, "/hostnames"),
        ({"hostnames": [1]}, "/hostnames/0"),
    ],
)
def test_a_body_of_the_wrong_form_is_refused(world: World, body: object, where: str) -> None:
    answer = world.raw().put(LISTS, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, where)
