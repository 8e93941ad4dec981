"""Invariants 2, 10 and 13: nobody is locked out, and what was enforced stays enforced until it is given up."""

from typing import Any

import pytest

from testbed.cloudflare.monitor import Monitor
from tests.contract.cloudflare_simulation.monitored import (
    CERTIFICATES,
    OTHER_ROOT,
    ROOT,
    WINDOW,
    Monitored,
    make_monitored,
    pinned,
)
from tests.contract.cloudflare_simulation.world import ZONE

HOST = "a.example.com"
OTHER = "b.example.com"
UNPINNED = f'(lower(http.host) in {{"{HOST}"}} and not cf.tls_client_auth.cert_verified)'


@pytest.fixture
def world() -> Monitored:
    return make_monitored()


def test_set_up_and_tear_down_in_order_is_fine(world: Monitored) -> None:
    arriving = world.east.claim("arriving", world.certificate, HOST)
    world.east.put(world.certificate, HOST)
    held = world.east.claim("held", world.certificate, HOST, rule=arriving)
    rule = world.east.enforce(HOST)
    world.given_up[HOST] = world.clock()
    world.east.drop(rule)
    leaving = world.east.claim("leaving", world.certificate, HOST, rule=held)
    world.east.put(world.certificate)
    world.east.drop(leaving)
    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}").raise_for_status()

    assert world.monitor.finish() == []


def test_enforcing_a_hostname_that_is_on_no_list_violates_invariant_2(world: Monitored) -> None:
    world.serve(OTHER)

    world.east.enforce(HOST)

    assert world.violated == [2]


def test_enforcing_a_hostname_that_is_on_the_list_of_another_ca_only_violates_invariant_2(world: Monitored) -> None:
    world.serve(HOST)

    world.east.enforce(HOST, expression=pinned(HOST, issuers=(OTHER_ROOT.key_identifier,)))

    assert world.violated == [2]


def test_enforcing_without_pinning_asks_for_some_list(world: Monitored) -> None:
    world.serve(HOST)

    world.east.enforce(HOST, expression=UNPINNED)

    assert world.violated == []


def test_a_rule_of_that_shape_locks_out_whatever_it_is_called(world: Monitored) -> None:
    world.east.enforce(HOST, description="mtls")

    assert world.violated == [9, 2]


def test_a_disabled_rule_locks_nobody_out(world: Monitored) -> None:
    world.east.enforce(HOST, enabled=False)

    assert world.violated == []


def test_extending_a_rule_to_a_hostname_that_is_on_no_list_violates_invariant_2(world: Monitored) -> None:
    world.serve(HOST)
    rule = world.east.enforce(HOST)

    world.east.enforce(HOST, OTHER, rule=rule)

    assert world.violated == [2]


def test_narrowing_the_issuers_to_a_ca_without_the_hostname_violates_invariant_2(world: Monitored) -> None:
    world.serve(HOST)
    rule = world.east.enforce(HOST)

    world.east.enforce(HOST, rule=rule, expression=pinned(HOST, issuers=(OTHER_ROOT.key_identifier,)))

    assert world.violated == [2]


def test_taking_a_hostname_off_its_only_list_while_a_rule_covers_it_violates_invariant_2(world: Monitored) -> None:
    world.serve(HOST)
    world.east.enforce(HOST)
    world.west.claim("leaving", world.certificate, HOST)

    world.west.put(world.certificate)

    assert world.violated == [2]


def test_taking_a_hostname_off_one_of_two_lists_that_a_rule_accepts_is_fine(world: Monitored) -> None:
    second = world.certificate_of(OTHER_ROOT)
    world.serve(HOST)
    world.east.put(second, HOST)
    issuers = (ROOT.key_identifier, OTHER_ROOT.key_identifier)
    world.east.enforce(HOST, expression=pinned(HOST, issuers=issuers))
    world.east.claim("leaving", world.certificate, HOST)

    world.east.put(world.certificate)

    assert world.violated == []


def test_claiming_a_hostname_as_leaving_before_its_rule_is_gone_violates_invariant_2(world: Monitored) -> None:
    world.serve(HOST)
    world.east.enforce(HOST)

    world.east.claim("leaving", world.certificate, HOST)

    assert world.violated == [2]


