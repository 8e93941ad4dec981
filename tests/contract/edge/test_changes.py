"""A change reaches the edge later than the API, and connections that were opened before it later still."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from testbed.cloudflare.edge.settings import EdgeSettings, OldConnections
from tests.contract.cloudflare_simulation.world import ZONE
from tests.contract.edge.clients import Identity, authority, client_context, get, identity
from tests.contract.edge.world import HOSTNAME, EdgeWorld, edge_world

ROOT, OTHER = authority("Root"), authority("Other root")
CLIENT = identity("client", ROOT)


@pytest.fixture
def late() -> Iterator[EdgeWorld]:
    """An edge that hears of lists 20 s and of rules 5 s after the API."""
    with edge_world(EdgeSettings(lists_delay=20, rules_delay=5)) as made:
        yield made


def _are_of_one_connection(first: httpx.Response, second: httpx.Response) -> bool:
    return first.extensions["network_stream"] is second.extensions["network_stream"]


def _status_after(world: EdgeWorld, seconds: float, who: Identity | None = None) -> int:
    """The status that a new connection gets after so many more seconds."""
    world.cloudflare.clock.advance(seconds)
    return world.site.get(HOSTNAME, who).status_code


def test_a_rule_reaches_the_edge_after_its_delay(late: EdgeWorld) -> None:
    late.guard()

    statuses = [_status_after(late, seconds) for seconds in (0, 4, 1)]

    assert statuses == [200, 200, 403]


def test_an_association_reaches_the_edge_after_its_own_delay(late: EdgeWorld) -> None:
    late.trust(ROOT)
    late.guard()

    statuses = [_status_after(late, seconds, CLIENT) for seconds in (0, 5, 14, 1)]

    assert statuses == [200, 403, 403, 200]


def test_a_removed_association_stays_in_force_at_the_edge_for_as_long(late: EdgeWorld) -> None:
    certificate_id = late.trust(ROOT)
    late.guard()
    late.cloudflare.clock.advance(60)
    late.cloudflare.associate(certificate_id)

    statuses = [_status_after(late, seconds, CLIENT) for seconds in (19, 1)]

    assert statuses == [200, 403]


def test_data_centres_that_are_behind_by_different_times_can_be_asked(late: EdgeWorld) -> None:
    late.cloudflare.clock.advance(60)
    late.trust(ROOT)
    late.guard()
    late.cloudflare.clock.advance(10)

    verdicts = {
        (lists, rules): late.edge.visit(
            HOSTNAME, CLIENT.chain, known=late.edge.replica(lists_age=lists, rules_age=rules)
        )
        for lists in (0, 20)
        for rules in (0, 20)
    }

    assert {ages: verdict.passed for ages, verdict in verdicts.items()} == {
        (0, 0): True,
        (0, 20): True,
        (20, 0): False,
        (20, 20): True,
    }


def test_what_somebody_else_does_is_late_as_well(late: EdgeWorld) -> None:
    late.cloudflare.simulation.add_foreign_rule(ZONE, expression="true", settled=False)

    before = late.site.get(HOSTNAME)
    late.cloudflare.clock.advance(5)
    after = late.site.get(HOSTNAME)

    assert (before.status_code, after.status_code) == (200, 403)


def test_what_was_always_there_is_known_at_once(late: EdgeWorld) -> None:
    late.cloudflare.simulation.add_foreign_rule(ZONE, expression="true", settled=True)

    assert late.site.get(HOSTNAME).status_code == 403


@pytest.mark.parametrize("old", OldConnections)
def test_a_connection_from_before_the_association_has_no_certificate_until_the_client_reconnects(
    old: OldConnections,
) -> None:
    with edge_world(EdgeSettings(old_connections=old)) as world, world.site.client(CLIENT) as client:
        first = get(client, HOSTNAME)
        world.trust(ROOT)
        world.guard()

        second = get(client, HOSTNAME)
        reconnected = world.site.get(HOSTNAME, CLIENT)

    assert _are_of_one_connection(first, second)
    assert [answer.status_code for answer in (first, second, reconnected)] == [200, 403, 200]


@pytest.mark.parametrize(("old", "status"), [(OldConnections.AS_OPENED, 200), (OldConnections.VERIFIED_AGAIN, 403)])
def test_what_a_certificate_is_worth_after_its_ca_is_gone_is_a_choice(old: OldConnections, status: int) -> None:
    with edge_world(EdgeSettings(old_connections=old)) as world, world.site.client(CLIENT) as client:
        certificate_id = world.trust(ROOT)
        world.trust(OTHER)
        world.guard()
        first = get(client, HOSTNAME)
        world.cloudflare.associate(certificate_id)

        second = get(client, HOSTNAME)
        reconnected = world.site.get(HOSTNAME, CLIENT)

    assert _are_of_one_connection(first, second)
    assert [answer.status_code for answer in (first, second, reconnected)] == [200, status, 403]


@pytest.mark.parametrize(("old", "status"), [(OldConnections.AS_OPENED, 403), (OldConnections.VERIFIED_AGAIN, 200)])
def test_whether_a_ca_that_came_later_helps_an_open_connection_is_the_same_choice(
    old: OldConnections, status: int
) -> None:
    with edge_world(EdgeSettings(old_connections=old)) as world, world.site.client(CLIENT) as client:
        world.trust(OTHER)
        world.guard()
        first = get(client, HOSTNAME)
        world.trust(ROOT)

        second = get(client, HOSTNAME)

    assert _are_of_one_connection(first, second)
    assert [answer.status_code for answer in (first, second)] == [403, status]


def test_rules_count_from_when_they_arrive_also_on_open_connections(world: EdgeWorld) -> None:
    with world.site.client() as client:
        first = get(client, HOSTNAME)
        world.guard()

        second = get(client, HOSTNAME)

    assert _are_of_one_connection(first, second)
    assert [answer.status_code for answer in (first, second)] == [200, 403]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_is_resumed(world: EdgeWorld, version: ssl.TLSVersion) -> None:
    world.trust(ROOT)
    context = client_context(world.site.trusted, CLIENT)
    context.maximum_version = version
    first, _ = _visit(world, context, None)

    _, reused = _visit(world, context, first)

    assert not reused


def _visit(
    world: EdgeWorld, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[ssl.SSLSession | None, bool | None]:
    """One request of a client that would like to resume a session; its session, and whether it was resumed."""
    with (
        socket.create_connection(("127.0.0.1", world.site.port)) as plain,
        context.wrap_socket(plain, server_hostname=HOSTNAME, session=session) as tls,
    ):
        tls.sendall(b"GET / HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n")
        tls.recv(4096)
        return tls.session, tls.session_reused
