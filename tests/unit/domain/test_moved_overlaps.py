"""A hostname that goes to another CA is accepted with both for the overlap, whoever takes it there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Claim, Enforcement
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_installation import Troubles
from tests.unit.domain.test_zone_moves import CA, MOVED, at_rest, issuers, lists, states
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, TARGET, WEB, CalmZone

OTHER, SECOND = ResourceKey("apps", "other"), ResourceKey("apps", "second")
WITH_OVERLAP = replace(MOVED, overlap=7200.0)


@pytest.fixture
def zone() -> CalmZone:
    return at_rest()


def test_a_hostname_that_moves_to_another_ca_is_open_to_clients_of_both_for_the_overlap(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=7_000.0)
    overlap = (lists(zone), issuers(zone), zone.stage().stage, states(zone))

    zone.wait(7_000.0)

    assert overlap == ([True, True], [{"AA01", "BB02"}], HostStage.ENFORCED, {"aa": "held", "bb": "held"})
    assert (lists(zone), issuers(zone), states(zone)) == ([False, True], [{"BB02"}], {"bb": "held"})


def test_the_overlap_counts_from_when_the_new_ca_is_in_force_and_goes_on_after_a_restart(zone: CalmZone) -> None:
    begun = zone.time.now
    zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=5_000.0)
    until = zone.stage().until
    zone.begin_again()
    zone.wait(1_000.0)

    after_the_restart = zone.stage().until

    assert until is not None
    assert begun + 90 + 7200 <= until <= begun + 110 + 7200
    assert after_the_restart == until


def test_in_the_overlap_nothing_is_done_and_the_plan_says_when_it_is_over(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=3_000.0)

    (plan,) = zone.operator.plans()

    assert (plan.steps, plan.wake_at) == ((), zone.stage().until)


def test_an_earlier_certificate_of_the_same_ca_has_no_overlap_of_its_own_here(zone: CalmZone) -> None:
    rotated = replace(WITH_OVERLAP, earlier=frozenset({CERTIFICATE}))

    zone.after(replace(zone.ours(), target=rotated))

    assert (lists(zone), issuers(zone)) == ([False, True], [{"BB02"}])


def test_back_in_the_overlap_the_roles_are_swapped(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=3_000.0)

    zone.after(replace(zone.ours(), target=replace(TARGET, authority=CA, overlap=7200.0)), seconds=5_000.0)
    overlap = (lists(zone), issuers(zone))
    zone.wait(5_000.0)

    assert overlap == ([True, True], [{"AA01", "BB02"}])
    assert (lists(zone), issuers(zone)) == ([True, False], [{"AA01"}])


def test_what_a_deleted_binding_gives_up_has_the_overlap_of_the_ca_that_takes_it_over(zone: CalmZone) -> None:
    zone.cluster.put(Binding(SECOND, (API,), WITH_OVERLAP))

    zone.after(replace(zone.ours(), deleting=True), seconds=7_000.0)
    overlap = (lists(zone), issuers(zone), states(zone))
    zone.wait(7_000.0)

    assert overlap == ([True, True], [{"AA01", "BB02"}], {"aa": "held", "bb": "held"})
    assert (lists(zone), issuers(zone)) == ([False, True], [{"BB02"}])
    assert list(zone.cluster.bindings) == [SECOND]


def test_what_a_deleted_binding_of_another_token_gives_up_has_the_overlap_too(zone: CalmZone) -> None:
    zone.cluster.put(Binding(SECOND, (API,), WITH_OVERLAP, party=1))

    zone.after(replace(zone.ours(), deleting=True), seconds=7_000.0)
    overlap = (lists(zone), issuers(zone))
    zone.wait(7_000.0)

    assert overlap == ([True, True], [{"AA01", "BB02"}])
    assert (lists(zone), issuers(zone)) == ([False, True], [{"BB02"}])


def test_in_the_overlap_a_hostname_is_out_of_the_rule_that_goes_on_for_others(zone: CalmZone) -> None:
    zone.after(Binding(SECOND, ("www.example.com",), replace(TARGET, authority=CA)))

    zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=3_000.0)

    rules = [(set(mark.issuers or ()), set(mark.hostnames)) for mark in zone.marks() if isinstance(mark, Enforcement)]
    assert sorted(rules, key=len) == [({"AA01"}, {"www.example.com"}), ({"AA01", "BB02"}, {API})]


def test_a_deletion_that_waits_for_an_overlap_tells_who_gets_the_hostname_and_until_when(zone: CalmZone) -> None:
    begun = zone.time.now
    zone.cluster.put(Binding(SECOND, (API,), WITH_OVERLAP))

    zone.after(replace(zone.ours(), deleting=True), seconds=3_000.0)

    told = zone.stage()
    assert (told.stage, told.heir) == (HostStage.LEAVING, SECOND)
    assert told.until is not None
    assert begun + 90 + 7200 <= told.until <= begun + 110 + 7200


@pytest.mark.parametrize("action", ["block", "log", "none"])
def test_the_overlap_counts_only_when_the_hostname_is_out_of_the_rule_that_refuses_the_new_ca_too(
    zone: CalmZone, action: str
) -> None:
    unpinned = replace(WITH_OVERLAP, policy=Policy(None, action), issuers=frozenset({"BB02"}))
    zone.after(Binding(SECOND, ("www.example.com",), unpinned))
    zone.after(replace(zone.ours(), hostnames=(API, WEB)))
    counted_under: list[list[Enforcement]] = []
    zone.zone.watch = lambda: counted_under.extend([refusing_the_new(zone)] if is_counted(zone) else [])

    zone.cluster.put(replace(zone.ours(), hostnames=(WEB,)))
    zone.after(Binding(SECOND, (API, "www.example.com"), unpinned), seconds=1_000.0)

    assert counted_under
    assert not any(counted_under)


def refusing_the_new(zone: CalmZone) -> list[Enforcement]:
    """Rules that keep clients of the new CA from the hostname."""
    rules = [mark for mark in zone.marks() if isinstance(mark, Enforcement) and API in mark.hostnames]
    return [rule for rule in rules if rule.action == "block" and "BB02" not in (rule.issuers or {"BB02"})]


def is_counted(zone: CalmZone) -> bool:
    """Whether a claim tells until when the earlier CA is accepted for the hostname."""
    return any(isinstance(mark, Claim) and API in mark.hostnames and mark.until for mark in zone.marks())


def test_an_overlap_that_is_made_shorter_ends_earlier(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=1_000.0)

    zone.after(replace(zone.ours(), target=replace(WITH_OVERLAP, overlap=600.0)), seconds=400.0)
    meanwhile = issuers(zone)
    zone.wait(600.0)

    assert meanwhile == [{"AA01", "BB02"}]
    assert (lists(zone), issuers(zone)) == ([False, True], [{"BB02"}])


def test_an_overlap_that_is_made_longer_is_not_begun_again(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=5_000.0)

    zone.after(replace(zone.ours(), target=replace(WITH_OVERLAP, overlap=86_400.0)), seconds=3_000.0)

    assert (lists(zone), issuers(zone)) == ([False, True], [{"BB02"}])


def test_an_overlap_that_is_counted_for_one_of_two_hostnames_is_written_once_however_slow_the_calls(
    zone: CalmZone,
) -> None:
    bare = replace(TARGET, policy=Policy(None, "none"), authority=CA)
    zone.after(Binding(OTHER, (WEB,), bare))
    zone.operator.troubles = Troubles(slowest=3.0)
    zone.cluster.put(replace(zone.cluster.bindings[OTHER], target=replace(WITH_OVERLAP, policy=bare.policy)))

    steps = zone.after(replace(zone.ours(), target=WITH_OVERLAP), seconds=1_000.0)

    assert steps.count("WriteRule") < 10
    assert zone.stage().stage is HostStage.ENFORCED
    assert issuers(zone) == [{"AA01", "BB02"}]
