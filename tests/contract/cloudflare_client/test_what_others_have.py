"""What others have that may let requests past our rules: the client reads it, and never writes it."""

from __future__ import annotations

import pytest

from mtls_operator.cloudflare import NotFound, PermissionDenied
from mtls_operator.domain.observed import AccessRule, DnsRecord
from testbed.cloudflare import state
from testbed.cloudflare.access import ALL_PERMISSIONS
from tests.contract.cloudflare_client.simulated import ACCOUNT, HOST, ZONE, World

OTHER_TOKEN = "another-token-0123456789-abcdef"
MISSING = "f" * 32


def allow(world: World, scope: str, *targets: str, mode: str = "whitelist") -> None:
    rules = tuple(state.AccessRule(f"{number:032x}", mode, target) for number, target in enumerate(targets))
    world.cloudflare.install(lambda truth: truth.with_access_rules(scope, rules), settled=True)


async def test_the_list_of_the_managed_ca_is_read_and_is_not_that_of_an_uploaded_one() -> None:
    world = World()
    uploaded = await world.uploaded()
    await world.client.put_hostnames(ZONE, uploaded.id, {HOST})
    assert await world.client.get_managed_hostnames(ZONE) == frozenset()
    world.cloudflare.put_foreign_hostnames(ZONE, None, ["m.example.com"])

    assert await world.client.get_managed_hostnames(ZONE) == {"m.example.com"}
    assert world.cloudflare.monitor.finish() == []


async def test_rules_that_allow_are_listed_and_others_are_not() -> None:
    world = World()
    allow(world, ZONE, "203.0.113.7", mode="block")
    allow(world, ACCOUNT, "DE")

    allowed = (AccessRule("0" * 32, "whitelist", "country", "DE"),)
    assert await world.client.list_zone_allowances(ZONE) == allowed
    assert await world.client.list_account_allowances(ACCOUNT) == allowed


async def test_more_rules_than_fit_on_a_page_are_listed() -> None:
    world = World()
    allow(world, ZONE, *(f"10.{number // 200}.{number % 200}.0/24" for number in range(234)))

    assert len(await world.client.list_zone_allowances(ZONE)) == 234


async def test_records_are_listed_with_what_is_proxied() -> None:
    world = World()
    first, second = world.cloudflare.put_records(
        ZONE, ("*.example.com", "CNAME", True), ("mail.example.com", "A", False)
    )

    assert await world.client.list_records(ZONE) == (
        DnsRecord(first.id, "*.example.com", "CNAME", proxied=True),
        DnsRecord(second.id, "mail.example.com", "A", proxied=False),
    )


async def test_more_records_than_fit_on_a_page_are_listed() -> None:
    world = World()
    world.cloudflare.put_records(ZONE, *((f"h{number}.example.com", "A", True) for number in range(5001)))

    assert len(await world.client.list_records(ZONE)) == 5001


@pytest.mark.parametrize(
    ("lacking", "permission"),
    [
        ("dns:read", "Zone / DNS: Read"),
        ("firewall:read", "Zone / Firewall Services: Read"),
        ("account_firewall:read", "Account / Account Firewall Access Rules: Read"),
    ],
)
async def test_a_token_without_the_permission_is_told_which_it_lacks(lacking: str, permission: str) -> None:
    world = World()
    world.cloudflare.add_token(OTHER_TOKEN, permissions=ALL_PERMISSIONS - {lacking})
    client = world.client_with(OTHER_TOKEN)
    asked = {
        "dns:read": client.list_records(ZONE),
        "firewall:read": client.list_zone_allowances(ZONE),
        "account_firewall:read": client.list_account_allowances(ACCOUNT),
    }
    refused = asked.pop(lacking)
    for granted in asked.values():
        await granted

    with pytest.raises(PermissionDenied) as error:
        await refused

    assert error.value.permission == permission


async def test_an_unknown_zone_has_no_records_that_could_be_listed() -> None:
    with pytest.raises(NotFound):
        await World().client.list_records(MISSING)
