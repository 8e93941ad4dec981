"""A zone whose plan has no more rules: revocations change, come and give way, and everything else goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Enforcement
from mtls_operator.domain.observed import BlockResponse
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.revoked import Revocations, RevokedSerials, ZoneRevocation
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.revoking import A, B, changed, in_force, revocations, revoked, seen, target, with_two_lists
from tests.unit.domain.test_zone_plan import API, WEB, CalmZone, wanted

DAY = 86_400.0
BOTH = frozenset({A, B})
PLAIN = BlockResponse(403, "text/plain", "no")
BRIMFUL = 120
"""So many serial numbers fill two rules of one hostname."""


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


UNREADABLE = pytest.mark.parametrize("known", [None, Revocations()], ids=["nothing is known", "no list is believed"])
"""A list of the CA that is in force cannot be read any more."""


def second(zone: CalmZone, known: Revocations | None, response: BlockResponse | None = None) -> CalmZone:
    """Another binding comes, after the list of the CA has become another."""
    zone.cluster.put(replace(zone.ours(), target=target(known)))
    comes = wanted(WEB, target=target(known, response=response))
    zone.after(replace(comes, key=ResourceKey("apps", "second")), seconds=DAY)
    return zone


def more_room(zone: CalmZone, rules: int) -> None:
    assert zone.zone.most_rules is not None
    zone.zone.most_rules += rules


def progress(zone: CalmZone, hostname: str) -> HostProgress:
    """What is known of the hostname of the second binding."""
    (plan,) = zone.operator.plans()
    assert plan.progress is not None
    return plan.progress[ResourceKey("apps", "second")][hostname]


@UNREADABLE
@pytest.mark.parametrize("response", [None, PLAIN], ids=["alike", "with rules of its own"])
@pytest.mark.parametrize("room", [1, 2, 3])
def test_what_a_hostname_borrows_keeps_it_from_nothing_where_the_plan_has_no_more(
    zone: CalmZone, known: Revocations | None, response: BlockResponse | None, room: int
) -> None:
    full(zone, Revocations(((A, OLD),)))
    more_room(zone, room)
    before = revoked(zone)[A]

    second(zone, known, response)

    assert (progress(zone, WEB).stage, progress(zone, WEB).to_revoke) == (HostStage.ENFORCED, 0)
    assert progress(zone, WEB).unrevoked == len(OLD.entries) - len(revoked(zone, WEB).get(A, ()))
    assert (revoked(zone)[A], zone.operator.failures) == (before, 0)
    assert (after_looks(zone, 20), zone.operator.failures) == (0, 0)


@UNREADABLE
@pytest.mark.parametrize("response", [None, PLAIN], ids=["alike", "with rules of its own"])
@pytest.mark.parametrize("most", [1, 5, 6, 8])
def test_what_a_hostname_borrows_is_within_the_budget(
    zone: CalmZone, known: Revocations | None, response: BlockResponse | None, most: int
) -> None:
    in_force(zone, Revocations(((A, OLD),)))
    rules, before = len(revocations(zone)), revoked(zone)[A]
    zone.cluster.revocation = ZoneRevocation(most_rules=most)
    states = seen(zone)

    second(zone, known, response)

    assert len(revocations(zone)) <= max(rules, most)
    assert all(before <= each[A] for _, each in states)
    assert progress(zone, WEB).stage is HostStage.ENFORCED
    assert progress(zone, WEB).unrevoked == len(OLD.entries) - len(revoked(zone, WEB).get(A, ()))


@UNREADABLE
def test_what_a_hostname_borrows_comes_after_what_a_list_names(zone: CalmZone, known: Revocations | None) -> None:
    zone.cluster.revocation = ZoneRevocation(most_rules=12)
    listed = wanted("list.example.com", target=replace(target(Revocations(((B, NEW),))), issuers=frozenset({B})))
    zone.after(replace(listed, key=ResourceKey("apps", "listed")))
    in_force(zone, Revocations(((A, OLD),)))

    second(zone, known, PLAIN)

    assert len(revoked(zone, "list.example.com")[B]) == len(NEW.entries)
    assert progress(zone, WEB).unrevoked > 0


def test_what_was_left_out_for_a_hostname_comes_in_when_there_is_room(zone: CalmZone) -> None:
    full(zone, Revocations(((A, OLD),)))
    second(zone, None)
    more_room(zone, 10)

    zone.cluster.put(replace(zone.ours(), target=target(Revocations(((A, OLD),)))))
    second(zone, Revocations(((A, OLD),)))
    after_looks(zone, 10)

    assert len(revoked(zone, WEB)[A]) == len(OLD.entries)
    assert progress(zone, WEB).unrevoked == 0


@pytest.mark.parametrize("known", [None, Revocations(((A, OLD),))], ids=["nothing is known", "with a list"])
def test_who_comes_takes_nothing_from_a_hostname_of_which_no_list_can_be_read(
    zone: CalmZone, known: Revocations | None
) -> None:
    in_force(zone, Revocations(((A, OLD),)))
    zone.cluster.revocation = ZoneRevocation(most_rules=2)
    zone.cluster.put(replace(zone.ours(), target=target(None)))
    comes = wanted(WEB, target=target(known))

    zone.after(replace(comes, key=ResourceKey("apps", "second")), seconds=DAY)

    assert len(revoked(zone)[A]) == len(OLD.entries)
    assert progress(zone, WEB).stage is HostStage.ENFORCED


def test_who_comes_is_written_into_rules_that_have_room_though_there_are_too_many(zone: CalmZone) -> None:
    few = Revocations(((A, numbered(A, 20, 1_000.0)),))
    in_force(zone, few)
    zone.cluster.revocation = ZoneRevocation(most_rules=0)

    second(zone, None)

    assert len(revocations(zone)) == 1
    assert revoked(zone, WEB) == revoked(zone) == {A: set(few.lists[0][1].serials)}


def test_who_comes_has_rules_of_its_own_where_those_of_its_neighbours_are_full(zone: CalmZone) -> None:
    long = f"{'long' * 15}.{'name' * 15}.example.com"
    in_force(zone, Revocations(((A, numbered(A, BRIMFUL, 1_000.0)),)))
    zone.cluster.revocation = ZoneRevocation(most_rules=2)
    states = seen(zone)

    zone.cluster.put(replace(zone.ours(), target=target(None)))
    zone.after(replace(wanted(long, target=target(None)), key=ResourceKey("apps", "second")), seconds=DAY)

    assert all(len(each[A]) == BRIMFUL for _, each in states)
    assert (len(revocations(zone)), revoked(zone, long)) == (2, {})
    assert (progress(zone, long).stage, progress(zone, long).unrevoked) == (HostStage.ENFORCED, BRIMFUL)
