"""Rules about revoked certificates: when they come and go, and what they say of a hostname."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mtls_operator.domain.marks import (
    ClaimState,
    Enforcement,
    Revocation,
)
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.revoked import NONE_WANTED, Revocations, ZoneRevocation
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.revoking import (
    A,
    B,
    changed,
    in_force,
    kinds,
    listed,
    many,
    moved,
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
    SET_UP,
    TEAR_DOWN,
    US,
    WEB,
    CalmZone,
    claim,
    wanted,
)


@pytest.fixture
def zone() -> CalmZone:
    return with_two_lists()


def test_what_is_revoked_is_kept_out_before_the_rule_is_created(zone: CalmZone) -> None:
    states = seen(zone)

    steps = list(zone.after(wanted(target=target(revoking("1", "2")))))

    assert steps == [*SET_UP, "WriteRule"]
    assert [each for enforced, each in states if enforced] == [{A: {"1", "2"}}]
    assert kinds(zone) == ["Revocation", "Enforcement", "NoneType", "Claim"]


def test_the_rule_is_like_that_of_the_hostname(zone: CalmZone) -> None:
    in_force(zone, revoking("1"), tolerant=True)

    assert revocations(zone) == [
        Revocation(US, frozenset({API}), A, frozenset({"1"}), "block", None, enabled=True, tolerant=True)
    ]


def test_one_more_is_one_write_and_one_less_is_one_write(zone: CalmZone) -> None:
    in_force(zone, revoking("1", "2"))

    assert list(changed(zone, revoking("3", "1", "2"))) == ["WriteRule"]
    assert revoked(zone) == {A: {"1", "2", "3"}}
    assert changed(zone, revoking("3", "2")) == ["WriteRule"]
    assert revoked(zone) == {A: {"2", "3"}}


def test_a_list_that_says_the_same_costs_nothing(zone: CalmZone) -> None:
    in_force(zone, revoking("1", "2"))

    assert changed(zone, revoking("2", "1")) == []


def test_an_empty_list_takes_everything_back(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    assert changed(zone, revoking()) == ["DeleteRule"]


def test_hostnames_of_one_ca_and_policy_share_a_rule(zone: CalmZone) -> None:
    in_force(zone, revoking("1"), API, WEB)

    assert [mark.hostnames for mark in revocations(zone)] == [frozenset({API, WEB})]


def test_a_hostname_that_comes_is_written_into_the_rule(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    states = seen(zone)

    zone.after(replace(zone.ours(), hostnames=(API, WEB)))

    assert [mark.hostnames for mark in revocations(zone)] == [frozenset({API, WEB})]
    assert all(each == {A: {"1"}} for _, each in states)


def test_tear_down_takes_the_rule_away_before_the_claim_is_leaving(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    steps = zone.after(replace(zone.ours(), deleting=True))

    assert steps == ["DeleteRule", *TEAR_DOWN]
    assert zone.marks() == [None]
    assert (zone.listed, zone.cluster.bindings) == (frozenset({"old.example.com"}), {})


def test_no_claim_is_leaving_while_a_rule_about_revoked_certificates_names_the_hostname(zone: CalmZone) -> None:
    in_force(zone, revoking("1"), API, WEB)
    states: list[bool] = []

    def look() -> None:
        leaving = claim(ClaimState.LEAVING, API) in zone.marks()
        states.append(leaving and bool(revoked(zone)))

    zone.zone.watch = look
    zone.after(replace(zone.ours(), hostnames=(WEB,)))

    assert not any(states)
    assert [mark.hostnames for mark in revocations(zone)] == [frozenset({WEB})]


def test_what_is_in_force_stays_while_the_lists_are_not_known(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    assert changed(zone, None) == []
    assert revoked(zone) == {A: {"1"}}


def test_what_is_in_force_follows_the_policy_also_while_the_lists_are_not_known(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    changed(zone, target(None, action="log"))

    assert [(mark.action, mark.serials) for mark in revocations(zone)] == [("log", frozenset({"1"}))]


def test_what_is_in_force_stays_for_a_ca_without_a_list_that_can_be_believed(zone: CalmZone) -> None:
    in_force(zone, Revocations(((A, listed("1")), (B, listed("2")))), issuers=frozenset({A, B}))

    steps = changed(zone, target(revoking("3", issuer=B), issuers=frozenset({A, B})))

    assert steps == ["WriteRule"]
    assert revoked(zone) == {A: {"1"}, B: {"3"}}


def in_part(*serials: str) -> Revocations:
    """A list beside one that cannot be read, or one that is over."""
    return Revocations(((A, listed(*serials).in_part),))


def test_a_list_that_may_not_be_all_adds_and_takes_nothing_back(zone: CalmZone) -> None:
    in_force(zone, revoking("1", "2"))
    states = seen(zone)

    assert changed(zone, in_part("2", "3")) == ["WriteRule"]
    assert revoked(zone) == {A: {"1", "2", "3"}}
    assert changed(zone, in_part("2")) == []
    assert changed(zone, revoking("2")) == ["WriteRule"]
    assert all(each[A] >= {"2"} for _, each in states)


def test_what_a_list_names_that_may_not_be_all_comes_back_when_somebody_takes_its_rule_away(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    changed(zone, in_part("1"))
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(ruleset.rules[1:])
    zone.operator.look()
    zone.wait(1_000.0)

    assert (zone.steps.count("WriteRule"), revoked(zone)) == (1, {A: {"1"}})


def test_the_newest_that_are_listed_come_before_what_no_list_names(zone: CalmZone) -> None:
    undated = f"{10**30 - 1:X}"
    in_force(zone, revoking(undated))
    zone.cluster.revocation = ZoneRevocation(most_rules=1)
    new = [f"{10**30 + number:X}" for number in range(200)]

    changed(zone, in_part(*new))

    assert (new[0] in revoked(zone)[A], undated in revoked(zone)[A]) == (True, False)


@pytest.mark.parametrize("known", [None, Revocations(), in_part("1")], ids=["nothing", "no list", "a part"])
def test_a_hostname_that_comes_has_what_its_neighbours_have_while_the_lists_are_not_known(
    zone: CalmZone, known: Revocations | None
) -> None:
    many_of_them = many(150)
    in_force(zone, many_of_them)
    expected = revoked(zone)[A] | ({"1"} if known and known.lists else set())

    zone.after(replace(zone.ours(), hostnames=(API, WEB), target=target(known)))

    assert revoked(zone, WEB) == {A: expected}
    assert zone.stage(WEB).stage is HostStage.ENFORCED


def test_a_hostname_that_was_there_keeps_what_is_in_force_for_it(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.after(replace(wanted(WEB, target=target(revoking("2"))), key=ResourceKey("apps", "other")))

    assert changed(zone, None) == []
    assert (revoked(zone), revoked(zone, WEB)) == ({A: {"1"}}, {A: {"2"}})


def test_another_cas_list_that_may_not_be_all_takes_nothing_back_from_a_hostname_that_moves(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.cluster.revocation = ZoneRevocation(lists=((A, listed("3").in_part),))

    changed(zone, moved(revoking("2", issuer=B)), seconds=7_000.0)

    assert revoked(zone) == {A: {"1", "3"}, B: {"2"}}


def test_a_spec_that_names_no_lists_any_more_takes_the_rules_away(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    assert changed(zone, NONE_WANTED) == ["DeleteRule"]


def test_what_a_ca_revoked_that_is_accepted_no_more_goes(zone: CalmZone) -> None:
    in_force(zone, Revocations(((A, listed("1")), (B, listed("2")))), issuers=frozenset({A, B}))

    changed(zone, revoking("1"))

    assert revoked(zone) == {A: {"1"}}


def test_a_binding_that_cannot_be_reconciled_keeps_what_is_in_force(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    assert zone.after(replace(zone.ours(), blocked=True, target=target(revoking("2")))) == []
    assert revoked(zone) == {A: {"1"}}


@pytest.mark.parametrize("aside", [{"suspended": True}, {"observed": True}], ids=["suspended", "observed"])
def test_a_binding_that_is_laid_aside_keeps_its_rules_as_they_are(zone: CalmZone, aside: dict[str, Any]) -> None:
    in_force(zone, revoking("1"))
    spoil(zone, enabled=False)
    zone.operator.look()

    zone.after(replace(zone.ours(), target=target(revoking("2")), **aside))

    assert "WriteRule" not in zone.steps
    assert [mark.serials for mark in revocations(zone)] == [{"1"}]


def test_a_binding_that_acts_with_another_token_keeps_its_rules(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    other = replace(wanted(WEB, target=target(revoking("2"))), key=ResourceKey("apps", "other"), party=1)

    zone.after(other)

    assert (revoked(zone), revoked(zone, WEB)) == ({A: {"1"}}, {A: {"2"}})


def test_there_is_no_rule_where_there_is_none_for_the_hostname(zone: CalmZone) -> None:
    in_force(zone, revoking("1"), action="none")

    assert revocations(zone) == []


def test_rules_go_when_there_is_to_be_none_for_the_hostname(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))

    changed(zone, target(revoking("1"), action="none"))

    assert kinds(zone) == ["NoneType", "Claim"]


def test_an_action_is_changed_in_place(zone: CalmZone) -> None:
    in_force(zone, revoking("1"), action="log")

    assert changed(zone, revoking("1")) == ["WriteRule", "WriteRule"]
    assert [mark.action for mark in revocations(zone)] == ["block"]


def test_what_a_new_ca_revoked_is_kept_out_before_the_rule_accepts_it(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    accepted: list[tuple[bool, bool]] = []

    def look() -> None:
        rules = [mark for mark in zone.marks() if isinstance(mark, Enforcement)]
        accepted.append((any(B in (mark.issuers or ()) for mark in rules), B in revoked(zone)))

    zone.zone.watch = look
    changed(zone, target(Revocations(((A, listed("1")), (B, listed("2")))), issuers=frozenset({A, B})))

    assert accepted[-1] == (True, True)
    assert (True, False) not in accepted


def test_pinning_is_given_up_only_when_what_is_revoked_is_kept_out(zone: CalmZone) -> None:
    in_force(zone, NONE_WANTED)
    states: list[tuple[bool, bool]] = []
    zone.zone.watch = lambda: states.append(
        (
            Policy(None, "block") in [Policy(m.issuers, m.action) for m in zone.marks() if isinstance(m, Enforcement)],
            bool(revoked(zone)),
        )
    )

    changed(zone, target(revoking("1"), issuers=None))

    assert states == [(False, True), (True, True)]


def test_an_issuer_is_withdrawn_without_waiting_for_what_is_revoked(zone: CalmZone) -> None:
    zone.cluster.issuers = frozenset({A})
    in_force(zone, NONE_WANTED, issuers=frozenset({A, "EE09"}))
    states = seen(zone)

    changed(zone, revoking("1"))

    assert [each for _, each in states] == [{}, {A: {"1"}}]


@pytest.mark.parametrize("issuers", [frozenset({B}), None], ids=["pinned", "unpinned"])
def test_a_hostname_that_moves_keeps_out_what_both_cas_revoked_until_the_overlap_is_over(
    zone: CalmZone, issuers: frozenset[str] | None
) -> None:
    in_force(zone, revoking("1"), issuers=None if issuers is None else frozenset({A}))
    states = seen(zone)

    changed(zone, moved(revoking("2", issuer=B), issuers), seconds=7_000.0)
    overlap = revoked(zone)
    zone.cluster.revocation = ZoneRevocation(lists=((A, listed("1", "3")),))
    zone.operator.look()
    zone.wait(100.0)
    newer = revoked(zone)
    zone.wait(14_000.0)

    assert all(each[A] >= {"1"} for _, each in states[:-1] if A in each)
    assert (overlap, newer) == ({A: {"1"}, B: {"2"}}, {A: {"1", "3"}, B: {"2"}})
    assert revoked(zone) == {B: {"2"}}


def test_what_does_not_fit_is_counted_and_the_newest_come_first(zone: CalmZone) -> None:
    zone.cluster.revocation = ZoneRevocation(most_rules=2)
    in_force(zone, many(500))

    (oldest, newest) = (f"{10**30 + 499:X}", f"{10**30:X}")
    stage = zone.stage()

    assert len(revocations(zone)) == 2
    assert (newest in revoked(zone)[A], oldest in revoked(zone)[A]) == (True, False)
    assert (stage.stage, stage.unrevoked, stage.to_revoke) == (HostStage.ENFORCED, 500 - len(revoked(zone)[A]), 0)


def test_after_the_plan_refused_one_more_nothing_is_tried_until_a_look_is_due(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.operator.known = zone.operator.known.with_revocations_limited(US)

    held_back = list(changed(zone, many(500)))
    limited = zone.stage()
    zone.operator.look()
    zone.wait(100.0)

    assert (held_back, limited.unrevoked > 300) == (["WriteRule"], True)
    assert zone.stage().unrevoked == 0


def test_a_process_without_any_ruleset_has_none_of_these_rules() -> None:
    zone = CalmZone()

    assert zone.operator.known.with_revocations_limited(US).most_revocation_rules == 0
    zone.zone.set_rules(())
    assert replace(zone.operator.known, rules=None).with_revocations_limited(US).most_revocation_rules == 0


def test_what_is_about_to_be_kept_out_is_counted(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.cluster.put(replace(zone.ours(), target=target(revoking("1", "2", "3"))))

    assert (zone.stage().stage, zone.stage().to_revoke) == (HostStage.ENFORCED, 2)


def test_a_rule_about_revoked_certificates_never_makes_a_hostname_look_enforced(zone: CalmZone) -> None:
    in_force(zone, revoking("1"))
    zone.after(replace(zone.ours(), suspended=True))
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    marked = zip(ruleset.rules, zone.marks(), strict=True)
    zone.zone.set_rules(tuple(rule for rule, mark in marked if not isinstance(mark, Enforcement)))
    zone.operator.forget_rules()
    zone.wait(100.0)

    assert (revoked(zone), zone.stage().stage) == ({A: {"1"}}, HostStage.ASSOCIATED)
