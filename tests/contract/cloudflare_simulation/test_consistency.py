"""Reads that are older than the truth, and writes that never are."""

from __future__ import annotations

import pytest

from testbed.cloudflare.settings import Consistency, Kind, Settings, Staleness
from tests.contract.cloudflare_simulation.world import ACCOUNT, HOST, PHASE, ZONE, World, ca, make_world


def lagging(*kinds: Kind) -> World:
    """A world in which reads of these kinds are always 30 s old, with one rule that has been there for ever."""
    world = make_world(Settings(consistency=Consistency(Staleness.EXACT, dict.fromkeys(kinds, 30.0))))
    world.foreign_rules("old")
    return world


def test_a_put_is_seen_after_the_delay() -> None:
    world = lagging(Kind.LISTS)
    certificate_id = world.upload(ca())
    world.associate(certificate_id, "a.example.com")

    world.clock.advance(29.9)
    early = world.hostnames(certificate_id)
    world.clock.advance(0.1)

    assert (early, world.hostnames(certificate_id)) == (None, ["a.example.com"])


def test_an_upload_is_listed_after_the_delay() -> None:
    world = lagging(Kind.CERTIFICATES)
    world.upload(ca())

    early = list(world.client.mtls_certificates.list(account_id=ACCOUNT))
    world.clock.advance(30)

    assert (len(early), len(list(world.client.mtls_certificates.list(account_id=ACCOUNT)))) == (0, 1)


def test_a_rule_is_seen_after_the_delay() -> None:
    world = lagging(Kind.RULESETS)
    world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST, ref="new")

    early = world.client.rulesets.phases.get(PHASE, zone_id=ZONE)
    world.clock.advance(30)
    late = world.client.rulesets.phases.get(PHASE, zone_id=ZONE)

    assert [rule.ref for rule in early.rules] == ["old"]
    assert [rule.ref for rule in late.rules] == ["old", "new"]


def test_kinds_lag_independently() -> None:
    world = lagging(Kind.LISTS)

    world.upload(ca())

    assert len(list(world.client.mtls_certificates.list(account_id=ACCOUNT))) == 1


def test_a_write_rests_on_the_truth_although_reads_lag() -> None:
    world = lagging(*Kind)
    world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST, ref="one")

    world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST, ref="two")

    assert world.refs() == ["old", "one", "two"]


def test_the_answer_to_a_write_shows_what_was_written() -> None:
    world = lagging(*Kind)
    certificate_id = world.upload(ca())

    answered = world.client.certificate_authorities.hostname_associations.update(
        zone_id=ZONE, hostnames=["a.example.com"], mtls_certificate_id=certificate_id
    )

    assert answered is not None
    assert answered.hostnames == ["a.example.com"]


def test_what_has_been_there_for_ever_is_seen_at_once() -> None:
    world = lagging(*Kind)

    world.simulation.add_certificate(ACCOUNT, ca().pem)

    assert len(list(world.client.mtls_certificates.list(account_id=ACCOUNT))) == 1


def test_what_somebody_else_does_now_is_seen_after_the_delay() -> None:
    world = lagging(Kind.LISTS)
    certificate_id = world.simulation.add_certificate(ACCOUNT, ca().pem)
    world.simulation.put_foreign_hostnames(ZONE, certificate_id, ["a.example.com"], settled=False)

    early = world.hostnames(certificate_id)
    world.clock.advance(30)

    assert (early, world.hostnames(certificate_id)) == (None, ["a.example.com"])


def test_a_replica_shows_every_moment_of_the_past_in_turn() -> None:
    world = lagging(Kind.LISTS)
    certificate_id = world.upload(ca())
    world.associate(certificate_id, "a.example.com")
    world.clock.advance(10)
    world.associate(certificate_id, "b.example.com")

    world.clock.advance(20)
    first = world.hostnames(certificate_id)
    world.clock.advance(10)
    second = world.hostnames(certificate_id)

    assert (first, second) == (["a.example.com"], ["b.example.com"])


def test_random_staleness_shows_both_the_old_and_the_new() -> None:
    world = make_world(Settings(consistency=Consistency.everywhere(30)))
    certificate_id = world.upload(ca())
    world.clock.advance(100)
    world.associate(certificate_id, "a.example.com")
    world.clock.advance(15)

    seen = [world.hostnames(certificate_id) for _ in range(40)]

    assert None in seen
    assert ["a.example.com"] in seen


def test_random_staleness_is_never_older_than_the_delay() -> None:
    world = make_world(Settings(consistency=Consistency.everywhere(30)))
    certificate_id = world.upload(ca())
    world.associate(certificate_id, "a.example.com")
    world.clock.advance(30)

    seen = [world.hostnames(certificate_id) for _ in range(40)]

    assert seen == [["a.example.com"]] * 40


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_delay_means_immediate(seconds: float) -> None:
    assert Consistency.everywhere(seconds).staleness is Staleness.IMMEDIATE
