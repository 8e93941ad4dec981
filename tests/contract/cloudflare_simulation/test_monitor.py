"""How the monitor sees and says things."""

import logging

import pytest

from testbed.cloudflare.expressions import parse
from testbed.cloudflare.monitor.marks import Guard, read_guard
from tests.contract.cloudflare_simulation.monitored import LIST, ROOT, Monitored, make_monitored, pinned


@pytest.fixture
def world() -> Monitored:
    return make_monitored()


WITHOUT_AN_ID = {"hostnames": ["a.example.com"]}


def test_a_violation_names_the_invariant_and_the_request(world: Monitored) -> None:
    world.east.put(world.certificate, "a.example.com")
    world.east.http.put(LIST, json=WITHOUT_AN_ID)

    assert str(world.monitor.violations[0]).startswith(
        f"invariant 1, request 1 (PUT /client/v4{LIST}): a write of associations without"
    )


def test_a_violation_is_logged_at_once(world: Monitored, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "testbed.cloudflare.monitor"):
        world.east.http.put(LIST, json=WITHOUT_AN_ID)

    assert "SAFETY INVARIANT VIOLATED: invariant 1" in caplog.text


def test_a_violation_never_shows_a_token(world: Monitored) -> None:
    world.east.http.put(LIST, json=WITHOUT_AN_ID)

    assert world.violated == [1]
    assert "token-of-east" not in repr(world.monitor.violations)


def test_a_token_that_nobody_knows_belongs_to_no_installation(world: Monitored) -> None:
    world.east.http.headers["authorization"] = "Bearer unknown"

    world.east.http.delete(f"/accounts/{'a' * 32}/mtls_certificates/{world.certificate}")

    assert world.violated == []


@pytest.mark.parametrize(
    ("host", "verified", "issuer"),
    [
        ("a.example.com", True, ROOT.key_identifier),
        ("a.example.com", True, "AB12"),
        ("a.example.com", False, ""),
        ("c.example.com", False, ""),
    ],
    ids=["its issuer", "another issuer", "no certificate", "another host"],
)
def test_a_guard_is_read_as_the_edge_evaluates_it(host: str, verified: bool, issuer: str) -> None:
    expression = pinned("a.example.com", "b.example.com")
    guard = read_guard(expression) or Guard(frozenset(), frozenset())
    fields = {
        "http.host": host,
        "cf.tls_client_auth.cert_verified": verified,
        "cf.tls_client_auth.cert_issuer_ski": issuer,
    }

    blocked = host in guard.hostnames and not (verified and guard.accepts(frozenset({issuer})))

    assert parse(expression).evaluate(fields) is blocked