def test_what_a_person_breaks_is_not_held_against_an_installation(world: Monitored) -> None:
    world.serve(HOST)
    world.east.enforce(HOST)
    world.person.put(world.certificate)

    world.east.claim("arriving", world.certificate, OTHER)

    assert world.monitor.finish() == []


def test_moving_a_hostname_into_the_new_rule_before_it_leaves_the_old_one_is_fine(world: Monitored) -> None:
    world.serve(HOST, OTHER)
    old = world.east.enforce(HOST, OTHER)
    world.east.enforce(HOST)
    world.east.enforce(OTHER, rule=old)

    assert world.monitor.finish() == []


def test_a_gap_in_the_enforcement_violates_invariant_13(world: Monitored) -> None:
    world.serve(HOST)
    rule = world.east.enforce(HOST)
    world.east.drop(rule)

    world.east.enforce(HOST)

    assert world.violated == [13]


def test_a_gap_during_a_rotation_violates_invariant_13(world: Monitored) -> None:
    old = world.certificate_of(OTHER_ROOT)
    world.serve(HOST)
    rule = world.east.enforce(HOST)
    world.east.claim("leaving", old, HOST)
    world.east.drop(rule)

    world.east.enforce(HOST)

    assert world.violated == [13]


@pytest.mark.parametrize("other", ["arriving", "held"])
def test_enforcing_again_after_the_hostname_was_given_up_is_fine(other: str) -> None:
    world = make_monitored(Monitor(window=WINDOW))
    world.east.put(world.certificate, HOST)
    claim = world.east.claim(other, world.certificate, HOST)
    rule = world.east.enforce(HOST)
    world.east.drop(rule)
    leaving = world.east.claim("leaving", world.certificate, HOST, rule=claim)
    world.east.drop(leaving)

    world.east.enforce(HOST)

    assert world.monitor.finish() == []


