"""A hostname goes from the list of one certificate to that of another, covered all the while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Claim, ClaimState, Enforcement
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, KEY, TARGET, WEB, CalmZone, enforced, wanted

NEW, OLD = frozenset({"b" * 16}), frozenset({"a" * 16})
ELSEWHERE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
CA = ResourceKey("apps", "ca")
MOVED = Target(ELSEWHERE, NEW, NEW, Policy(frozenset({"BB02"}), "block"), authority=CA)
SIDE_BY_SIDE = replace(
    MOVED,
    policy=Policy(frozenset({"AA01", "BB02"}), "block"),
    beside=frozenset({CERTIFICATE}),
    until="2026-03-02T00:00:00Z",
)


OTHER = ResourceKey("apps", "other")


def at_rest() -> CalmZone:
    """A hostname in force on one certificate, and another certificate with a list of its own."""
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({"old.example.com"})])
    zone.after(wanted(target=replace(TARGET, authority=CA)))
    zone.steps.clear()
    return zone


@pytest.fixture
def zone() -> CalmZone:
    return at_rest()


def lists(zone: CalmZone) -> list[bool]:
    """Whether the hostname is on the earlier list, and on the later."""
    return [API in zone.zone.lists[each].now for each in (CERTIFICATE, ELSEWHERE)]


def issuers(zone: CalmZone) -> list[set[str]]:
    return [set(mark.issuers or ()) for mark in zone.marks() if isinstance(mark, Enforcement)]


def states(zone: CalmZone) -> dict[str, str]:
    """By certificate, what is claimed of the hostname."""
    marks = [mark for mark in zone.marks() if isinstance(mark, Claim)]
    return {each[:2]: mark.state.value for mark in marks for each in mark.certificate_ids}


def test_a_hostname_arrives_on_the_new_list_before_its_rule_follows_and_it_leaves_the_old_one(zone: CalmZone) -> None:
    moved = replace(zone.ours(), target=MOVED)

    zone.after(moved, seconds=60.0)
    arriving = (lists(zone), issuers(zone), states(zone), zone.stage().stage)
    zone.wait(60.0)
    leaving = (issuers(zone), states(zone), zone.stage().stage)
    zone.wait(5_000.0)

    assert arriving == ([True, True], [{"AA01"}], {"aa": "held", "bb": "arriving"}, HostStage.MOVING)
    assert leaving == ([{"BB02"}], {"aa": "leaving", "bb": "held"}, HostStage.MOVING)
    assert zone.stage().stage is HostStage.ENFORCED
    assert (lists(zone), states(zone)) == ([False, True], {"bb": "held"})
    assert zone.ours().managed == {ELSEWHERE: frozenset({API})}
    assert zone.listed == {"old.example.com"}


def test_the_rule_accepts_both_for_a_moment_and_never_neither(zone: CalmZone) -> None:
    seen: list[list[set[str]]] = []
    zone.zone.watch = lambda: seen.append(issuers(zone))

    zone.after(replace(zone.ours(), target=MOVED))

    assert [each for each in seen if each != seen[0]][:2] == [[{"AA01", "BB02"}], [{"BB02"}]]


def test_a_held_claim_tells_where_its_hostname_is_going(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=replace(MOVED, until="2026-03-02T00:00:00Z")), seconds=60.0)

    (held,) = [mark for mark in zone.marks() if isinstance(mark, Claim) and mark.state is ClaimState.HELD]

    assert (held.aim, held.in_force, held.until) == (NEW, OLD, "2026-03-02T00:00:00Z")


def test_side_by_side_a_hostname_stays_on_both_lists_until_the_earlier_is_not_kept_any_more(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=SIDE_BY_SIDE))
    overlap = (lists(zone), issuers(zone), zone.stage().stage)
    aims = {mark.aim for mark in zone.marks() if isinstance(mark, Claim)}

    zone.after(replace(zone.ours(), target=MOVED))

    assert overlap == ([True, True], [{"AA01", "BB02"}], HostStage.ENFORCED)
    assert aims == {NEW}
    assert (lists(zone), issuers(zone)) == ([False, True], [{"BB02"}])


def test_a_hostname_that_comes_during_an_overlap_goes_to_the_later_list_only(zone: CalmZone) -> None:
    new = Binding(ResourceKey("apps", "new"), ("new.example.com",), SIDE_BY_SIDE)

    zone.after(new)

    assert "new.example.com" not in zone.listed
    assert "new.example.com" in zone.zone.lists[ELSEWHERE].now


def test_where_one_binding_of_a_ca_cannot_be_reconciled_its_hostname_stays_on_the_earlier_list_too(
    zone: CalmZone,
) -> None:
    zone.cluster.put(Binding(ResourceKey("apps", "second"), (API,), replace(TARGET, authority=CA)))
    zone.wait(100.0)
    zone.cluster.put(replace(zone.ours(), blocked=True))

    zone.after(Binding(ResourceKey("apps", "second"), (API,), MOVED))

    assert lists(zone) == [True, True]
    assert issuers(zone) == [{"BB02"}]


def test_when_nothing_has_to_move_any_more_nothing_is_done(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), target=MOVED))

    (plan,) = zone.operator.plans()

    assert (plan.steps, plan.wake_at) == ((), None)
    assert enforced() not in zone.marks()


def test_a_hostname_of_a_certificate_that_vanished_moves_to_the_one_that_takes_its_place(zone: CalmZone) -> None:
    del zone.zone.lists[CERTIFICATE]
    zone.operator.look()
    zone.wait(10.0)
    at_first = zone.stage().stage
    zone.wait(200.0)
    vanished = zone.stage().stage

    zone.after(replace(zone.ours(), target=replace(TARGET, certificate=ELSEWHERE, authority=CA)))

    assert (at_first, vanished) == (HostStage.ENFORCED, HostStage.PENDING)
    assert zone.ours().managed == {ELSEWHERE: frozenset({API})}
    assert (states(zone), zone.stage().stage) == ({"bb": "held"}, HostStage.ENFORCED)


def test_after_a_start_too_and_what_vanished_holds_up_nothing_else(zone: CalmZone) -> None:
    del zone.zone.lists[CERTIFICATE]
    zone.begin_again()

    zone.after(replace(zone.ours(), target=replace(TARGET, certificate=ELSEWHERE, authority=CA)))

    assert zone.ours().managed == {ELSEWHERE: frozenset({API})}
    assert states(zone) == {"bb": "held"}


def test_a_binding_of_a_certificate_that_vanished_is_released(zone: CalmZone) -> None:
    del zone.zone.lists[CERTIFICATE]

    zone.after(replace(zone.ours(), deleting=True))

    assert zone.cluster.bindings == {}
    assert zone.marks() == [None]


def test_a_certificate_that_was_missing_for_a_moment_only_is_relied_on_again(zone: CalmZone) -> None:
    there = zone.zone.lists.pop(CERTIFICATE)
    zone.operator.look()
    zone.wait(10.0)
    zone.zone.lists[CERTIFICATE] = there

    zone.operator.look()
    zone.wait(10.0)

    assert zone.stage().stage is HostStage.ENFORCED


def test_what_is_missing_is_asked_for_less_and_less_often(zone: CalmZone) -> None:
    del zone.zone.lists[CERTIFICATE]
    zone.operator.look()
    zone.wait(10.0)
    zone.steps.clear()

    assert 3 < len(zone.wait(5_000.0)) < 12


def test_a_list_on_the_way_is_left_when_the_hostname_is_to_go_further_before_it_has_arrived(zone: CalmZone) -> None:
    last = CertificateId("cccccccc-0000-4000-8000-000000000000")
    zone.zone.lists[last] = Past([0.0], [frozenset()])
    zone.after(replace(zone.ours(), target=SIDE_BY_SIDE), seconds=30.0)

    zone.after(replace(zone.ours(), target=replace(MOVED, certificate=last)), seconds=10.0)

    assert states(zone) == {"aa": "held", "bb": "leaving", "cc": "arriving"}


def test_bindings_of_two_cas_with_one_certificate_and_two_tokens_tell_the_same_in_their_claims(zone: CalmZone) -> None:
    rotated = replace(MOVED, until="2026-03-02T00:00:00Z", earlier=frozenset({CERTIFICATE}))
    zone.after(replace(zone.ours(), hostnames=(API, WEB), target=replace(TARGET, authority=CA)))
    zone.cluster.put(replace(zone.ours(), target=rotated))

    zone.after(
        Binding(ResourceKey("pay", "second"), (API,), replace(MOVED, authority=ResourceKey("pay", "ca")), party=1)
    )

    assert zone.wait(5_000.0) == zone.steps
    assert states(zone) == {"bb": "held"}
    assert zone.ours().managed == {ELSEWHERE: frozenset({API, WEB})}
    assert issuers(zone) == [{"BB02"}]


def test_a_binding_that_is_deleted_leaves_the_earlier_list_to_another_one_that_stays_beside_on_it(
    zone: CalmZone,
) -> None:
    another = ResourceKey("apps", "another")
    zone.cluster.put(replace(zone.ours(), key=another))
    zone.wait(100.0)
    zone.cluster.put(replace(zone.cluster.bindings[another], target=SIDE_BY_SIDE))

    zone.after(replace(zone.ours(), target=SIDE_BY_SIDE, deleting=True), seconds=1_000.0)

    everywhere = {CERTIFICATE: frozenset({API}), ELSEWHERE: frozenset({API})}
    assert KEY not in zone.cluster.bindings
    assert zone.cluster.bindings[another].managed == everywhere
    assert lists(zone) == [True, True]


@pytest.mark.parametrize("party", [0, 1], ids=["by the same token", "by another token"])
@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "edited"])
def test_a_binding_that_came_in_an_overlap_side_by_side_keeps_both_lists_when_the_one_before_it_lets_go(
    zone: CalmZone, party: int, *, is_deleted: bool
) -> None:
    zone.after(replace(zone.ours(), target=SIDE_BY_SIDE))
    zone.after(Binding(OTHER, (API,), SIDE_BY_SIDE, party=party))

    zone.after(replace(zone.ours(), deleting=True) if is_deleted else replace(zone.ours(), hostnames=(WEB,)))
    overlap = (lists(zone), issuers(zone)[0], set(zone.cluster.bindings[OTHER].managed))
    zone.after(replace(zone.cluster.bindings[OTHER], target=MOVED))

    assert overlap == ([True, True], {"AA01", "BB02"}, {CERTIFICATE, ELSEWHERE})
    assert (KEY in zone.cluster.bindings) is not is_deleted
    assert lists(zone) == [False, True]
    assert zone.cluster.bindings[OTHER].managed == {ELSEWHERE: frozenset({API})}
