"""DNS records of a zone, as the official client lists them."""

from __future__ import annotations

import pytest

from tests.contract.cloudflare_simulation.world import ZONE, World

RECORDS = f"/zones/{ZONE}/dns_records"


def test_everything_in_a_new_zone_is_proxied(world: World) -> None:
    listed = list(world.client.dns.records.list(zone_id=ZONE))

    assert [(record.name, record.type, record.proxied) for record in listed] == [
        ("*.example.com", "A", True),
        ("example.com", "A", True),
    ]


def test_records_are_replaced_by_those_of_the_test(world: World) -> None:
    world.simulation.put_records(ZONE, ("api.example.com", "CNAME", False), ("example.com", "MX", False))

    listed = list(world.client.dns.records.list(zone_id=ZONE))

    assert [(record.name, record.type, record.proxied) for record in listed] == [
        ("api.example.com", "CNAME", False),
        ("example.com", "MX", False),
    ]


def test_what_cannot_be_proxied_is_not(world: World) -> None:
    with pytest.raises(ValueError, match="TXT"):
        world.simulation.put_records(ZONE, ("api.example.com", "TXT", True))


def test_records_are_filtered_by_name_type_and_whether_they_are_proxied(world: World) -> None:
    world.simulation.put_records(
        ZONE,
        ("a.example.com", "A", True),
        ("a.example.com", "AAAA", False),
        ("b.example.com", "A", False),
    )

    by_name = list(world.client.dns.records.list(zone_id=ZONE, name={"exact": "a.example.com"}))
    by_type = list(world.client.dns.records.list(zone_id=ZONE, type="AAAA"))
    proxied = list(world.client.dns.records.list(zone_id=ZONE, proxied=True))

    assert [record.type for record in by_name] == ["A", "AAAA"]
    assert [record.name for record in by_type] == ["a.example.com"]
    assert [(record.name, record.type) for record in proxied] == [("a.example.com", "A")]


def test_records_come_in_pages_of_a_hundred(world: World) -> None:
    world.simulation.put_records(ZONE, *((f"h{number:03}.example.com", "A", True) for number in range(230)))

    listed = list(world.client.dns.records.list(zone_id=ZONE))

    assert len({record.name for record in listed}) == 230
    assert world.raw().get(RECORDS).json()["result_info"]["total_pages"] == 3


@pytest.mark.parametrize("query", ["per_page=0", "per_page=5001", "proxied=perhaps"])
def test_a_query_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert world.raw().get(f"{RECORDS}?{query}").status_code == 400
