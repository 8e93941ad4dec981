"""What one installation leaves to another, and what is done when somebody replaced the whole ruleset."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import (
    Claim,
    ClaimState,
    Enforcement,
    Installation,
    claim_body,
    enforcement_body,
)
from mtls_operator.domain.observed import Rule
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_knowledge import nothing_known
from mtls_operator.domain.zone_plan import ZonePlan, plan_zone
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_stakes import Desired, desired_of
from mtls_operator.domain.zone_steps import WriteRule
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.test_zone_plan import (
    API,
    CERTIFICATE,
    FOREIGN,
    KEY,
    OTHERS,
    TARGET,
    TIMING,
    US,
    WEB,
    CalmZone,
    claim,
    enforced,
    wanted,
)

TWIN = Installation(US.owner, OTHERS.cluster)
HEIR = Installation("heir", US.cluster)
LOOK = ["ReadRules", "ReadList"]


def rule(mark: Claim | Enforcement, ref: str) -> Rule:
    return Rule(ref, claim_body(mark, ref) if isinstance(mark, Claim) else enforcement_body(mark, ref))


def their_rule(*hostnames: str, retained: bool = False, by: Installation = OTHERS) -> Rule:
    return rule(replace(enforced(*hostnames), installation=by, retained=retained), "their-rule")


def desired(zone: CalmZone, *predecessors: Installation) -> Desired:
    return desired_of(US, own=zone.cluster.stakes, still=(), predecessors=frozenset(predecessors))


def plan(zone: CalmZone, *predecessors: Installation) -> ZonePlan:
    return plan_zone(desired(zone, *predecessors), zone.operator.known, zone.time.now, TIMING)


def test_nothing_is_written_where_another_cluster_uses_our_owner_id() -> None:
    zone = CalmZone(rules=(rule(claim(ClaimState.HELD, WEB, by=TWIN), "twin"),))

    steps = zone.after(wanted())

    assert steps == ["ReadRules"]
    assert plan(zone).rival == TWIN


def test_under_a_conflict_of_owner_ids_the_zone_is_still_looked_at_and_who_owns_nothing_may_go() -> None:
    zone = CalmZone(rules=(rule(claim(ClaimState.HELD, WEB, by=TWIN), "twin"),))
    zone.after(wanted())
    zone.steps.clear()

    zone.operator.look()
    looked = list(zone.wait(100.0))
    steps = zone.after(replace(zone.ours(), deleting=True))

    assert looked == ["ReadRules"]
    assert (steps, zone.cluster.bindings) == ([], {})


def test_the_marks_of_a_predecessor_become_ours_rule_by_rule() -> None:
    theirs = (their_rule(WEB, by=TWIN), FOREIGN, rule(claim(ClaimState.HELD, WEB, by=TWIN), "twin"))
    zone = CalmZone(rules=theirs)
    zone.cluster.predecessors = frozenset({TWIN})

    zone.after(wanted())

    assert plan(zone, TWIN).rival is None
    assert zone.marks() == [enforced(API, WEB), None, claim(ClaimState.HELD, API, WEB)]


def test_a_hostname_leaves_a_retained_rule_of_another_installation_once_ours_has_settled() -> None:
    zone = CalmZone(rules=(their_rule(API, WEB, retained=True), FOREIGN), hostnames=frozenset({API, WEB}))

    zone.after(wanted(), seconds=150.0)
    both = zone.marks()
    zone.wait(5_000.0)

    left = replace(enforced(WEB), installation=OTHERS, retained=True)
    assert replace(left, hostnames=frozenset({API, WEB})) in both
    assert enforced() in both
    assert zone.marks() == [left, enforced(), None, claim(ClaimState.HELD)]


def test_a_retained_rule_of_another_installation_goes_when_its_last_hostname_leaves_it() -> None:
    zone = CalmZone(rules=(their_rule(API, retained=True), FOREIGN), hostnames=frozenset({API}))

    zone.after(wanted())

    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_what_we_retained_ourselves_is_ours_again_by_one_write() -> None:
    kept = their_rule(API, retained=True, by=US)
    zone = CalmZone(rules=(kept, FOREIGN), hostnames=frozenset({API}))

    zone.after(wanted())

    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]
    assert zone.operator.calls["DeleteRule"] == 0


@pytest.fixture
def zone() -> CalmZone:
    """A zone where two hostnames are enforced, and have been for long."""
    zone = CalmZone()
    zone.after(wanted(API, WEB))
    zone.steps.clear()
    return zone


def replace_ruleset(zone: CalmZone) -> None:
    zone.zone.set_rules((FOREIGN,))
    zone.operator.look()


def test_when_somebody_replaced_the_ruleset_what_was_enforced_and_is_on_its_list_is_so_again_at_once(
    zone: CalmZone,
) -> None:
    replace_ruleset(zone)

    steps = list(zone.wait(5.0))

    assert steps[:2] == ["ReadRules", "NoteReplacement"]
    assert zone.marks() == [enforced(API, WEB), None, claim(ClaimState.HELD, API, WEB)]
    assert "WriteList" not in steps


def test_after_a_start_too(zone: CalmZone) -> None:
    zone.zone.set_rules((FOREIGN,))
    zone.begin_again()

    zone.wait(5.0)

    assert enforced(API, WEB) in zone.marks()


def test_what_is_not_on_its_list_any_more_arrives_again(zone: CalmZone) -> None:
    zone.zone.put_list(CERTIFICATE, frozenset({WEB}))
    replace_ruleset(zone)

    zone.wait(50.0)
    soon = zone.marks()
    zone.wait(5_000.0)

    assert enforced(WEB) in soon
    assert zone.stage().stage is HostStage.ENFORCED
    assert zone.listed == {API, WEB}


def test_nothing_is_removed_for_a_ceiling_so_that_others_can_put_theirs_back(zone: CalmZone) -> None:
    replace_ruleset(zone)
    zone.wait(5.0)

    zone.after(replace(zone.ours(), hostnames=(API,)), seconds=880.0)
    kept, until = zone.listed, plan(zone).put_back_until
    zone.wait(5_000.0)

    assert kept == {"old.example.com", API, WEB}
    assert until is not None
    assert zone.listed == {"old.example.com", API}
    assert plan(zone).put_back_until is None


def test_a_ruleset_that_is_replaced_again_later_is_put_back_again(zone: CalmZone) -> None:
    replace_ruleset(zone)
    zone.wait(1_000.0)
    replace_ruleset(zone)

    zone.wait(5.0)

    assert enforced(API, WEB) in zone.marks()


def test_what_was_put_back_once_does_not_count_as_on_its_list_for_ever(zone: CalmZone) -> None:
    replace_ruleset(zone)
    zone.wait(5_000.0)
    zone.after(replace(zone.ours(), deleting=True), seconds=110.0)
    taken_off = zone.listed

    zone.after(Binding(ResourceKey("apps", "second"), (API,), TARGET), seconds=30.0)

    assert API not in taken_off
    assert enforced() not in zone.marks()
    assert API in zone.listed


def test_a_retained_rule_that_its_installation_took_back_meanwhile_stays() -> None:
    zone = CalmZone(rules=(their_rule(API, retained=True), FOREIGN), hostnames=frozenset({API}))
    zone.after(wanted(), seconds=100.0)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    back = their_rule(API, WEB)
    zone.zone.set_rules(tuple(back if rule.id == back.id else rule for rule in ruleset.rules))

    zone.wait(5_000.0)

    assert replace(enforced(API, WEB), installation=OTHERS) in zone.marks()


def test_a_change_of_the_owner_id_is_no_replacement_where_the_old_one_is_taken_over(zone: CalmZone) -> None:
    zone.cluster.predecessors = frozenset({US})
    zone.cluster.installation = HEIR
    zone.operator.known = nothing_known(zone.time.now)

    zone.operator.look()
    steps = list(zone.wait(5_000.0))

    assert "NoteReplacement" not in steps
    assert replace(enforced(API, WEB), installation=HEIR) in zone.marks()


def test_what_an_earlier_cluster_of_our_owner_id_retained_is_no_conflict() -> None:
    zone = CalmZone(rules=(their_rule(API, retained=True, by=TWIN), FOREIGN), hostnames=frozenset({API}))

    zone.after(wanted())

    assert plan(zone).rival is None
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_what_is_retained_is_moved_by_nobody() -> None:
    kept = their_rule(WEB, retained=True, by=US)
    zone = CalmZone(rules=(FOREIGN, kept))

    zone.after(wanted())

    assert zone.marks() == [enforced(), None, replace(enforced(WEB), retained=True), claim(ClaimState.HELD)]


def test_until_it_is_enforced_again_a_hostname_goes_on_saying_that_it_was(zone: CalmZone) -> None:
    replace_ruleset(zone)
    stages = []
    zone.operator.before_step = lambda _operator, _step: stages.append(zone.ours().enforced)

    zone.wait(5.0)

    assert set(stages) == {frozenset({API, WEB})}


def test_what_we_retained_stays_though_a_binding_named_it_and_was_deleted_before_it_was_its_own() -> None:
    kept = their_rule(API, retained=True, by=US)
    zone = CalmZone(rules=(kept, FOREIGN), hostnames=frozenset({API}))
    zone.after(wanted(), seconds=30.0)

    zone.after(replace(zone.ours(), deleting=True))

    assert zone.cluster.bindings == {}
    assert zone.marks() == [replace(enforced(), retained=True), None]
    assert zone.listed == {API}


def test_the_marks_of_a_predecessor_are_signed_with_the_token_of_a_binding_that_has_a_hostname_of_them() -> None:
    theirs = (their_rule(WEB, by=TWIN), FOREIGN, rule(claim(ClaimState.HELD, WEB, by=TWIN), "twin"))
    zone = CalmZone(rules=theirs)
    zone.cluster.predecessors = frozenset({TWIN})
    zone.cluster.bindings[KEY] = wanted()
    zone.cluster.put(Binding(ResourceKey("apps", "second"), (WEB,), TARGET, party=1))
    known = zone.operator.known.with_rules_read(zone.zone.ruleset.now, begun=95.0, now=95.0, us=US, window=90.0)

    first, second = (plan_zone(each, known, 95.0, TIMING) for each in zone.cluster.desired())

    assert signed(first) == []
    assert signed(second) == ["their-rule", "twin"]


def signed(plan: ZonePlan) -> list[str | None]:
    return [step.rule_id for step in plan.steps if isinstance(step, WriteRule) and step.rule_id is not None]


def test_a_hostname_stays_in_a_retained_rule_whose_installation_brings_it_in_again() -> None:
    again = rule(claim(ClaimState.ARRIVING, API, by=OTHERS), "again")
    zone = CalmZone(rules=(their_rule(API, WEB, retained=True), FOREIGN, again), hostnames=frozenset({API, WEB}))

    zone.after(wanted(API, WEB))

    assert replace(enforced(API), installation=OTHERS, retained=True) in zone.marks()
    assert enforced(API, WEB) in zone.marks()
