"""What a token may do and see."""

from __future__ import annotations

import pytest

from mtls_operator.cloudflare import PermissionDenied, Unauthorized
from mtls_operator.cloudflare.errors import AmbiguousZone
from tests.contract.cloudflare_client.simulated import ACCOUNT, HOST, ZONE, World, rule

OTHER_TOKEN = "other-contract-test-token-987654"
OTHER_ACCOUNT = "e" * 32


async def test_a_zone_is_found_by_name_and_by_id() -> None:
    world = World()

    found = await world.client.find_zone("example.com")

    assert found is not None
    assert (found.id, found.account_id, found.plan) == (ZONE, ACCOUNT, "Enterprise Website")
    assert await world.client.get_zone(ZONE) == found


async def test_a_zone_that_is_not_there_is_none() -> None:
    assert await World().client.find_zone("example.org") is None


async def test_a_zone_of_two_accounts_is_decided_by_the_account() -> None:
    world = World()
    world.cloudflare.add_account(OTHER_ACCOUNT)
    world.cloudflare.add_zone("9" * 32, "example.com", OTHER_ACCOUNT)

    found = await world.client.find_zone("example.com", OTHER_ACCOUNT)

    assert found is not None
    assert found.id == "9" * 32
    with pytest.raises(AmbiguousZone):
        await world.client.find_zone("example.com")


async def test_a_zone_that_the_token_may_not_read_looks_absent() -> None:
    world = World()
    world.cloudflare.add_token(OTHER_TOKEN, permissions=["zone_ssl:edit"])
    client = world.client_with(OTHER_TOKEN)

    assert await client.find_zone("example.com") is None
    with pytest.raises(PermissionDenied, match="Zone / Zone: Read"):
        await client.get_zone(ZONE)


async def test_a_lack_of_permission_is_told_apart_by_endpoint() -> None:
    world = World()
    uploaded = await world.uploaded()
    world.cloudflare.add_token(OTHER_TOKEN, permissions=["zone_ssl:read", "waf:read", "zone:read"])
    client = world.client_with(OTHER_TOKEN)

    with pytest.raises(PermissionDenied, match="Account / SSL and Certificates: Read"):
        await client.list_certificates(ACCOUNT)
    with pytest.raises(PermissionDenied, match="Zone / SSL and Certificates: Edit"):
        await client.put_hostnames(ZONE, uploaded.id, {HOST})
    with pytest.raises(PermissionDenied, match="Zone / Zone WAF: Edit"):
        await client.create_entrypoint(ZONE, [rule("one")])


async def test_a_token_that_was_made_a_moment_ago_is_denied_for_a_while() -> None:
    world = World()
    world.cloudflare.add_token(OTHER_TOKEN, fresh_for=60)
    client = world.client_with(OTHER_TOKEN)

    with pytest.raises(PermissionDenied):
        await client.list_certificates(ACCOUNT)
    world.clock.now += 60

    assert await client.list_certificates(ACCOUNT) == ()


async def test_an_unknown_token_is_not_accepted_anywhere() -> None:
    world = World()
    client = world.client_with(OTHER_TOKEN)

    with pytest.raises(Unauthorized):
        await client.verify_token()
    with pytest.raises(Unauthorized):
        await client.find_zone("example.com")
    with pytest.raises(Unauthorized):
        await client.list_certificates(ACCOUNT)


async def test_a_token_of_an_odd_form_is_not_accepted() -> None:
    with pytest.raises(Unauthorized, match="6111"):
        await World().client_with("short").list_certificates(ACCOUNT)


async def test_a_token_that_expired_says_so_of_itself_and_is_not_accepted() -> None:
    world = World()
    world.cloudflare.add_token(OTHER_TOKEN, expires_on=world.clock.now + 10)
    client = world.client_with(OTHER_TOKEN)

    before = await client.verify_token()
    world.clock.now += 11
    after = await client.verify_token()

    assert (before.is_active, after.is_active, after.status) == (True, False, "expired")
    assert after.expires_on is not None
    with pytest.raises(Unauthorized):
        await client.list_certificates(ACCOUNT)


async def test_a_token_of_an_account_is_verified_at_the_account() -> None:
    world = World()
    world.cloudflare.add_token(OTHER_TOKEN, account_id=ACCOUNT)

    status = await world.client_with(OTHER_TOKEN).verify_token(ACCOUNT)

    assert status.is_active
