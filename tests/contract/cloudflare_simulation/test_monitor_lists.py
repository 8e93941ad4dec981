"""Invariant 3: what may leave a hostname list."""

import pytest

from testbed.cloudflare.monitor.case import SENT_HEADER
from tests.contract.cloudflare_simulation.monitored import LIST, LONG, Monitored, hosts, make_monitored
from tests.contract.cloudflare_simulation.world import ZONE

HOST = "a.example.com"


@pytest.fixture
def world() -> Monitored:
    return make_monitored()


def test_taking_off_what_is_claimed_as_leaving_is_fine(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.east.claim("leaving", world.certificate, HOST)

    world.east.put(world.certificate)

    assert world.violated == []


def test_taking_off_what_another_installation_claims_as_leaving_is_fine(world: Monitored) -> None:
    world.west.put(world.certificate, HOST)
    world.west.claim("leaving", world.certificate, HOST)
    world.wait()

    world.east.put(world.certificate)

    assert world.violated == []


@pytest.mark.parametrize(("sent_before", "violated"), [(5.0, []), (-1.0, [3])])
def test_taking_off_what_the_caller_claims_is_fine_only_in_a_request_that_was_sent_before(
    world: Monitored, sent_before: float, violated: list[int]
) -> None:
    world.east.claim("arriving", world.certificate, HOST)
    claimed_at = world.clock()
    world.east.put(world.certificate, HOST)

    body = {"hostnames": [], "mtls_certificate_id": world.certificate}
    world.east.http.put(LIST, json=body, headers={SENT_HEADER: str(claimed_at - sent_before)})

    assert world.violated == violated


def test_taking_off_what_was_claimed_once_and_never_as_leaving_violates_invariant_3(world: Monitored) -> None:
    claim = world.east.claim("held", world.certificate, HOST)
    world.east.drop(claim)
    world.east.put(world.certificate, HOST)
    world.wait()

    world.east.put(world.certificate)

    assert world.violated == [3]
    assert "nobody claims it as leaving" in str(world.monitor.violations[0])


def test_taking_off_what_was_claimed_as_leaving_a_moment_ago_is_fine(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.wait()
    rule = world.west.claim("leaving", world.certificate, HOST)
    world.west.drop(rule)
    world.wait(10)

    world.east.put(world.certificate)

    assert world.violated == []


def test_taking_off_what_was_claimed_as_leaving_long_ago_violates_invariant_3(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    rule = world.east.claim("leaving", world.certificate, HOST)
    world.east.drop(rule)
    world.wait()

    world.east.put(world.certificate)

    assert world.violated == [3]


@pytest.mark.parametrize("state", ["held", "arriving"])
def test_taking_off_what_the_installation_itself_claims_otherwise_violates_invariant_3(
    world: Monitored, state: str
) -> None:
    world.east.claim(state, world.certificate, HOST)
    world.east.put(world.certificate, HOST)

    world.east.put(world.certificate)

    assert world.violated == [3]


@pytest.mark.parametrize("state", ["held", "arriving"])
def test_taking_off_what_another_installation_has_long_claimed_violates_invariant_3(
    world: Monitored, state: str
) -> None:
    world.east.put(world.certificate, HOST)
    world.east.claim("leaving", world.certificate, HOST)
    world.west.claim(state, world.certificate, HOST)
    world.wait()

    world.east.put(world.certificate)

    assert world.violated == [3]


def test_taking_off_what_another_installation_claimed_just_now_is_no_violation(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.east.claim("leaving", world.certificate, HOST)
    world.west.claim("arriving", world.certificate, HOST)

    world.east.put(world.certificate)

    assert world.violated == []


def test_a_claim_for_another_certificate_does_not_count(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.east.claim("leaving", world.certificate.replace("a", "b"), HOST)
    world.wait()

    world.east.put(world.certificate)

    assert world.violated == [3]


def test_taking_off_a_hostname_that_was_there_before_any_installation_violates_invariant_3(world: Monitored) -> None:
    world.simulation.put_foreign_hostnames(ZONE, world.certificate, ["foreign.example.com"])

    world.east.put(world.certificate, HOST)

    assert world.violated == [3]
    assert "takes foreign.example.com off the list" in str(world.monitor.violations[0])
    assert "it is foreign" in str(world.monitor.violations[0])


def test_a_hostname_that_a_person_added_long_ago_is_foreign_too(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.person.put(world.certificate, HOST, "foreign.example.com")
    world.wait()

    world.east.put(world.certificate, HOST)

    assert world.violated == [3]


def test_losing_a_race_against_a_person_is_no_violation(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.person.put(world.certificate, HOST, "foreign.example.com")

    world.east.put(world.certificate, HOST)

    assert world.violated == []


def test_losing_a_race_against_an_installation_that_arrives_is_no_violation(world: Monitored) -> None:
    world.west.claim("arriving", world.certificate, HOST)
    world.west.put(world.certificate, HOST)

    world.east.put(world.certificate)

    assert world.violated == []


def test_keeping_foreign_hostnames_is_fine(world: Monitored) -> None:
    world.simulation.put_foreign_hostnames(ZONE, world.certificate, ["foreign.example.com"])

    world.east.put(world.certificate, HOST, "foreign.example.com")

    assert world.violated == []


def test_a_person_may_take_off_anything(world: Monitored) -> None:
    world.simulation.put_foreign_hostnames(ZONE, world.certificate, ["foreign.example.com"])

    world.person.put(world.certificate)

    assert world.violated == []


@pytest.mark.parametrize(
    "description", ["mtls-operator/2 claim", "mtls-operator/1 claim owner=west", "mtls-operator/1 unknown"]
)
def test_taking_off_what_an_unreadable_mark_names_violates_invariant_3(world: Monitored, description: str) -> None:
    world.simulation.add_foreign_rule(ZONE, expression=f"({hosts(HOST)})", description=description)
    world.simulation.put_foreign_hostnames(ZONE, world.certificate, [HOST])
    world.east.claim("leaving", world.certificate, HOST)

    world.east.put(world.certificate)

    assert world.violated == [3]


@pytest.mark.parametrize(("seconds", "violated"), [(10, []), (LONG, [3])])
def test_an_unreadable_mark_counts_once_it_had_to_be_known(
    world: Monitored, seconds: float, violated: list[int]
) -> None:
    world.east.put(world.certificate, HOST)
    world.east.claim("leaving", world.certificate, HOST)
    world.simulation.add_foreign_rule(ZONE, expression=f"({hosts(HOST)})", description="mtls-operator/2 claim")
    world.west.claim("arriving", world.certificate, "b.example.com")
    world.wait(seconds)

    world.east.put(world.certificate)

    assert world.violated == violated


def test_a_refused_attempt_takes_nothing_off(world: Monitored) -> None:
    world.simulation.put_foreign_hostnames(ZONE, world.certificate, [HOST])

    world.east.http.put(LIST, json={"hostnames": ["elsewhere.test"], "mtls_certificate_id": world.certificate})

    assert world.violated == []
