"""Real TLS clients without a socket, asked thousands of times in virtual time."""

from __future__ import annotations

import ssl

import pytest

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.in_memory import EdgeInMemory
from testbed.cloudflare.edge.server_certificates import ServerCertificates
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.settings import Settings
from tests.contract.cloudflare_simulation.world import ACCOUNT, ZONE, World, make_world
from tests.contract.edge.clients import Identity, authority, client_context, identity
from tests.contract.edge.world import HOSTNAME, guard_expression

ROOT, OTHER = authority("Root"), authority("Other root")
CERTIFICATES = ServerCertificates()
GOOD = client_context(CERTIFICATES.authority_pem, identity("client", ROOT))
BAD = client_context(CERTIFICATES.authority_pem, identity("client", OTHER))
NOBODY = client_context(CERTIFICATES.authority_pem)


@pytest.fixture
def world() -> World:
    """A Cloudflare whose edge may be 60 s behind."""
    return make_world(Settings(edge=EdgeSettings(lists_delay=60, rules_delay=60)))


@pytest.fixture
def edge(world: World) -> EdgeInMemory:
    """A data centre that is not behind."""
    return data_centre(world)


def data_centre(world: World, delay: float = 0.0) -> EdgeInMemory:
    settings = EdgeSettings(lists_delay=delay, rules_delay=delay)
    return EdgeInMemory(Edge(world.simulation, settings), CERTIFICATES)


def trust(world: World, ca: Identity) -> str:
    certificate_id = world.simulation.add_certificate(ACCOUNT, ca.pem)
    world.simulation.put_foreign_hostnames(ZONE, certificate_id, [HOSTNAME])
    return certificate_id


def test_a_client_gets_what_it_would_get_over_a_socket(world: World, edge: EdgeInMemory) -> None:
    trust(world, ROOT)
    world.simulation.add_foreign_rule(ZONE, expression=guard_expression(HOSTNAME))

    answers = [edge.ask(client, HOSTNAME) for client in (GOOD, BAD, NOBODY)]

    assert [(answer.status, answer.passed, answer.verified) for answer in answers] == [
        (200, True, True),
        (403, False, False),
        (403, False, False),
    ]
    assert answers[0].body == b"the origin of a.example.com\n"


def test_a_refused_handshake_is_an_error_in_place_of_an_answer(edge: EdgeInMemory) -> None:
    answer = edge.ask(GOOD, "a.example.net")

    assert (answer.status, answer.passed) == (0, False)
    assert "HANDSHAKE_FAILURE" in str(answer.error)


def test_a_client_that_does_not_trust_the_edge_gets_no_answer(edge: EdgeInMemory) -> None:
    answer = edge.ask(ssl.create_default_context(), HOSTNAME)

    assert "CERTIFICATE_VERIFY_FAILED" in str(answer.error)


def test_each_question_is_asked_as_on_a_new_connection(world: World, edge: EdgeInMemory) -> None:
    world.simulation.add_foreign_rule(ZONE, expression=guard_expression(HOSTNAME))
    before = edge.ask(GOOD, HOSTNAME)
    certificate_id = trust(world, ROOT)
    with_root = edge.ask(GOOD, HOSTNAME)
    trust(world, OTHER)
    world.simulation.put_foreign_hostnames(ZONE, certificate_id, [])

    with_other = edge.ask(GOOD, HOSTNAME)

    assert [answer.status for answer in (before, with_root, with_other)] == [403, 200, 403]


def test_a_connection_that_is_kept_stays_what_it_was(world: World, edge: EdgeInMemory) -> None:
    certificate_id = trust(world, ROOT)
    world.simulation.add_foreign_rule(ZONE, expression=guard_expression(HOSTNAME))
    kept = edge.connect(GOOD, HOSTNAME)
    first = kept.ask()
    world.simulation.put_foreign_hostnames(ZONE, certificate_id, [])

    second = kept.ask()

    assert (first.status, second.status, edge.ask(GOOD, HOSTNAME).status) == (200, 200, 403)


def test_data_centres_can_be_behind_by_different_times(world: World) -> None:
    world.clock.advance(120)
    world.simulation.add_foreign_rule(ZONE, expression="true", settled=False)
    world.clock.advance(30)

    statuses = [data_centre(world, delay).ask(NOBODY, HOSTNAME).status for delay in (0, 30, 31, 60)]

    assert statuses == [403, 403, 200, 200]


def test_other_parts_of_a_request_can_be_chosen(world: World, edge: EdgeInMemory) -> None:
    expression = 'http.request.method eq "HEAD" and http.host eq "b.example.com" and ip.src eq 203.0.113.7'
    world.simulation.add_foreign_rule(ZONE, expression=f'{expression} and http.request.uri.path eq "/x"')

    other = edge.ask(NOBODY, HOSTNAME, host="b.example.com", target="/x", method="HEAD", source="203.0.113.8")
    chosen = edge.ask(NOBODY, HOSTNAME, host="b.example.com", target="/x", method="HEAD", source="203.0.113.7")

    assert (other.status, chosen.status) == (200, 403)


def test_a_connection_that_has_been_closed_is_not_asked_again(edge: EdgeInMemory) -> None:
    statuses = [edge.ask(NOBODY, HOSTNAME, headers=[("connection", "close")]).status for _ in range(2)]

    assert statuses == [200, 200]
    closed = edge.connect(NOBODY, HOSTNAME)
    closed.ask(headers=[("connection", "close")])
    assert not closed.usable
