"""IP Access rules of zones and accounts, as the official client lists them."""

from __future__ import annotations

import pytest

from testbed.cloudflare.access_rules import configuration
from testbed.cloudflare.state import AccessRule
from tests.contract.cloudflare_simulation.world import ACCOUNT, OTHER_ACCOUNT, ZONE, World

RULES = f"/zones/{ZONE}/firewall/access_rules/rules"


def allow(world: World, scope: str, *targets: str, mode: str = "whitelist") -> None:
    """Rules of somebody else in a zone or an account."""
    rules = tuple(AccessRule(f"{number:032x}", mode, target) for number, target in enumerate(targets))
    world.simulation.install(lambda state: state.with_access_rules(scope, rules), settled=True)


def test_a_zone_without_rules_has_an_empty_list(world: World) -> None:
    assert list(world.client.firewall.access_rules.list(zone_id=ZONE)) == []


def test_a_rule_is_shown_with_what_it_matches_and_where_it_was_made(world: World) -> None:
    made = world.simulation.add_access_rule(ZONE, "whitelist", "203.0.113.7")

    (rule,) = world.client.firewall.access_rules.list(zone_id=ZONE)

    assert (rule.id, rule.mode) == (made.id, "whitelist")
    assert rule.configuration.target == "ip"
    assert rule.configuration.value == "203.0.113.7"
    assert rule.scope is not None
    assert rule.scope.id == ZONE


def test_the_list_of_a_zone_holds_the_rules_of_its_account_too(world: World) -> None:
    allow(world, ACCOUNT, "DE")
    allow(world, OTHER_ACCOUNT, "FR")

    listed = list(world.client.firewall.access_rules.list(zone_id=ZONE))

    assert [(rule.configuration.value, rule.scope and rule.scope.type) for rule in listed] == [("DE", "organization")]


def test_the_list_of_an_account_holds_no_rules_of_its_zones(world: World) -> None:
    allow(world, ZONE, "203.0.113.7")
    allow(world, ACCOUNT, "AS64500")

    listed = list(world.client.firewall.access_rules.list(account_id=ACCOUNT))

    assert [rule.configuration.value for rule in listed] == ["AS64500"]


def test_rules_are_filtered_by_what_they_do(world: World) -> None:
    allow(world, ZONE, "203.0.113.7", mode="block")
    allow(world, ACCOUNT, "203.0.113.8")

    listed = list(world.client.firewall.access_rules.list(zone_id=ZONE, mode="whitelist"))

    assert [rule.configuration.value for rule in listed] == ["203.0.113.8"]


def test_rules_are_filtered_by_what_they_match(world: World) -> None:
    allow(world, ZONE, "203.0.113.7", "DE", "AS64500")

    listed = list(world.client.firewall.access_rules.list(zone_id=ZONE, configuration={"target": "country"}))

    assert [rule.configuration.value for rule in listed] == ["DE"]


def test_rules_are_filtered_by_their_notes_in_any_case(world: World) -> None:
    rule = AccessRule("0" * 32, "whitelist", "DE", notes="Our Office")
    world.simulation.install(lambda state: state.with_access_rules(ZONE, (rule,)), settled=True)

    assert len(list(world.client.firewall.access_rules.list(zone_id=ZONE, notes="office"))) == 1
    assert list(world.client.firewall.access_rules.list(zone_id=ZONE, notes="home")) == []


def test_rules_come_in_pages_of_twenty(world: World) -> None:
    allow(world, ZONE, *(f"203.0.113.{number}" for number in range(45)))

    listed = list(world.client.firewall.access_rules.list(zone_id=ZONE))

    assert len(listed) == 45
    assert world.raw().get(RULES).json()["result_info"] == {
        "page": 1,
        "per_page": 20,
        "count": 20,
        "total_count": 45,
        "total_pages": 3,
    }


@pytest.mark.parametrize("query", ["per_page=7", "per_page=0", "per_page=1005", "mode=allow", "configuration.target=x"])
def test_a_query_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert world.raw().get(f"{RULES}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("target", "kind", "value"),
    [
        ("203.0.113.7", "ip", "203.0.113.7"),
        ("203.0.113.7/32", "ip", "203.0.113.7"),
        ("2001:db8::1", "ip6", "2001:db8::1"),
        ("203.0.113.0/24", "ip_range", "203.0.113.0/24"),
        ("AS64500", "asn", "AS64500"),
        ("DE", "country", "DE"),
        ("T1", "country", "T1"),
    ],
)
def test_a_rule_matches_an_address_a_network_an_as_or_a_country(target: str, kind: str, value: str) -> None:
    assert configuration(target) == {"target": kind, "value": value}


def test_anything_else_cannot_be_matched() -> None:
    with pytest.raises(ValueError, match="germany"):
        configuration("germany")