def test_giving_up_what_the_user_wants_violates_invariant_10(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    claim = world.east.claim("held", world.certificate, HOST)
    world.east.drop(world.east.enforce(HOST))

    world.east.claim("leaving", world.certificate, HOST, rule=claim)

    assert world.violated == [10]


def test_what_another_installation_has_may_be_given_up(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.west.claim("held", world.certificate, HOST)
    claim = world.east.claim("held", world.certificate, HOST)
    world.east.drop(world.east.enforce(HOST))

    world.east.claim("leaving", world.certificate, HOST, rule=claim)

    assert world.violated == []


def test_a_gap_that_another_installation_covers_is_none(world: Monitored) -> None:
    world.serve(HOST)
    world.west.enforce(HOST)
    rule = world.east.enforce(HOST)
    world.east.drop(rule)

    world.east.enforce(HOST)

    assert world.monitor.finish() == []


def test_enforcement_that_is_lost_while_the_claim_is_held_violates_invariant_13_at_the_end(world: Monitored) -> None:
    world.serve(HOST)
    rule = world.east.enforce(HOST)

    world.east.drop(rule)

    assert world.violated == []
    assert [violation.invariant for violation in world.monitor.finish()] == [13]


def test_enforcement_that_is_lost_with_the_claim_is_an_orphan_s_and_no_violation(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    claim = world.east.claim("held", world.certificate, HOST)
    rule = world.east.enforce(HOST)

    world.east.drop(rule)
    world.east.drop(claim)

    assert world.monitor.finish() == []


def test_dropping_the_rule_of_what_is_claimed_as_leaving_already_is_no_gap(world: Monitored) -> None:
    world.east.put(world.certificate, HOST)
    world.east.put(world.certificate_of(OTHER_ROOT), HOST)
    rule = world.east.enforce(HOST, expression=UNPINNED)
    leaving = world.east.claim("leaving", world.certificate, HOST)

    world.east.drop(rule)
    world.east.claim("held", world.certificate, HOST, rule=leaving)

    assert world.monitor.finish() == []


def test_enforcement_that_the_user_has_just_given_up_may_be_lost_and_come_back(world: Monitored) -> None:
    world.given_up[HOST] = world.clock()
    world.serve(HOST)
    rule = world.east.enforce(HOST)

    world.east.drop(rule)
    world.east.enforce(HOST)

    assert world.monitor.finish() == []


def test_where_somebody_meddled_nobody_is_to_blame_until_it_can_be_put_right(world: Monitored) -> None:
    world.monitor.excuse(ZONE, world.clock() + 100.0)

    world.east.enforce(HOST)
    world.wait(101.0)
    world.east.enforce(OTHER)

    assert world.violated == [2]


def test_what_was_given_up_and_wanted_again_long_ago_may_not_be_lost(world: Monitored) -> None:
    world.given_up[HOST] = world.clock()
    world.wait(1000.0)
    world.serve(HOST)
    rule = world.east.enforce(HOST)

    world.east.drop(rule)

    assert [violation.invariant for violation in world.monitor.finish()] == [13]


@pytest.mark.parametrize("fields", [{"enabled": False}, {"action": "log"}])
def test_weakening_the_enforcement_of_held_hostnames_violates_invariant_13(
    world: Monitored, fields: dict[str, Any]
) -> None:
    world.serve(HOST)
    rule = world.east.enforce(HOST)

    world.east.enforce(HOST, rule=rule, **fields)

    assert world.violated == [13]


def test_rules_that_exclude_each_other_s_issuers_violate_invariant_13(world: Monitored) -> None:
    second = world.certificate_of(OTHER_ROOT)
    world.serve(HOST)
    world.west.put(second, HOST)
    world.east.enforce(HOST)

    world.west.enforce(HOST, expression=pinned(HOST, issuers=(OTHER_ROOT.key_identifier,)))

    assert world.violated == [13]


@pytest.mark.parametrize(
    "expression", [UNPINNED, pinned(HOST, issuers=(ROOT.key_identifier, OTHER_ROOT.key_identifier))]
)
def test_rules_with_an_issuer_in_common_are_fine(world: Monitored, expression: str) -> None:
    world.serve(HOST)
    world.east.enforce(HOST)

    world.west.enforce(HOST, expression=expression)

    assert world.violated == []


@pytest.mark.parametrize("fields", [{"enabled": True}, {"action": "block"}])
def test_a_claim_that_does_something_violates_invariant_13(world: Monitored, fields: dict[str, Any]) -> None:
    world.east.claim("arriving", world.certificate, HOST, **fields)

    assert world.violated == [13]


def test_what_is_wrong_already_is_said_once(world: Monitored) -> None:
    world.serve(HOST)
    world.east.enforce(HOST)
    world.east.claim("leaving", world.certificate, HOST, enabled=True)
    first = list(world.violated)

    world.east.claim("arriving", world.certificate, OTHER)

    assert sorted(first) == [2, 13]
    assert world.violated == first


def test_a_rule_that_a_person_puts_before_ours_is_not_held_against_an_installation(world: Monitored) -> None:
    world.serve(HOST)
    world.east.enforce(HOST)
    world.simulation.add_foreign_rule(ZONE, expression="ssl", action="skip", first=True)
    world.east.claim("arriving", world.certificate, OTHER)
    world.wait()

    world.west.claim("arriving", world.certificate, OTHER)

    assert world.violated == []


def test_taking_a_hostname_off_that_only_somebody_else_s_rule_covers_is_fine(world: Monitored) -> None:
    world.simulation.add_foreign_rule(ZONE, expression=pinned(HOST))
    world.east.put(world.certificate, HOST)
    world.east.claim("leaving", world.certificate, HOST)

    world.east.put(world.certificate)

    assert world.violated == []


def test_an_enforcement_rule_after_a_rule_of_somebody_else_violates_invariant_13(world: Monitored) -> None:
    world.simulation.add_foreign_rule(ZONE, expression="ssl", action="skip")
    world.serve(HOST)

    world.east.enforce(HOST, position={"after": ""})

    assert world.violated == [13]


def test_an_enforcement_rule_after_rules_of_other_installations_is_fine(world: Monitored) -> None:
    world.west.claim("arriving", world.certificate, HOST)
    world.serve(HOST)

    world.east.enforce(HOST, position={"after": ""})

    assert world.violated == []


def test_a_rule_that_somebody_put_first_a_moment_ago_is_no_violation(world: Monitored) -> None:
    world.serve(HOST)
    skip = {"ref": "skip", "action": "skip", "expression": "ssl", "action_parameters": {"ruleset": "current"}}
    world.person.write({**skip, "position": {"before": ""}})

    world.east.enforce(HOST, position={"after": ""})

    assert world.violated == []
