"""Who gets through to a hostname that is associated and guarded: real TLS clients with certificates of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import httpx
import pytest

from tests.contract.edge.clients import (
    FOR_ANYTHING,
    FOR_CLIENTS,
    FOR_SERVERS,
    Identity,
    authority,
    identity,
    usage,
)
from tests.contract.edge.world import HOSTNAME, EdgeWorld

ROOT = authority("Root")
OTHER = authority("Other root")
NAMESAKE = Identity(ROOT.certificate, authority("Namesake").key)
INTERMEDIATE = authority("Intermediate", ROOT)
RSA_ROOT = authority("RSA root", key="rsa")

CLIENTS: Mapping[str, Callable[[], Identity | None]] = {
    "nobody": lambda: None,
    "self-signed": lambda: identity("stranger"),
    "of another CA": lambda: identity("stranger", OTHER),
    "of a CA with the same name": lambda: identity("stranger", NAMESAKE),
    "good": lambda: identity("client", ROOT),
    "good, RSA": lambda: identity("client", ROOT, key="rsa"),
    "good, for clients": lambda: identity("client", ROOT, extensions=[FOR_CLIENTS]),
    "good, signing": lambda: identity("client", ROOT, extensions=[(usage(signatures=True), True)]),
    "good, sends its root too": lambda: identity("client", ROOT).sending(ROOT),
    "good, sends a stranger too": lambda: identity("client", ROOT).sending(OTHER),
    "for servers": lambda: identity("server", ROOT, extensions=[FOR_SERVERS]),
    "for anything": lambda: identity("server", ROOT, extensions=[FOR_ANYTHING]),
    "enciphering only": lambda: identity("client", ROOT, extensions=[(usage(encipherment=True), True)]),
    "expired": lambda: identity("client", ROOT, ends=timedelta(days=-1)),
    "not yet valid": lambda: identity("client", ROOT, begins=timedelta(days=1)),
    "of an intermediate, sent": lambda: identity("client", INTERMEDIATE).sending(INTERMEDIATE),
    "of an intermediate, not sent": lambda: identity("client", INTERMEDIATE),
    "of another client": lambda: identity("client of a client", identity("client", ROOT)).sending(
        identity("client", ROOT)
    ),
}


@pytest.mark.parametrize(
    ("client", "verified"),
    [
        ("nobody", False),
        ("self-signed", False),
        ("of another CA", False),
        ("of a CA with the same name", False),
        ("good", True),
        ("good, RSA", True),
        ("good, for clients", True),
        ("good, signing", True),
        ("good, sends its root too", True),
        ("good, sends a stranger too", True),
        ("for servers", False),
        ("for anything", False),
        ("enciphering only", False),
        ("expired", False),
        ("not yet valid", False),
        ("of an intermediate, sent", True),
        ("of an intermediate, not sent", False),
        ("of another client", False),
    ],
)
def test_an_unpinned_rule_lets_through_whoever_verifies(world: EdgeWorld, client: str, verified: bool) -> None:
    world.trust(ROOT)
    world.guard()

    answer = world.get(HOSTNAME, CLIENTS[client]())

    assert answer.status_code == (200 if verified else 403)


@pytest.mark.parametrize(
    ("client", "passes"),
    [("good", True), ("of an intermediate, sent", False), ("nobody", False), ("of another CA", False)],
)
def test_a_pinned_rule_lets_through_only_clients_of_the_pinned_issuer(
    world: EdgeWorld, client: str, passes: bool
) -> None:
    world.trust(ROOT)
    world.guard(ROOT)

    answer = world.get(HOSTNAME, CLIENTS[client]())

    assert answer.status_code == (200 if passes else 403)


def test_an_intermediate_that_is_pinned_and_sent_gets_its_clients_through(world: EdgeWorld) -> None:
    world.trust(ROOT)
    world.guard(ROOT, INTERMEDIATE)

    answer = world.get(HOSTNAME, CLIENTS["of an intermediate, sent"]())

    assert answer.status_code == 200


def test_an_intermediate_in_the_bundle_need_not_be_sent(world: EdgeWorld) -> None:
    world.trust(ROOT, INTERMEDIATE)
    world.guard(ROOT, INTERMEDIATE)

    answer = world.get(HOSTNAME, CLIENTS["of an intermediate, not sent"]())

    assert answer.status_code == 200


def test_each_ca_of_a_bundle_counts(world: EdgeWorld) -> None:
    world.trust(ROOT, OTHER)
    world.guard(ROOT, OTHER)

    answers = [world.get(HOSTNAME, identity("client", issuer)) for issuer in (ROOT, OTHER)]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_an_rsa_ca_serves_as_well(world: EdgeWorld) -> None:
    world.trust(RSA_ROOT)
    world.guard(RSA_ROOT)

    answer = world.get(HOSTNAME, identity("client", RSA_ROOT, key="rsa"))

    assert answer.status_code == 200


def test_a_certificate_that_does_not_verify_does_not_end_the_handshake(world: EdgeWorld) -> None:
    world.trust(ROOT)

    answer = world.get(HOSTNAME, CLIENTS["self-signed"]())

    assert answer.status_code == 200
    assert answer.headers["x-simulated-origin"] == "reached"


def test_a_hostname_without_association_asks_for_no_certificate(world: EdgeWorld) -> None:
    world.trust(ROOT)
    world.block("cf.tls_client_auth.cert_presented")

    answers = {name: world.get(name, CLIENTS["good"]()) for name in (HOSTNAME, "b.example.com")}

    assert {name: answer.status_code for name, answer in answers.items()} == {HOSTNAME: 403, "b.example.com": 200}


def test_without_a_rule_an_association_keeps_nobody_out(world: EdgeWorld) -> None:
    world.trust(ROOT)

    answer = world.get(HOSTNAME)

    assert answer.status_code == 200


def test_a_rule_without_an_association_keeps_everybody_out(world: EdgeWorld) -> None:
    world.guard(ROOT)

    answer = world.get(HOSTNAME, CLIENTS["good"]())

    assert answer.status_code == 403


def test_a_revoked_serial_is_kept_out_by_a_rule_for_it(world: EdgeWorld) -> None:
    world.trust(ROOT)
    world.guard(ROOT)
    serial = 0x0A0B0C0D0E0F1011
    world.block('cf.tls_client_auth.cert_serial in {"0A0B0C0D0E0F1011"}')

    answers = [world.get(HOSTNAME, identity("client", ROOT, serial=number)) for number in (serial, serial + 1)]

    assert [answer.status_code for answer in answers] == [403, 200]


def test_a_client_is_verified_by_the_time_of_the_simulation(world: EdgeWorld) -> None:
    world.trust(ROOT)
    world.guard(ROOT)
    client = identity("client", ROOT, ends=timedelta(days=2))

    before = world.get(HOSTNAME, client)
    world.cloudflare.clock.advance(3 * 86400)
    after = world.get(HOSTNAME, client)

    assert (before.status_code, after.status_code) == (200, 403)


@pytest.mark.parametrize("hostname", ["a.example.net", "a.example.com.example.net"])
def test_a_server_name_of_no_zone_fails_the_handshake(world: EdgeWorld, hostname: str) -> None:
    with pytest.raises(httpx.ConnectError, match="HANDSHAKE_FAILURE"):
        world.site.get(hostname)
