"""The edits that bring rules to the groups that are wanted, as properties of any rules and any wishes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.domain.rule_groups import Edit, Group, RemoveRule, additions, removals

ROOM = {"wide": 4, "narrow": 2, "single": 1}
"""How many hostnames a rule of each group takes."""
GROUPS = sorted(ROOM)
HOSTNAMES = [f"h{number}" for number in range(6)]


def always(_one: str, _other: str) -> bool:
    return True


def fits(key: str, hostnames: Collection[str]) -> bool:
    return len(hostnames) <= ROOM[key]


@st.composite
def rules_that_fit(draw: st.DrawFn) -> tuple[Group[str], ...]:
    keys = draw(st.lists(st.sampled_from(GROUPS), max_size=5))
    hostnames = [draw(st.frozensets(st.sampled_from(HOSTNAMES), min_size=1, max_size=ROOM[key])) for key in keys]
    return tuple(Group(key, names, f"rule-{n}") for n, (key, names) in enumerate(zip(keys, hostnames, strict=True)))


def one_group_each(assigned: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """As the planner wants it mostly: every hostname in one group."""
    return {key: frozenset(h for h, k in assigned.items() if k == key) for key in GROUPS if key in assigned.values()}


wishes = st.dictionaries(st.sampled_from(HOSTNAMES), st.sampled_from(GROUPS)).map(one_group_each)


def next_edits(rules: Sequence[Group[str]], wanted: Mapping[str, frozenset[str]]) -> list[Edit[str]]:
    return [*additions(rules, wanted, fits, always)] or removals(rules, wanted)


def after(rules: Sequence[Group[str]], edit: Edit[str]) -> tuple[Group[str], ...]:
    if isinstance(edit, RemoveRule):
        return tuple(rule for rule in rules if rule.rule_id != edit.rule_id)
    if edit.rule_id is None:
        taken = {rule.rule_id for rule in rules}
        free = next(name for number in count() if (name := f"new-{number}") not in taken)
        return (*rules, replace(edit, rule_id=free))
    return tuple(edit if rule.rule_id == edit.rule_id else rule for rule in rules)


def states(rules: tuple[Group[str], ...], wanted: Mapping[str, frozenset[str]]) -> Iterator[tuple[Group[str], ...]]:
    """The rules after each edit, the edits computed anew each time, until there is none (or for much too long)."""
    yield rules
    for _ in range(60):
        edits = next_edits(rules, wanted)
        if not edits:
            return
        rules = after(rules, edits[0])
        yield rules


def placement(rules: Sequence[Group[str]]) -> list[tuple[str, str]]:
    return sorted((rule.key, hostname) for rule in rules for hostname in rule.hostnames)


def covered(rules: Sequence[Group[str]]) -> frozenset[str]:
    return frozenset().union(*(rule.hostnames for rule in rules))


@given(rules_that_fit(), wishes)
def test_repeated_edits_end_with_every_hostname_once_in_its_group_and_nothing_else(
    rules: tuple[Group[str], ...], wanted: Mapping[str, frozenset[str]]
) -> None:
    *_, last = states(rules, wanted)

    assert next_edits(last, wanted) == []
    assert placement(last) == sorted((key, hostname) for key, names in wanted.items() for hostname in names)


@given(rules_that_fit(), wishes)
def test_a_hostname_that_is_covered_and_wanted_is_covered_after_every_edit(
    rules: tuple[Group[str], ...], wanted: Mapping[str, frozenset[str]]
) -> None:
    kept = covered(rules) & frozenset().union(*wanted.values())

    assert all(kept <= covered(each) for each in states(rules, wanted))


@given(rules_that_fit(), wishes)
def test_no_rule_is_written_that_does_not_fit(
    rules: tuple[Group[str], ...], wanted: Mapping[str, frozenset[str]]
) -> None:
    assert all(fits(rule.key, rule.hostnames) for each in states(rules, wanted) for rule in each)


@given(rules_that_fit(), wishes)
def test_a_hostname_stays_in_the_rule_it_is_in_when_others_come(
    rules: tuple[Group[str], ...], wanted: Mapping[str, frozenset[str]]
) -> None:
    *_, settled = states(rules, wanted)
    more = {key: names | {f"{key}-newcomer"} for key, names in wanted.items()}

    *_, last = states(settled, more)

    homes = {(rule.rule_id, hostname) for rule in last for hostname in rule.hostnames}
    assert {(rule.rule_id, hostname) for rule in settled for hostname in rule.hostnames} <= homes


def test_hostnames_of_one_rule_that_all_move_to_a_new_group_move_by_a_single_call() -> None:
    rules = [Group("narrow", frozenset({"a", "b"}), "rule-1")]

    edits = additions(rules, {"wide": frozenset({"a", "b"})}, fits, always)

    assert edits == [Group("wide", frozenset({"a", "b"}), "rule-1")]


def test_hostnames_that_move_join_the_rule_of_their_new_group_where_it_has_room() -> None:
    rules = [Group("narrow", frozenset({"a"}), "rule-1"), Group("wide", frozenset({"b"}), "rule-2")]

    edits = additions(rules, {"wide": frozenset({"a", "b"})}, fits, always)

    assert edits == [Group("wide", frozenset({"a", "b"}), "rule-2")]


def test_a_rule_does_not_change_its_group_where_its_hostnames_would_not_fit() -> None:
    rules = [Group("wide", frozenset({"a", "b", "c"}), "rule-1")]

    edits = additions(rules, {"narrow": frozenset({"a", "b", "c"})}, fits, always)

    assert edits == [Group("narrow", frozenset({"a", "b"})), Group("narrow", frozenset({"c"}))]


def test_a_rule_stays_what_it_is_where_it_cannot_become_what_is_wanted() -> None:
    rules = [Group("narrow", frozenset({"a"}), "rule-1")]

    edits = additions(rules, {"wide": frozenset({"a"})}, fits, lambda one, other: one == other)

    assert edits == [Group("wide", frozenset({"a"}))]


def test_a_duplicate_is_taken_out_of_the_later_rule() -> None:
    rules = [Group("wide", frozenset({"a", "b"}), "rule-1"), Group("wide", frozenset({"b", "c"}), "rule-2")]

    edits = removals(rules, {"wide": frozenset({"a", "b", "c"})})

    assert edits == [Group("wide", frozenset({"c"}), "rule-2")]
