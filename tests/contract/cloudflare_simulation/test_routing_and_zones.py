"""Paths, ids and the look-up of zones."""

from __future__ import annotations

import cloudflare
import pytest

from tests.contract.cloudflare_simulation.world import ACCOUNT, ZONE, World, code

UPPER = "B" * 32


@pytest.mark.parametrize(
    "path",
    [
        "/zones/short",
        f"/zones/{UPPER}",
        f"/zones/{'e' * 32}",
        "/accounts/short/mtls_certificates",
        f"/accounts/{'e' * 32}/mtls_certificates",
        f"/accounts/{ACCOUNT}/mtls_certificates/{'0' * 32}",
        f"/zones/{ZONE}/rulesets/not-hexadecimal",
    ],
)
def test_an_id_that_is_malformed_or_unknown_cannot_be_routed(world: World, path: str) -> None:
    answer = world.raw().get(path)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 7003)


def test_a_path_that_does_not_exist_has_no_route(world: World) -> None:
    answer = world.raw().get("/zones/x/y/z")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 7000)


def test_a_certificate_cannot_be_updated(world: World) -> None:
    path = f"/accounts/{ACCOUNT}/mtls_certificates/00000000-0000-4000-a000-000000000000"

    answer = world.raw().patch(path, json={"name": "new"})

    assert answer.status_code == 405


def test_a_refusal_comes_in_the_envelope(world: World) -> None:
    answer = world.raw().get("/nothing").json()

    assert set(answer) == {"success", "errors", "messages", "result"}
    assert answer["success"] is False


def test_a_zone_is_found_by_its_name(world: World) -> None:
    found = list(world.client.zones.list(name="example.com"))

    assert [(zone.id, zone.account.id) for zone in found] == [(ZONE, ACCOUNT)]


def test_a_zone_is_found_by_its_account(world: World) -> None:
    found = list(world.client.zones.list(account={"id": ACCOUNT}))

    assert [zone.name for zone in found] == ["example.com"]


def test_a_zone_that_does_not_exist_is_not_found_by_name(world: World) -> None:
    assert list(world.client.zones.list(name="example.net")) == []


def test_the_list_of_zones_comes_in_pages(world: World) -> None:
    world.add_zones(45)

    names = [zone.name for zone in world.client.zones.list(per_page=20)]

    assert len(set(names)) == 47
    assert [entry.query for entry in world.simulation.log][1] == (("per_page", "20"), ("page", "2"))


def test_a_page_size_out_of_range_is_refused(world: World) -> None:
    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.zones.list(per_page=51)

    assert code(refused.value) == 6100


def test_a_zone_has_its_plan_and_status(world: World) -> None:
    zone = world.client.zones.get(zone_id=ZONE)

    assert zone is not None
    assert (zone.status, zone.plan.legacy_id) == ("active", "enterprise")


def test_a_zone_that_somebody_deleted_is_not_found_any_more(world: World) -> None:
    world.simulation.remove_zone(ZONE)

    assert list(world.client.zones.list(name="example.com")) == []
    assert world.raw().get(f"/zones/{ZONE}").status_code == 404
