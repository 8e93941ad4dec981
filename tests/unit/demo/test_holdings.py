"""What the demo says is at Cloudflare, and how it notices that something is left or has changed."""

from __future__ import annotations

import pytest

from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.demo import neighbours
from testbed.demo.holdings import differences, holdings
from tests.certificates import make_ca
from tests.unit.demo.calls import ENFORCE, REVOKE, claim, rule

ACCOUNT, ZONE = "a" * 32, "b" * 32


@pytest.fixture
def simulation() -> CloudflareSimulation:
    """An account with a zone where neighbours live."""
    simulation = CloudflareSimulation(lambda: 1_800_000_000.0)
    simulation.add_account(ACCOUNT)
    simulation.add_zone(ZONE, "example.com", ACCOUNT)
    neighbours.move_in(simulation, ACCOUNT, ZONE)
    return simulation


def test_what_others_have_is_called_theirs(simulation: CloudflareSimulation) -> None:
    assert holdings(simulation.state) == (
        "certificate  VPN clients  (somebody else's)",
        "list         example.com: vpn.example.com with VPN clients",
        "rule 1       example.com: block: a noisy address  (somebody else's)",
    )


def test_marks_of_the_operator_are_read_out(simulation: CloudflareSimulation) -> None:
    simulation.add_foreign_rule(ZONE, action="log", **rule(claim("held"), "a.example.com"))
    simulation.add_foreign_rule(ZONE, first=True, **rule(ENFORCE, "a.example.com"))
    simulation.add_foreign_rule(ZONE, first=True, **rule(REVOKE, "a.example.com"))

    rules = holdings(simulation.state)[2:]

    assert rules == (
        "rule 1       example.com: block with revoked certificate: a.example.com",
        "rule 2       example.com: block without certificate: a.example.com",
        "rule 3       example.com: block: a noisy address  (somebody else's)",
        "rule 4       example.com: claim, held (disabled): a.example.com",
    )


def test_an_unchanged_account_has_no_differences(simulation: CloudflareSimulation) -> None:
    assert differences(simulation.state, simulation.state) == []


def test_a_certificate_that_is_left_is_a_difference(simulation: CloudflareSimulation) -> None:
    before = simulation.state
    simulation.add_certificate(ACCOUNT, make_ca("left").pem, name="left")

    (difference,) = differences(before, simulation.state)

    assert difference.startswith("certificates: ")


def test_a_hostname_of_somebody_else_that_is_gone_is_a_difference(simulation: CloudflareSimulation) -> None:
    before = simulation.state
    ((zone, certificate),) = before.lists
    simulation.put_foreign_hostnames(zone, certificate, [])

    (difference,) = differences(before, simulation.state)

    assert difference.startswith("hostname lists: ")


def test_a_rule_of_somebody_else_that_is_gone_is_a_difference(simulation: CloudflareSimulation) -> None:
    before = simulation.state
    simulation.remove_ruleset_rules(ZONE)

    (difference,) = differences(before, simulation.state)

    assert difference.startswith("rules: ")
