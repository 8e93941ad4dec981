"""Which rules hold which hostnames: the smallest edits from the rules that are there to the groups that are wanted.

A group is whatever rules of one kind differ in besides their hostnames: a policy, or the state of a claim.
The next edits are computed again after each one, from the answer to it.

Rules of this module:
- A hostname enters its new rule before it leaves the old one: edits that add come first, and edits that
  take away are proposed only when nothing is left to add.
- A hostname stays in the rule it is in; a new one goes where there is room; a rule whose hostnames all move
  to one other group is changed in place (a single call that never leaves a gap), unless a rule of that group
  has room for them: else each hostname that comes later would keep a rule of its own.
- No rule is written that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Group(Generic[G]):
    """The hostnames that one rule holds for a group. `rule_id` is None for a rule yet to be created."""

    key: G
    hostnames: frozenset[str]
    rule_id: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveRule:
    """A rule that holds nothing that is wanted any more."""

    rule_id: str


Edit = Group[G] | RemoveRule
Fits = Callable[[G, Collection[str]], bool]
Becomes = Callable[[G, G], bool]


def additions(
    existing: Sequence[Group[G]], wanted: Mapping[G, frozenset[str]], fits: Fits[G], becomes: Becomes[G]
) -> list[Group[G]]:
    """The rules to write so that every wanted hostname is in a rule of its group. `becomes` says whether a rule of one
    group can be changed into one of another at all."""
    rules = list(existing)
    changed: dict[int, None] = {}
    for key in wanted:
        missing = wanted[key] - _held(rules, key)
        for index in _movable_rules(rules, key, missing, wanted):
            moving = rules[index].hostnames
            if becomes(rules[index].key, key) and fits(key, moving) and not _has_room(rules, key, moving, fits):
                missing -= moving
                rules[index] = replace(rules[index], key=key)
                changed[index] = None
        for hostname in sorted(missing):
            changed[_place(rules, key, hostname, fits)] = None
    return [rules[index] for index in changed]


def removals(existing: Sequence[Group[G]], wanted: Mapping[G, frozenset[str]]) -> list[Edit[G]]:
    """The rules to shrink or remove so that they hold only what is wanted there, each hostname once."""
    edits: list[Edit[G]] = []
    placed: dict[G, frozenset[str]] = {}
    for rule in existing:
        before = placed.get(rule.key, frozenset())
        kept = (rule.hostnames & wanted.get(rule.key, frozenset())) - before
        placed[rule.key] = before | kept
        if not kept and rule.rule_id is not None:
            edits.append(RemoveRule(rule.rule_id))
        elif kept != rule.hostnames:
            edits.append(replace(rule, hostnames=kept))
    return edits


def _held(rules: Sequence[Group[G]], key: G) -> frozenset[str]:
    return frozenset().union(*(rule.hostnames for rule in rules if rule.key == key))


def _movable_rules(
    rules: Sequence[Group[G]], key: G, missing: frozenset[str], wanted: Mapping[G, frozenset[str]]
) -> list[int]:
    """Rules of other groups whose hostnames are all missing in this one, and wanted in theirs no more."""
    return [
        index
        for index, rule in enumerate(rules)
        if rule.key != key
        and rule.hostnames
        and rule.hostnames <= missing
        and not rule.hostnames & wanted.get(rule.key, frozenset())
    ]


def _has_room(rules: Sequence[Group[G]], key: G, hostnames: frozenset[str], fits: Fits[G]) -> bool:
    return any(rule.key == key and fits(key, rule.hostnames | hostnames) for rule in rules)


def _place(rules: list[Group[G]], key: G, hostname: str, fits: Fits[G]) -> int:
    for index, rule in enumerate(rules):
        if rule.key == key and fits(key, rule.hostnames | {hostname}):
            rules[index] = replace(rule, hostnames=rule.hostnames | {hostname})
            return index
    rules.append(Group(key, frozenset({hostname})))
    return len(rules) - 1
