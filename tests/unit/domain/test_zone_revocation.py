"""Rules about revoked certificates: when they come and go, and what they say of a hostname."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mtls_operator.domain.marks import (
    ClaimState,
    Enforcement,
    Installation,
    Revocation,
    enforcement_body,
    revocation_body,
)
from mtls_operator.domain.observed import CertificateId, Rule
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.revoked import NONE_WANTED, Revocations, RevokedSerials, ZoneRevocation
from mtls_operator.domain.zone_plan import HostStage
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import (
    API,
    SET_UP,
    TARGET,
    TEAR_DOWN,
    US,
    WEB,
    CalmZone,
    claim,
    wanted,
)

ELSEWHERE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
NEW = frozenset({"b" * 16})
A, B = "AA01", "BB02"
GONE = Installation("gone", "33333333-2222-4333-8444-555555555555")


def listed(*serials: str) -> RevokedSerials:
    """A list, the last revocation first."""
    return RevokedSerials(tuple((float(-index), serial) for index, serial in enumerate(serials)))


def revoking(*serials: str, issuer: str = A) -> Revocations:
    return Revocations(((issuer, listed(*serials)),))


def target(revoked: Revocations | None, **policy: Any) -> Target:
    assert TARGET.policy is not None
    return replace(TARGET, policy=replace(TARGET.policy, **policy), issuers=frozenset({A}), revoked=revoked)


def moved(revoked: Revocations | None, issuers: frozenset[str] | None = frozenset({B})) -> Target:
    """To another CA, with an overlap of two hours."""
    policy = Policy(issuers, "block")
    return Target(ELSEWHERE, NEW, NEW, policy, overlap=7200.0, issuers=frozenset({B}), revoked=revoked)


@pytest.fixture
def zone() -> CalmZone:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    return zone


def in_force(zone: CalmZone, revoked: Revocations | None, *hostnames: str, **policy: Any) -> CalmZone:
    zone.after(wanted(*(hostnames or (API,)), target=target(revoked, **policy)))
    zone.steps.clear()
    return zone


def changed(zone: CalmZone, after: Target | Revocations | None, seconds: float = 1_000.0) -> list[str]:
    """The steps that follow when what is revoked, or more, is another."""
    new = after if isinstance(after, Target) else target(after)
    return zone.after(replace(zone.ours(), target=new), seconds=seconds)


def revocations(zone: CalmZone) -> list[Revocation]:
    return [mark for mark in zone.marks() if isinstance(mark, Revocation)]


def revoked(zone: CalmZone, hostname: str = API) -> dict[str, set[str]]:
    """What is kept out of a hostname, by issuer."""
    found: dict[str, set[str]] = {}
    for mark in revocations(zone):
        if hostname in mark.hostnames and mark.enabled:
            found.setdefault(mark.issuer, set()).update(mark.serials)
    return found


def seen(zone: CalmZone) -> list[tuple[bool, dict[str, set[str]]]]:
    """From now on: whether a rule is there and what it keeps out, at each write of the zone."""
    states: list[tuple[bool, dict[str, set[str]]]] = []
    zone.zone.watch = lambda: states.append(
        (any(isinstance(each, Enforcement) for each in zone.marks()), revoked(zone))
    )
    return states


def kinds(zone: CalmZone) -> list[str]:
    """The ruleset in its order."""
    return [type(mark).__name__ for mark in zone.marks()]


def spoil(zone: CalmZone, **changes: Any) -> str:
    """Somebody changes the rule about revoked certificates; its id."""
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    at = next(i for i, mark in enumerate(zone.marks()) if isinstance(mark, Revocation))
    rule = ruleset.rules[at]
    altered = replace(rule, body=replace(rule.body, **changes))
    zone.zone.set_rules((*ruleset.rules[:at], altered, *ruleset.rules[at + 1 :]))
    return rule.id


def left_rules(zone: CalmZone, *marks: Enforcement | Revocation) -> None:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    rules = [
        Rule(
            f"left-{i}",
            enforcement_body(m, f"left-{i}") if isinstance(m, Enforcement) else revocation_body(m, f"left-{i}"),
        )
        for i, m in enumerate(marks)
    ]
    zone.zone.set_rules((*rules, *ruleset.rules))


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


def many(count: int) -> Revocations:
    return revoking(*(f"{10**30 + number:X}" for number in range(count)))


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
