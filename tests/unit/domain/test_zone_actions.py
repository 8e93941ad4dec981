"""What a rule does: block, log or nothing; which issuers it asks for; and what a change of that does to a hostname."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Installation, claim_body, enforcement_body
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import (
    API,
    CERTIFICATE,
    FOREIGN,
    SET_UP,
    TARGET,
    TEAR_DOWN,
    TIMING,
    US,
    CalmZone,
    wanted,
)

ELSEWHERE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
OLD, NEW = frozenset({"a" * 16}), frozenset({"b" * 16})
AHEAD = Installation("ahead", "33333333-2222-4333-8444-555555555555")
A, B, X = frozenset({"AA01"}), frozenset({"BB02"}), frozenset({"EE09"})
BLOCKED, LOGGED, BARE = Policy(A, "block"), Policy(A, "log"), Policy(A, "none")
UNPINNED = Policy(None, "block")


def under(policy: Policy) -> Target:
    return replace(TARGET, policy=policy, issuers=A)


def moved(policy: Policy) -> Target:
    """To another CA, with an overlap of two hours."""
    return Target(ELSEWHERE, NEW, NEW, policy, overlap=7200.0, issuers=B)


@pytest.fixture
def zone() -> CalmZone:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({"old.example.com"})])
    return zone


def rules(zone: CalmZone) -> list[Policy]:
    """What the rules for the hostname do."""
    return [
        Policy(mark.issuers, mark.action, mark.response, mark.tolerant)
        for mark in zone.marks()
        if isinstance(mark, Enforcement)
    ]


def lists(zone: CalmZone) -> list[bool]:
    return [API in zone.zone.lists[each].now for each in (CERTIFICATE, ELSEWHERE)]


def in_force(zone: CalmZone, policy: Policy) -> CalmZone:
    zone.after(wanted(target=under(policy)))
    zone.steps.clear()
    return zone


def becomes(zone: CalmZone, target: Target, seconds: float = 1_000.0) -> list[list[Policy]]:
    """The rules as they were at each write, after a binding changes; the last is what they end as."""
    seen: list[list[Policy]] = []
    zone.zone.watch = lambda: seen.append(rules(zone))
    zone.after(replace(zone.ours(), target=target), seconds=seconds)
    return [each for index, each in enumerate(seen) if index == 0 or each != seen[index - 1]]


def leave(zone: CalmZone, installation: Installation) -> None:
    """Another installation takes its claims away."""
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(tuple(rule for rule in ruleset.rules if rule.id != f"of {installation.owner}"))


def join(zone: CalmZone, claim: Claim) -> None:
    """Another installation claims something."""
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    ref = f"of {claim.installation.owner}"
    zone.zone.set_rules((*ruleset.rules, Rule(ref, claim_body(claim, ref))))


def test_a_binding_that_logs_gets_a_rule_that_logs(zone: CalmZone) -> None:
    in_force(zone, LOGGED)

    assert rules(zone) == [LOGGED]
    assert zone.stage().stage is HostStage.LOGGED


def test_a_binding_without_a_rule_is_on_the_list_and_held_and_that_is_all(zone: CalmZone) -> None:
    steps = list(zone.after(wanted(target=under(BARE))))

    assert steps == SET_UP[:-1]
    assert (rules(zone), zone.stage().stage) == ([], HostStage.ASSOCIATED)
    assert API in zone.listed


def test_a_binding_without_a_rule_leaves_like_any_other(zone: CalmZone) -> None:
    in_force(zone, BARE)

    steps = zone.after(replace(zone.ours(), deleting=True))

    assert steps == TEAR_DOWN[1:]
    assert zone.marks() == [None]
    assert zone.listed == {"old.example.com"}


def test_a_rule_changes_what_it_does_by_one_write(zone: CalmZone) -> None:
    in_force(zone, LOGGED)

    assert becomes(zone, under(BLOCKED)) == [[BLOCKED]]
    assert becomes(zone, under(LOGGED)) == [[LOGGED]]
    assert "DeleteRule" not in zone.steps


def test_a_hostname_that_was_only_logged_is_not_said_to_be_covered_when_it_is_to_be_blocked(zone: CalmZone) -> None:
    in_force(zone, LOGGED)

    zone.cluster.put(replace(zone.ours(), target=under(BLOCKED)))

    assert zone.stage().stage is HostStage.ASSOCIATED


def test_a_rule_goes_when_there_is_to_be_none_and_the_hostname_stays_on_its_list(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)

    assert becomes(zone, under(BARE)) == [[]]
    assert (API in zone.listed, zone.stage().stage) == (True, HostStage.ASSOCIATED)


def test_a_hostname_leaves_its_list_when_its_rule_is_gone_from_the_whole_edge(zone: CalmZone) -> None:
    zone.operator.timing = replace(TIMING, settle=150.0)
    in_force(zone, BLOCKED)

    zone.after(replace(zone.ours(), deleting=True), seconds=148.0)
    before = (rules(zone), API in zone.listed)
    zone.wait(10.0)

    assert (before, API in zone.listed) == (([], True), False)


@pytest.mark.parametrize("policies", [(BLOCKED, UNPINNED), (UNPINNED, BLOCKED)], ids=["unpinned", "pinned"])
def test_pinning_changes_at_once_by_one_write(zone: CalmZone, policies: tuple[Policy, Policy]) -> None:
    before, after = policies
    in_force(zone, before)

    assert becomes(zone, under(after)) == [[after]]


def test_a_hostname_is_matched_tolerantly_by_one_write(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)

    tolerant = replace(BLOCKED, tolerant=True)

    assert becomes(zone, under(tolerant)) == [[tolerant]]


def test_that_a_rule_pins_no_issuers_is_known_also_of_one_that_stays_as_it_is(zone: CalmZone) -> None:
    in_force(zone, UNPINNED)
    unpinned = zone.stage()
    zone.after(replace(zone.ours(), blocked=True))
    kept = zone.stage()
    zone.after(replace(zone.ours(), blocked=False, target=under(BLOCKED)))

    assert (unpinned.stage, unpinned.unpinned) == (HostStage.ENFORCED, True)
    assert (kept.stage, kept.unpinned) == (HostStage.ENFORCED, True)
    assert (zone.stage().stage, zone.stage().unpinned) == (HostStage.ENFORCED, False)


@pytest.mark.parametrize("policy", [UNPINNED, BARE, replace(LOGGED, issuers=None)], ids=["unpinned", "none", "log"])
def test_where_no_rule_tells_two_cas_apart_the_hostname_is_on_both_lists_for_the_overlap(
    zone: CalmZone, policy: Policy
) -> None:
    in_force(zone, policy)

    zone.after(replace(zone.ours(), target=moved(policy)), seconds=7_000.0)
    overlap = (lists(zone), rules(zone), zone.stage().stage)
    zone.wait(7_000.0)

    expected = [] if policy.is_bare else [policy]
    stage = {"block": HostStage.ENFORCED, "log": HostStage.LOGGED, "none": HostStage.ASSOCIATED}[policy.action]
    assert overlap == ([True, True], expected, stage)
    assert (lists(zone), rules(zone)) == ([False, True], expected)
    assert zone.ours().managed == {ELSEWHERE: frozenset({API})}


@pytest.mark.parametrize("policy", [UNPINNED, BARE, replace(LOGGED, issuers=None)], ids=["unpinned", "none", "log"])
def test_where_no_rule_tells_two_cas_apart_it_is_said_who_keeps_the_hostname_on_the_earlier_list(
    zone: CalmZone, policy: Policy
) -> None:
    in_force(zone, policy)
    join(zone, Claim(AHEAD, ClaimState.HELD, frozenset({CERTIFICATE}), frozenset({API}), OLD, OLD))

    zone.after(replace(zone.ours(), target=moved(policy)), seconds=14_000.0)
    waiting = (lists(zone), zone.stage().stage, zone.stage().waits_for)
    leave(zone, AHEAD)
    zone.operator.look()
    zone.wait(1_000.0)

    assert waiting == ([True, True], HostStage.ASSOCIATED if policy.is_bare else HostStage.MOVING, ("ahead",))
    assert (lists(zone), zone.stage().waits_for) == ([False, True], ())
    assert zone.stage().stage is not HostStage.MOVING


def test_the_earlier_list_is_left_only_when_the_hostname_is_read_on_the_new_one(zone: CalmZone) -> None:
    in_force(zone, UNPINNED)
    zone.after(replace(zone.ours(), target=moved(UNPINNED)), seconds=7_000.0)
    zone.zone.put_list(ELSEWHERE, frozenset({"old.example.com"}))
    seen: list[list[bool]] = []
    zone.zone.watch = lambda: seen.append(lists(zone))

    zone.wait(600.0)

    assert [each for index, each in enumerate(seen) if index == 0 or each != seen[index - 1]] == [
        [True, True],
        [False, True],
    ]


def test_pinned_and_moved_at_once_a_rule_lets_clients_of_both_through_until_the_overlap_is_over(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)

    seen = becomes(zone, moved(UNPINNED), seconds=7_000.0)
    overlap = lists(zone)
    zone.wait(7_000.0)

    assert seen == [[BLOCKED], [UNPINNED]]
    assert (overlap, lists(zone), rules(zone)) == ([True, True], [False, True], [UNPINNED])


def test_an_issuer_that_a_spec_named_is_accepted_no_more_at_once_also_during_an_overlap(zone: CalmZone) -> None:
    zone.cluster.issuers = A | B
    in_force(zone, replace(BLOCKED, issuers=A | X))
    zone.after(replace(zone.ours(), target=moved(replace(BLOCKED, issuers=B | X))), seconds=1_000.0)
    overlap = rules(zone)

    zone.after(replace(zone.ours(), target=moved(replace(BLOCKED, issuers=B))), seconds=10.0)
    narrowed = rules(zone)
    zone.wait(14_000.0)

    assert overlap == [replace(BLOCKED, issuers=A | B | X)]
    assert narrowed == [replace(BLOCKED, issuers=A | B)]
    assert rules(zone) == [replace(BLOCKED, issuers=B)]


def test_an_issuer_that_a_spec_named_does_not_wait_for_another_installation(zone: CalmZone) -> None:
    zone.cluster.issuers = A
    in_force(zone, replace(BLOCKED, issuers=A | X))
    theirs = Claim(AHEAD, ClaimState.HELD, frozenset({CERTIFICATE}), frozenset({API}), NEW, NEW)
    join(zone, theirs)
    zone.operator.look()

    zone.after(replace(zone.ours(), target=under(BLOCKED)), seconds=10.0)

    assert rules(zone) == [BLOCKED]


def test_a_response_changes_during_an_overlap(zone: CalmZone) -> None:
    in_force(zone, BLOCKED)
    zone.after(replace(zone.ours(), target=moved(replace(BLOCKED, issuers=B))), seconds=1_000.0)

    zone.after(replace(zone.ours(), target=moved(replace(LOGGED, issuers=B))), seconds=10.0)

    assert rules(zone) == [replace(LOGGED, issuers=A | B)]


def test_a_hostname_without_a_rule_stays_though_another_installation_comes_for_other_cas(zone: CalmZone) -> None:
    in_force(zone, BARE)
    coming = Claim(AHEAD, ClaimState.ARRIVING, frozenset({ELSEWHERE}), frozenset({API}), NEW, frozenset())
    join(zone, coming)
    zone.operator.look()

    zone.wait(2_000.0)

    assert API in zone.listed
    assert zone.stage().stage is HostStage.ASSOCIATED


def test_what_the_rules_of_others_have_to_accept_are_the_issuers_of_the_ca_whatever_the_policy_names() -> None:
    assert under(BLOCKED).relied_on == A
    assert under(Policy(A | X, "block")).relied_on == A
    assert under(UNPINNED).relied_on == A
    assert replace(TARGET, policy=None).relied_on is None


@pytest.mark.parametrize("policy", [UNPINNED, BARE], ids=["unpinned", "none"])
def test_what_another_token_takes_over_without_a_pinned_rule_is_left_after_the_overlap(
    zone: CalmZone, policy: Policy
) -> None:
    in_force(zone, policy)
    zone.cluster.put(Binding(ResourceKey("apps", "second"), (API,), moved(policy), party=1))

    zone.after(replace(zone.ours(), deleting=True), seconds=7_000.0)
    overlap = lists(zone)
    zone.wait(7_000.0)

    assert (overlap, lists(zone)) == ([True, True], [False, True])
    assert list(zone.cluster.bindings) == [ResourceKey("apps", "second")]


def test_a_rule_that_changes_before_the_edge_has_it_is_not_said_to_cover(zone: CalmZone) -> None:
    zone.after(wanted(target=under(BLOCKED)), seconds=100.0)
    created = (rules(zone), zone.stage().stage)

    zone.cluster.put(
        replace(zone.ours(), target=under(replace(BLOCKED, response=BlockResponse(401, "text/plain", ""))))
    )
    at_once = zone.stage().stage
    zone.wait(5.0)

    assert created == ([BLOCKED], HostStage.ASSOCIATED)
    assert (at_once, zone.stage().stage) == (HostStage.ASSOCIATED, HostStage.ASSOCIATED)


def test_an_issuer_may_be_a_cas_where_a_claim_of_ours_is_in_no_status(zone: CalmZone) -> None:
    zone.cluster.issuers = A
    in_force(zone, replace(BLOCKED, issuers=A | X))
    join(zone, Claim(US, ClaimState.HELD, frozenset({ELSEWHERE}), frozenset({"lost.example.com"}), NEW, NEW))
    join(zone, Claim(AHEAD, ClaimState.HELD, frozenset({CERTIFICATE}), frozenset({API}), NEW, NEW))
    zone.operator.look()

    zone.after(replace(zone.ours(), target=under(BLOCKED)), seconds=10.0)

    assert rules(zone) == [replace(BLOCKED, issuers=A | X)]


MANY, MORE = (frozenset(f"{start + n:04X}" * 10 for n in range(60)) for start in (0, 100))


def test_a_rule_that_cannot_accept_both_cas_stays_as_it_is_and_the_hostname_says_so(zone: CalmZone) -> None:
    in_force(zone, replace(BLOCKED, issuers=MANY))

    crowded = replace(moved(replace(BLOCKED, issuers=MORE)), issuers=MORE)
    seen = becomes(zone, crowded, seconds=20_000.0)

    assert {tuple(each) for each in seen} == {(replace(BLOCKED, issuers=MANY),)}
    assert (zone.stage().stage, zone.stage().cramped) == (HostStage.MOVING, True)
    assert lists(zone) == [True, True]


@pytest.mark.parametrize("policy", [LOGGED, BARE], ids=["log", "none"])
def test_where_nothing_is_blocked_a_hostname_waits_too_while_another_installation_refuses_the_new_ca(
    zone: CalmZone, policy: Policy
) -> None:
    in_force(zone, policy)
    ruleset = zone.zone.ruleset.now
    theirs = Enforcement(AHEAD, frozenset({API}), A, "block", None, enabled=True, retained=False)
    rule = Rule("ahead-rule", enforcement_body(theirs, "ahead-rule"))
    zone.zone.set_rules((*(ruleset.rules if ruleset else ()), rule))
    zone.operator.look()
    rotating = replace(under(policy), issuers=A | B, retiring=A, until="2026-03-02T00:00:00Z")

    zone.after(replace(zone.ours(), target=rotating))

    assert zone.stage().waits_for == ("ahead",)


def test_a_new_rule_is_put_before_one_of_somebody_else_that_came_since_the_rules_were_read(zone: CalmZone) -> None:
    in_force(zone, BARE)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    newcomer = Rule("skip", replace(FOREIGN.body, ref="skip", action="skip"))
    zone.zone.set_rules((newcomer, *ruleset.rules))
    orders: list[list[bool]] = []
    zone.zone.watch = lambda: orders.append([isinstance(mark, Enforcement) for mark in zone.marks()])

    zone.after(replace(zone.ours(), target=under(BLOCKED)), seconds=100.0)

    assert orders
    assert all(order[0] for order in orders)


def test_unpinned_and_moved_and_pinned_at_once_a_rule_accepts_any_until_the_overlap_is_over(zone: CalmZone) -> None:
    in_force(zone, UNPINNED)

    seen = becomes(zone, moved(replace(BLOCKED, issuers=B)), seconds=7_000.0)
    overlap = (lists(zone), zone.stage().stage)
    zone.wait(7_000.0)

    assert seen == [[UNPINNED]]
    assert overlap == ([True, True], HostStage.MOVING)
    assert (lists(zone), rules(zone)) == ([False, True], [replace(BLOCKED, issuers=B)])
