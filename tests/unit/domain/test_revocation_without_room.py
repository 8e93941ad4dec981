"""A zone whose plan has no more rules: revocations change, come and give way, and everything else goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Enforcement
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.revoked import Revocations, RevokedSerials
from mtls_operator.domain.zone_progress import HostStage
from tests.unit.domain.revoking import A, B, changed, in_force, revocations, revoked, seen, target, with_two_lists
from tests.unit.domain.test_zone_plan import API, WEB, CalmZone, wanted

DAY = 86_400.0
BOTH = frozenset({A, B})


@pytest.fixture
def zone() -> CalmZone:
    return with_two_lists()


def numbered(issuer: str, count: int, newest: float) -> RevokedSerials:
    """So many serial numbers of an issuer, the newest revoked at a moment."""
    return RevokedSerials(tuple((newest - each, f"{issuer}{10**30 + each:X}") for each in range(count)))


OLD, NEW = numbered(A, 260, 1_000.0), numbered(B, 260, 5_000.0)


def full(zone: CalmZone, lists: Revocations) -> CalmZone:
    """With all of these in force, and without a rule to spare."""
    in_force(zone, lists)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.most_rules = len(ruleset.rules)
    return zone


def accepted(zone: CalmZone) -> list[frozenset[str] | None]:
    return [mark.issuers for mark in zone.marks() if isinstance(mark, Enforcement)]


def version(zone: CalmZone) -> int:
    assert zone.zone.ruleset.now is not None
    return zone.zone.ruleset.now.version


def after_looks(zone: CalmZone, looks: int) -> int:
    """How often the rules have changed after so many looks."""
    before = version(zone)
    for _ in range(looks):
        zone.operator.look()
        zone.wait(900.0)
    return version(zone) - before


def test_what_a_new_ca_revoked_takes_the_room_of_the_oldest_and_the_rotation_goes_on(zone: CalmZone) -> None:
    full(zone, Revocations(((A, OLD),)))
    rules = len(revocations(zone))

    changed(zone, target(Revocations(((A, OLD), (B, NEW))), issuers=BOTH), seconds=DAY)

    assert (accepted(zone), zone.operator.failures) == ([BOTH], 0)
    assert len(revocations(zone)) == rules
    assert NEW.entries[0][1] in revoked(zone)[B]
    assert (zone.stage().stage, zone.stage().to_revoke) == (HostStage.ENFORCED, 0)
    assert zone.stage().unrevoked > 0


def test_what_came_into_the_rules_does_not_come_and_go(zone: CalmZone) -> None:
    full(zone, Revocations(((A, OLD),)))
    changed(zone, target(Revocations(((A, OLD), (B, NEW))), issuers=BOTH), seconds=DAY)
    before = revoked(zone)

    assert (after_looks(zone, 20), zone.operator.failures) == (0, 0)
    assert revoked(zone) == before


def test_serial_numbers_that_stay_wanted_are_kept_out_all_the_time(zone: CalmZone) -> None:
    full(zone, Revocations(((A, OLD),)))
    states: list[set[str]] = []
    zone.zone.watch = lambda: states.append(revoked(zone)[A])

    changed(zone, target(Revocations(((A, OLD), (B, numbered(B, 40, 5_000.0)))), issuers=BOTH), seconds=DAY)

    assert len(states) > 1
    assert all(revoked(zone)[A] <= each for each in states)
    assert len(revoked(zone)[B]) == 40
    assert API in revocations(zone)[0].hostnames


def with_room_for(zone: CalmZone, rules: int) -> CalmZone:
    """Somebody's rule and so many of ours."""
    zone.zone.most_rules = 1 + rules
    return zone


@pytest.mark.parametrize("room", [2, 3, 5])
def test_a_revocation_gives_way_to_the_rule_without_which_everybody_gets_in(zone: CalmZone, room: int) -> None:
    with_room_for(zone, room).after(wanted(target=target(Revocations(((A, OLD),)))), seconds=DAY)

    assert (accepted(zone), len(revocations(zone))) == ([frozenset({A})], room - 2)
    assert (zone.stage().stage, zone.stage().to_revoke, zone.operator.failures) == (HostStage.ENFORCED, 0, 0)
    assert zone.stage().unrevoked == 260 - len(revoked(zone).get(A, ()))
    assert (after_looks(zone, 20), zone.operator.failures) == (0, 0)


def test_the_newest_revocations_stay_when_one_gives_way(zone: CalmZone) -> None:
    with_room_for(zone, 4).after(wanted(target=target(Revocations(((A, OLD),)))), seconds=DAY)

    newest = {serial for _, serial in OLD.entries[: len(revoked(zone)[A])]}
    assert revoked(zone)[A] == newest


def test_a_revocation_gives_way_to_the_claim_of_a_hostname_that_comes(zone: CalmZone) -> None:
    full(zone, Revocations(((A, OLD),)))
    rules = len(revocations(zone))

    zone.after(replace(zone.ours(), hostnames=(API, WEB)), seconds=DAY)

    assert (zone.stage(WEB).stage, zone.operator.failures) == (HostStage.ENFORCED, 0)
    assert [mark.hostnames for mark in revocations(zone)] == [frozenset({API, WEB})] * len(revocations(zone))
    assert rules - 1 <= len(revocations(zone)) <= rules
    assert (after_looks(zone, 1), after_looks(zone, 20)) == (2, 0)


def test_a_hostname_whose_rule_was_there_stays_covered_all_the_time(zone: CalmZone) -> None:
    full(zone, Revocations(((A, OLD),)))
    states = seen(zone)

    zone.after(replace(zone.ours(), hostnames=(API, WEB)), seconds=DAY)

    assert all(enforced for enforced, _ in states)
    assert all(each[A] >= revoked(zone)[A] for _, each in states)


def test_rules_of_a_binding_that_is_laid_aside_give_way_to_nobody(zone: CalmZone) -> None:
    full(zone, Revocations(((A, OLD),)))
    zone.after(replace(zone.ours(), suspended=True))
    before = revoked(zone)

    zone.after(replace(wanted(WEB), key=ResourceKey("apps", "second")))

    assert revoked(zone) == before
    assert zone.operator.failures > 1
