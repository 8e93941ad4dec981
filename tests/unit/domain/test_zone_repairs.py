"""Somebody changes at Cloudflare what is ours: a look that is due finds it, and it is repaired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Unreadable, read_mark
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_plan import ZonePlan
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_steps import WriteRule
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import (
    API,
    CERTIFICATE,
    FOREIGN,
    TARGET,
    WEB,
    CalmZone,
    claim,
    enforced,
    wanted,
)

LOOK = ["ReadRules", "ReadList"]
OTHER_POLICY = Policy(frozenset({"AA01"}), "block", BlockResponse(403, "text/plain", "no"))


@pytest.fixture
def zone() -> CalmZone:
    """A zone where one hostname is enforced, and has been for long."""
    zone = CalmZone()
    zone.after(wanted())
    zone.steps.clear()
    return zone


def after_a_look(zone: CalmZone, seconds: float = 5_000.0) -> list[str]:
    zone.operator.look()
    return list(zone.wait(seconds))


def spoil(zone: CalmZone, kind: type[Claim | Enforcement], change: Callable[[Rule], Rule]) -> None:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(tuple(change(rule) if isinstance(read_mark(rule), kind) else rule for rule in ruleset.rules))


def test_a_look_at_a_zone_where_all_is_well_reads_the_rules_and_each_list_once_and_writes_nothing(
    zone: CalmZone,
) -> None:
    assert after_a_look(zone) == LOOK


def test_a_hostname_that_somebody_took_off_the_list_is_put_back_at_once_and_seen_to_settle(zone: CalmZone) -> None:
    zone.zone.put_list(CERTIFICATE, frozenset({"old.example.com"}))

    at_once = after_a_look(zone, seconds=1.0)
    later = list(zone.wait(5_000.0))[len(at_once) :]

    assert at_once == [*LOOK, "WriteList", "ReadList"]
    assert later == ["ReadList"]
    assert zone.listed == {"old.example.com", API}
    assert enforced() in zone.marks()


def test_a_hostname_that_somebody_brings_back_while_it_leaves_is_taken_off_again(zone: CalmZone) -> None:
    zone.after(replace(zone.ours(), deleting=True), seconds=100.0)
    taken_off = zone.listed
    zone.zone.put_list(CERTIFICATE, frozenset({"old.example.com", API}))

    zone.wait(5_000.0)

    assert API not in taken_off
    assert zone.listed == {"old.example.com"}


def test_after_a_start_a_list_that_may_be_old_is_read_again_before_it_is_repaired(zone: CalmZone) -> None:
    zone.zone.put_list(CERTIFICATE, frozenset())
    zone.begin_again()
    zone.wait(1.0)

    at_once = after_a_look(zone, seconds=1.0)
    zone.wait(5_000.0)

    assert "WriteList" not in at_once
    assert zone.listed == {API}


def test_a_hostname_that_vanishes_again_before_it_settled_is_put_back_again(zone: CalmZone) -> None:
    zone.zone.put_list(CERTIFICATE, frozenset())
    after_a_look(zone, seconds=30.0)
    zone.zone.put_list(CERTIFICATE, frozenset())

    zone.wait(5_000.0)

    assert zone.listed == {API}


def test_who_takes_a_hostname_off_again_and_again_is_told_of_until_it_stays(zone: CalmZone) -> None:
    contested = []
    for _ in range(4):
        zone.zone.put_list(CERTIFICATE, frozenset())
        zone.operator.look()
        zone.wait(300.0)
        contested.append(zone.stage().contested)

    zone.wait(5_000.0)

    assert contested == [False, False, True, True]
    assert not zone.stage().contested
    assert zone.listed == {API}


def test_who_takes_a_hostname_off_now_and_then_keeps_nothing_from_settling(zone: CalmZone) -> None:
    for _ in range(4):
        zone.zone.put_list(CERTIFICATE, frozenset())
        zone.operator.look()
        zone.wait(5_000.0)

    assert not zone.stage().contested


def test_a_rule_that_somebody_disabled_is_enabled_by_one_write(zone: CalmZone) -> None:
    spoil(zone, Enforcement, lambda rule: replace(rule, body=replace(rule.body, enabled=False)))

    assert after_a_look(zone) == [*LOOK, "WriteRule"]
    assert enforced() in zone.marks()


def test_a_rule_whose_expression_somebody_changed_goes_when_the_hostname_goes_to_who_wants_none(zone: CalmZone) -> None:
    elsewhere, other = CertificateId("bbbbbbbb-0000-4000-8000-000000000000"), frozenset({"b" * 16})
    zone.zone.lists[elsewhere] = Past([0.0], [frozenset[str]()])
    heir = Binding(ResourceKey("apps", "heir"), (API,), Target(elsewhere, other, other, Policy(None, "none")))
    zone.after(heir)
    spoil(zone, Enforcement, lambda rule: replace(rule, body=replace(rule.body, expression=f'http.host eq "{API}"')))

    zone.cluster.put(replace(zone.ours(), deleting=True))
    after_a_look(zone)

    assert [mark for mark in zone.marks() if not isinstance(mark, Claim)] == [None]
    assert API in zone.zone.lists[elsewhere].now


def test_a_rule_whose_expression_somebody_changed_goes_when_another_covers_what_it_was_for(zone: CalmZone) -> None:
    spoil(zone, Enforcement, lambda rule: replace(rule, body=replace(rule.body, expression=f'http.host eq "{API}"')))

    assert after_a_look(zone) == [*LOOK, "WriteRule", "DeleteRule"]
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_a_rule_that_somebody_changed_stays_as_long_as_it_is_all_that_covers_a_hostname(zone: CalmZone) -> None:
    spoil(
        zone,
        Enforcement,
        lambda rule: replace(rule, body=replace(rule.body, expression=f'(http.host in {{"{API}" "{WEB}"}} and true)')),
    )
    zone.zone.put_list(CERTIFICATE, frozenset())

    after_a_look(zone, seconds=60.0)

    assert any(isinstance(mark, Unreadable) for mark in zone.marks())


def test_a_claim_that_somebody_changed_goes_when_another_says_the_same_also_where_there_is_no_rule(
    zone: CalmZone,
) -> None:
    zone.after(replace(zone.ours(), target=replace(TARGET, policy=Policy(frozenset({"AA01"}), "none"))))
    spoil(zone, Claim, lambda rule: replace(rule, body=replace(rule.body, expression=f'(http.host eq "{API}")')))

    after_a_look(zone)

    assert zone.marks() == [None, claim(ClaimState.HELD)]


def test_a_claim_that_somebody_enabled_is_disabled_again(zone: CalmZone) -> None:
    spoil(zone, Claim, lambda rule: replace(rule, body=replace(rule.body, enabled=True, action="block")))

    assert after_a_look(zone) == ["ReadRules", "WriteRule", "ReadList"]
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_a_rule_that_somebody_moved_goes_back_before_every_rule_that_may_bypass_it(zone: CalmZone) -> None:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules((*ruleset.rules[1:], ruleset.rules[0]))

    after_a_look(zone)

    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_a_rule_that_somebody_put_before_ours_stays_and_ours_goes_before_it(zone: CalmZone) -> None:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    skip = replace(FOREIGN, id="skip")
    zone.zone.set_rules((skip, *ruleset.rules))

    after_a_look(zone)

    assert zone.marks() == [enforced(), None, None, claim(ClaimState.HELD)]


def test_what_is_repaired_is_told_apart_from_what_is_new(zone: CalmZone) -> None:
    zone.zone.put_list(CERTIFICATE, frozenset())
    zone.operator.look()
    zone.operator.before_step = lambda _operator, step: repairs.append(getattr(step, "repairs", None))
    repairs: list[bool | None] = []

    zone.wait(1.0)

    assert repairs == [None, None, True, None]


def test_a_rule_that_somebody_changed_stays_where_it_covers_what_another_party_or_nobody_acts_for(
    zone: CalmZone,
) -> None:
    second = Binding(ResourceKey("apps", "second"), (WEB,), replace(TARGET, policy=OTHER_POLICY))
    zone.after(second)
    zone.after(replace(zone.cluster.bindings[second.key], suspended=True))
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    spoilt = f'http.host eq "{WEB}"'
    zone.zone.set_rules(
        tuple(
            replace(rule, body=replace(rule.body, expression=f'(http.host in {{"{WEB}"}} and {spoilt})'))
            if WEB in rule.body.expression
            else rule
            for rule in ruleset.rules
        )
    )

    after_a_look(zone)

    assert [mark for mark in zone.marks() if isinstance(mark, Unreadable)] != []


def test_while_a_hostname_is_off_its_list_that_is_said_and_that_it_is_covered(zone: CalmZone) -> None:
    zone.zone.put_list(CERTIFICATE, frozenset())

    zone.operator.look()
    seen = []
    for _ in range(50):
        zone.wait(0.02)
        seen.append((zone.stage().stage, zone.stage().missing))
    zone.wait(5_000.0)

    assert set(seen) == {(HostStage.ENFORCED, False), (HostStage.ENFORCED, True)}
    assert not zone.stage().missing


def test_what_was_put_back_is_said_to_be_off_the_list_until_it_has_settled_there(zone: CalmZone) -> None:
    zone.zone.put_list(CERTIFICATE, frozenset({"old.example.com"}))
    missing = []
    zone.operator.before_step = lambda _operator, _step: missing.append(zone.stage().missing)

    after_a_look(zone)

    assert missing == [False, False, True, True, True]
    assert not zone.stage().missing


def test_the_disabled_rule_of_a_binding_that_cannot_be_reconciled_is_enabled_as_it_was(zone: CalmZone) -> None:
    zone.cluster.put(replace(zone.ours(), blocked=True))
    spoil(zone, Enforcement, lambda rule: replace(rule, body=replace(rule.body, enabled=False)))

    after_a_look(zone)

    assert enforced() in zone.marks()


def test_a_rule_that_holds_only_what_acts_with_another_token_is_repaired_with_that_token(zone: CalmZone) -> None:
    second = Binding(ResourceKey("apps", "second"), (WEB,), replace(TARGET, policy=OTHER_POLICY), party=1)
    zone.after(second)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules((FOREIGN, *(rule for rule in ruleset.rules if rule.id != FOREIGN.id)))
    zone.operator.known = zone.operator.known.with_rules_read(
        zone.zone.ruleset.now, begun=zone.time.now, now=zone.time.now, us=zone.cluster.installation, window=90.0
    )

    first_party, second_party = zone.operator.plans()

    assert moved(first_party) == [frozenset({API})]
    assert moved(second_party) == [frozenset({WEB})]


def moved(plan: ZonePlan) -> list[frozenset[str]]:
    bodies = [step.body for step in plan.steps if isinstance(step, WriteRule) and step.repairs]
    marks = [read_mark(Rule("moved", body)) for body in bodies]
    return [mark.hostnames for mark in marks if isinstance(mark, Enforcement)]
