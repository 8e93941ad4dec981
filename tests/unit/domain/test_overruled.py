"""Somebody keeps undoing our rules: they are put right each time, and that it happens is told of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Claim, Enforcement, claim_body, read_mark
from mtls_operator.domain.observed import Rule
from mtls_operator.domain.zone_progress import HostStage
from tests.unit.domain.test_zone_plan import API, FOREIGN, US, CalmZone, enforced, wanted

Change = Callable[[tuple[Rule, ...]], tuple[Rule, ...]]


@pytest.fixture
def zone() -> CalmZone:
    """A zone where one hostname is enforced, and has been for long."""
    zone = CalmZone()
    zone.after(wanted())
    return zone


def ours(rule: Rule) -> bool:
    mark = read_mark(rule)
    return isinstance(mark, Enforcement) and mark.installation == US


def disabled(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(replace(each, body=replace(each.body, enabled=False)) if ours(each) else each for each in rules)


def deleted(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(each for each in rules if not ours(each))


def rewritten(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    words = f'http.host eq "{API}"'
    return tuple(replace(each, body=replace(each.body, expression=words)) if ours(each) else each for each in rules)


def moved_back(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return (*deleted(rules), *filter(ours, rules))


def claims_enabled(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(
        replace(each, body=replace(each.body, enabled=True)) if isinstance(read_mark(each), Claim) else each
        for each in rules
    )


def all_gone(_: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return (FOREIGN,)


def undo(zone: CalmZone, change: Change, seconds: float = 300.0) -> bool:
    """Whether it is told of some time after somebody did this to the rules once more."""
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(change(ruleset.rules))
    zone.operator.look()
    zone.wait(seconds)
    return zone.stage().overruled


@pytest.mark.parametrize("change", [disabled, deleted, rewritten, moved_back, claims_enabled, all_gone])
def test_who_undoes_our_rules_again_and_again_is_told_of_until_they_stay(zone: CalmZone, change: Change) -> None:
    told = [undo(zone, change) for _ in range(4)]

    zone.wait(10_000.0)

    assert told == [False, False, True, True]
    assert not zone.stage().overruled
    assert enforced() in zone.marks()
    assert zone.stage().stage is HostStage.ENFORCED


def test_who_undoes_our_rules_now_and_then_is_no_conflict(zone: CalmZone) -> None:
    assert [undo(zone, disabled, 5_000.0) for _ in range(4)] == [False] * 4


def test_who_takes_a_hostname_off_its_list_undoes_no_rules_and_who_undoes_rules_takes_nothing_off(
    zone: CalmZone,
) -> None:
    undone = [undo(zone, deleted) for _ in range(3)]

    assert undone[-1]
    assert not zone.stage().contested


def test_who_puts_right_himself_what_he_did_while_a_binding_is_laid_aside_has_overruled_nobody(zone: CalmZone) -> None:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.after(replace(zone.ours(), suspended=True))
    told = [undo(zone, change) for change in (disabled, lambda _: ruleset.rules) * 4]

    assert zone.operator.known.disturbed == frozenset()
    assert zone.operator.known.overruled == {}
    assert not any(told)


def test_what_we_change_ourselves_is_not_undone_by_anybody(zone: CalmZone) -> None:
    for _ in range(3):
        zone.after(replace(zone.ours(), suspended=True))
        zone.after(replace(zone.ours(), suspended=False, deleting=True))
        zone.after(wanted())

    assert zone.operator.known.overruled == {}


def test_rules_of_other_installations_and_of_people_are_no_rules_of_ours(zone: CalmZone) -> None:
    mark = next(each for each in zone.marks() if isinstance(each, Claim))
    theirs = replace(mark, installation=replace(US, owner="them", cluster="them"))
    added = (Rule("theirs", claim_body(theirs, "theirs")), replace(FOREIGN, id="waf-2"))

    told = [undo(zone, change) for change in (lambda rules: (*rules, *added), lambda rules: rules[:-2]) * 3]

    assert not any(told)
    assert zone.operator.known.overruled == {}
