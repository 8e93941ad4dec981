"""The simulation shows every handled request to the invariant monitor."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from testbed.cloudflare.faults import AnswerStatus, Cut, Fault, Moment
from testbed.cloudflare.server import CloudflareServer
from testbed.cloudflare.simulation import CloudflareSimulation
from tests.contract.cloudflare_simulation.world import HOST, PHASE, TOKEN, ZONE, World, ca, make_world

LISTS = f"/zones/{ZONE}/certificate_authorities/hostname_associations"
OWNED = "owned-" + "2" * 34


@pytest.fixture
def server(world: World) -> Iterator[CloudflareServer]:
    """The world behind a server on a free port."""
    with CloudflareServer(world.simulation) as running:
        yield running


def test_a_request_on_the_list_of_the_managed_ca_is_a_violation(world: World) -> None:
    world.raw().put(LISTS, json={"hostnames": []})

    assert _invariants(world.simulation) == [1]


def test_replacing_a_ruleset_that_exists_is_a_violation(world: World) -> None:
    world.foreign_rules("theirs")
    world.clock.advance(600)
    world.simulation.add_token(OWNED, owner="cluster-a")

    world.client_with(OWNED).rulesets.phases.update(PHASE, zone_id=ZONE, rules=[])

    assert 9 in _invariants(world.simulation)


def test_a_private_key_in_an_upload_is_a_violation(world: World) -> None:
    root = ca()

    world.raw().post("/accounts/x/mtls_certificates", json={"certificates": root.pem + root.key_pem})

    assert set(_invariants(world.simulation)) == {4}


def test_a_request_whose_answer_is_lost_is_judged(world: World) -> None:
    world.simulation.faults.add(Fault(Cut(Moment.AFTER)))

    with pytest.raises(httpx.ReadError):
        world.raw().put(LISTS, json={"hostnames": []})

    assert _invariants(world.simulation) == [1]


def test_a_request_that_was_not_handled_is_not_judged(world: World) -> None:
    world.simulation.faults.add(Fault(AnswerStatus(500)))

    world.raw().put(LISTS, json={"hostnames": []})

    assert _invariants(world.simulation) == []


def test_honest_work_violates_nothing(world: World) -> None:
    certificate_id = world.upload(ca())
    world.associate(certificate_id, "a.example.com")
    world.foreign_rules("theirs")
    world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST)

    assert world.simulation.monitor.finish() == []


def test_each_simulation_has_a_monitor_of_its_own() -> None:
    make_world().raw().put(LISTS, json={"hostnames": []})

    assert make_world().simulation.monitor.violations == []


def test_control_shows_violations_and_gives_a_verdict(server: CloudflareServer) -> None:
    httpx.put(f"{server.url}{LISTS}", json={"hostnames": []}, headers={"authorization": f"Bearer {TOKEN}"})

    violations = httpx.get(f"{server.origin}/simulation/violations").json()
    verdict = httpx.post(f"{server.origin}/simulation/verdict").json()

    assert len(violations) == 1
    assert violations[0].startswith("invariant 1,")
    assert verdict == violations


def _invariants(simulation: CloudflareSimulation) -> list[int]:
    return [violation.invariant for violation in simulation.monitor.violations]
