"""Tokens: who is let in, and what for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import cloudflare
import pytest

from testbed.cloudflare.access import ALL_PERMISSIONS
from tests.contract.cloudflare_simulation.world import (
    ACCOUNT,
    HOST,
    OTHER_ACCOUNT,
    OTHER_ZONE,
    PHASE,
    ZONE,
    World,
    ca,
    code,
)

TOKEN = "limited-" + "1" * 32
CERTIFICATE = "00000000-0000-4000-a000-000000000000"
HEX = "0" * 32
Request = Callable[[cloudflare.Cloudflare], object]

NEEDS: list[tuple[str, Request]] = [
    ("zone:read", lambda client: client.zones.get(zone_id=ZONE)),
    ("ssl_certs:read", lambda client: client.mtls_certificates.list(account_id=ACCOUNT)),
    ("ssl_certs:read", lambda client: client.mtls_certificates.get(CERTIFICATE, account_id=ACCOUNT)),
    ("ssl_certs:read", lambda client: client.mtls_certificates.associations.get(CERTIFICATE, account_id=ACCOUNT)),
    (
        "ssl_certs:edit",
        lambda client: client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=ca().pem),
    ),
    ("ssl_certs:edit", lambda client: client.mtls_certificates.delete(CERTIFICATE, account_id=ACCOUNT)),
    ("zone_ssl:read", lambda client: client.certificate_authorities.hostname_associations.get(zone_id=ZONE)),
    (
        "zone_ssl:edit",
        lambda client: client.certificate_authorities.hostname_associations.update(zone_id=ZONE, hostnames=[]),
    ),
    ("waf:read", lambda client: client.rulesets.phases.get(PHASE, zone_id=ZONE)),
    ("waf:read", lambda client: client.rulesets.get(HEX, zone_id=ZONE)),
    (
        "waf:edit",
        lambda client: client.rulesets.create(zone_id=ZONE, kind="zone", name="default", phase=PHASE, rules=[]),
    ),
    (
        "waf:edit",
        lambda client: client.rulesets.rules.create(HEX, zone_id=ZONE, action="block", expression=HOST),
    ),
    (
        "waf:edit",
        lambda client: client.rulesets.rules.edit(HEX, ruleset_id=HEX, zone_id=ZONE, action="block", expression=HOST),
    ),
    ("waf:edit", lambda client: client.rulesets.rules.delete(HEX, ruleset_id=HEX, zone_id=ZONE)),
    (
        "waf:edit",
        lambda client: client.rulesets.phases.update(PHASE, zone_id=ZONE, rules=[]),
    ),
    ("firewall:read", lambda client: client.firewall.access_rules.list(zone_id=ZONE)),
    ("account_firewall:read", lambda client: client.firewall.access_rules.list(account_id=ACCOUNT)),
    ("dns:read", lambda client: client.dns.records.list(zone_id=ZONE)),
]


@pytest.mark.parametrize(("permission", "request_with"), NEEDS)
def test_a_token_without_the_permission_is_refused(world: World, permission: str, request_with: Request) -> None:
    implied = {permission, permission.replace(":read", ":edit")}
    world.simulation.add_token(TOKEN, permissions=ALL_PERMISSIONS - implied)

    with pytest.raises(cloudflare.PermissionDeniedError) as refused:
        request_with(world.client_with(TOKEN))

    assert code(refused.value) in {9109, 10000}


@pytest.mark.parametrize(("permission", "request_with"), NEEDS)
def test_the_one_permission_suffices(world: World, permission: str, request_with: Request) -> None:
    world.simulation.add_token(TOKEN, permissions=[permission], label="one")
    client = world.client_with(TOKEN)

    with contextlib.suppress(cloudflare.NotFoundError):  # what is asked for is not there, which is told only now
        request_with(client)

    assert world.simulation.log[-1].status != 403


def test_edit_includes_read(world: World) -> None:
    world.simulation.add_token(TOKEN, permissions=["ssl_certs:edit"])

    assert list(world.client_with(TOKEN).mtls_certificates.list(account_id=ACCOUNT)) == []


def test_a_permission_for_one_zone_does_not_hold_for_another(world: World) -> None:
    world.simulation.add_token(TOKEN, permissions={ZONE: ["zone:read"]})
    client = world.client_with(TOKEN)

    with pytest.raises(cloudflare.PermissionDeniedError):
        client.zones.get(zone_id=OTHER_ZONE)

    assert client.zones.get(zone_id=ZONE) is not None


def test_a_permission_for_an_account_holds_for_its_zones_only(world: World) -> None:
    world.simulation.add_token(TOKEN, permissions={OTHER_ACCOUNT: ["zone:read"]})

    visible = [zone.name for zone in world.client_with(TOKEN).zones.list()]

    assert visible == ["example.org"]


def test_a_zone_that_the_token_cannot_see_is_missing_from_the_list_without_an_error(world: World) -> None:
    world.simulation.add_token(TOKEN, permissions={OTHER_ZONE: ["zone:read"]})

    assert list(world.client_with(TOKEN).zones.list(name="example.com")) == []


def test_an_unknown_token_is_refused(world: World) -> None:
    with pytest.raises(cloudflare.AuthenticationError) as refused:
        world.client_with("unknown-" + "9" * 32).mtls_certificates.list(account_id=ACCOUNT)

    assert code(refused.value) == 10000


def test_an_unknown_token_is_refused_by_zones_as_an_invalid_access_token(world: World) -> None:
    with pytest.raises(cloudflare.PermissionDeniedError) as refused:
        world.client_with("unknown-" + "9" * 32).zones.list()

    assert code(refused.value) == 9109


def test_an_unknown_token_cannot_be_verified(world: World) -> None:
    with pytest.raises(cloudflare.AuthenticationError) as refused:
        world.client_with("unknown-" + "9" * 32).user.tokens.verify()

    assert code(refused.value) == 1000


def test_a_malformed_token_is_a_bad_request(world: World) -> None:
    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client_with("with spaces").user.tokens.verify()

    assert code(refused.value) == 6003


def test_a_request_without_a_token_is_a_bad_request(world: World) -> None:
    answer = world.raw(token=None).get("/zones")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 9106)


def test_a_good_token_verifies_as_active(world: World) -> None:
    verified = world.client.user.tokens.verify()

    assert verified is not None
    assert verified.status == "active"


def test_an_expired_token_says_so_when_verified_and_is_refused_elsewhere(world: World) -> None:
    world.simulation.add_token(TOKEN, expires_on=world.clock() + 60)
    client = world.client_with(TOKEN)
    world.clock.advance(60)

    verified = client.user.tokens.verify()

    assert verified is not None
    assert verified.status == "expired"
    with pytest.raises(cloudflare.AuthenticationError):
        client.mtls_certificates.list(account_id=ACCOUNT)


def test_a_disabled_token_is_refused(world: World) -> None:
    world.simulation.add_token(TOKEN, disabled=True)

    with pytest.raises(cloudflare.AuthenticationError):
        world.client_with(TOKEN).rulesets.phases.get(PHASE, zone_id=ZONE)


def test_a_fresh_token_is_refused_for_a_while(world: World) -> None:
    world.simulation.add_token(TOKEN, fresh_for=20)
    client = world.client_with(TOKEN)

    world.clock.advance(19.9)
    with pytest.raises(cloudflare.PermissionDeniedError):
        client.zones.get(zone_id=ZONE)
    world.clock.advance(0.1)

    assert client.zones.get(zone_id=ZONE) is not None


def test_an_account_owned_token_is_verified_at_its_account_only(world: World) -> None:
    world.simulation.add_token(TOKEN, account_id=ACCOUNT)
    client = world.client_with(TOKEN)

    verified = client.accounts.tokens.verify(account_id=ACCOUNT)

    assert verified is not None
    assert verified.status == "active"
    with pytest.raises(cloudflare.AuthenticationError):
        client.user.tokens.verify()
    with pytest.raises(cloudflare.AuthenticationError):
        client.accounts.tokens.verify(account_id=OTHER_ACCOUNT)
