"""Rules about revoked certificates that somebody changed, retained, or left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import (
    Enforcement,
    Revocation,
)
from tests.unit.domain.revoking import (
    GONE,
    A,
    changed,
    in_force,
    kinds,
    left_rules,
    revocations,
    revoked,
    revoking,
    seen,
    spoil,
    target,
    with_two_lists,
)
from tests.unit.domain.test_zone_plan import (
    API,
    US,
    WEB,
    CalmZone,
    wanted,
)


@pytest.fixture
def zone() -> CalmZone:
    return with_two_lists()


def test_a_rule_that_somebody_took_away_comes_back(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.zone.delete_rule(spoil(zone))
    zone.operator.look()

    zone.wait(10.0)

    assert revoked(zone) == {A: {"1"}}
    assert kinds(zone)[:2] == ["Enforcement", "Revocation"]


def test_a_rule_that_somebody_disabled_is_enabled(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    spoil(zone, enabled=False)
    zone.operator.look()

    assert zone.wait(10.0) == ["ReadRules", "WriteRule", "ReadList"]
    assert revoked(zone) == {A: {"1"}}


def test_a_rule_that_somebody_disabled_is_enabled_also_for_a_binding_that_cannot_be_reconciled(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.after(replace(zone.ours(), blocked=True))
    spoil(zone, enabled=False)
    zone.operator.look()

    zone.wait(10.0)

    assert revoked(zone) == {A: {"1"}}


def test_a_rule_that_somebody_moved_behind_their_own_is_moved_back(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules((*ruleset.rules[1:], ruleset.rules[0]))
    zone.operator.look()

    zone.wait(10.0)

    assert kinds(zone)[:2] == ["Enforcement", "Revocation"]


def test_a_rule_that_somebody_rewrote_is_replaced(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    spoil(zone, expression=ruleset.rules[0].body.expression + " and ip.src eq 192.0.2.1")
    zone.operator.look()

    zone.wait(10.0)

    assert (revoked(zone), kinds(zone)) == ({A: {"1"}}, ["Revocation", "Enforcement", "NoneType", "Claim"])


def test_a_rule_that_somebody_rewrote_stays_while_nobody_can_say_what_is_revoked(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    changed(zone, None)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    spoil(zone, expression=ruleset.rules[0].body.expression + " or ip.src eq 192.0.2.1")
    zone.operator.look()

    zone.wait(10.0)

    assert kinds(zone) == ["Enforcement", "Unreadable", "NoneType", "Claim"]


def test_rules_come_back_when_the_ruleset_was_replaced_enforcement_first(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.zone.set_rules(())
    zone.operator.look()
    states = seen(zone)

    zone.wait(20.0)

    assert next(each for each in states if each[0]) == (True, {})
    assert revoked(zone) == {A: {"1"}}


def test_what_is_retained_stays_in_force_with_what_is_revoked(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    zone.after(replace(zone.ours(), retained=True, deleting=True))

    assert zone.cluster.bindings == {}
    assert [(type(mark), mark.retained) for mark in zone.marks() if isinstance(mark, Enforcement | Revocation)] == [
        (Revocation, True),
        (Enforcement, True),
    ]


def test_what_was_retained_is_taken_over_by_who_wants_it_again(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.after(replace(zone.ours(), retained=True, deleting=True))
    states = seen(zone)

    in_force(zone, revoking("1", "2"))

    assert all(each[A] >= {"1"} for _, each in states)
    assert [(mark.serials, mark.retained) for mark in revocations(zone)] == [(frozenset({"1", "2"}), False)]


def test_what_was_retained_and_is_named_and_given_up_again_before_it_was_ours_stays(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.after(replace(zone.ours(), retained=True, deleting=True))
    zone.after(wanted(target=target(revoking("1"))), seconds=5.0)

    zone.after(replace(zone.ours(), deleting=True))

    assert [(mark.serials, mark.retained) for mark in revocations(zone)] == [(frozenset({"1"}), True)]


def test_what_an_installation_left_that_is_gone_becomes_ours(zone: CalmZone) -> None:
    zone.cluster.predecessors = frozenset({GONE})
    in_force(zone, revoking("1"))
    left_rules(zone, replace(revocations(zone)[0], installation=GONE, serials=frozenset({"9"})))
    zone.operator.look()

    zone.wait(1_000.0)

    assert {mark.installation for mark in revocations(zone)} == {US}
    assert revoked(zone) == {A: {"1"}}


def test_hostnames_leave_what_another_installation_retained_once_ours_covers_them(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    theirs = replace(revocations(zone)[0], installation=GONE, retained=True)
    left_rules(zone, replace(theirs, hostnames=frozenset({API, WEB})), theirs)
    zone.operator.look()

    zone.wait(1_000.0)

    left = [mark.hostnames for mark in revocations(zone) if mark.installation == GONE]
    assert left == [frozenset({WEB})]


def test_what_nobody_knows_stays_as_it_is(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    orphan = replace(revocations(zone)[0], hostnames=frozenset({"orphan.example.com"}), serials=frozenset({"9"}))
    left_rules(zone, orphan)
    zone.operator.look()

    zone.wait(1_000.0)

    assert orphan in zone.marks()
