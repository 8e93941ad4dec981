"""Invariant 9: an installation touches its own rules only, one by one, and marks what it makes."""

from __future__ import annotations

from testbed.cloudflare.monitor.actions import RulesetWrite, RuleWrite
from testbed.cloudflare.monitor.case import Case, Findings
from testbed.cloudflare.monitor.marks import REF_PREFIX, Enforcement, Revocation, Unreadable, owner_of, read_mark
from testbed.cloudflare.monitor.truth import rules_of
from testbed.cloudflare.state import Rule


def judge_rule_writes(case: Case) -> Findings:
    """Judges attempts as well as what was done."""
    if isinstance(case.action, RulesetWrite):
        yield from _judge_ruleset(case, case.action)
    if isinstance(case.action, RuleWrite) and case.action.rule_id is not None:
        for rule in rules_of(case.before, case.action.zone_id):
            if rule.id == case.action.rule_id:
                yield from _judge_touch(case, case.action.method, rule)
    if isinstance(case.action, RulesetWrite | RuleWrite):
        yield from _judge_results(case, case.action.zone_id)


def _judge_ruleset(case: Case, action: RulesetWrite) -> Findings:
    if action.zone_id not in case.before.rulesets:
        return
    if action.method != "POST":
        yield 9, f"{case.owner} replaces or deletes the ruleset of zone {action.zone_id}, which exists"
    elif case.known(case.sightings.ruleset_since(action.zone_id)):
        yield 9, f"{case.owner} creates a ruleset in zone {action.zone_id}, which has had one for long"


def _judge_touch(case: Case, method: str, rule: Rule) -> Findings:
    mark = read_mark(rule)
    if mark is None or (isinstance(mark, Unreadable) and not case.is_own(mark.owner)):
        yield 9, f"{case.owner} sends {method} for rule {rule.id} ({rule.description!r}), which it did not make"
    elif not case.is_own(mark.owner) and not (isinstance(mark, Enforcement | Revocation) and mark.retained):
        yield 9, f"{case.owner} sends {method} for rule {rule.id}, which is of {mark.owner}"


def _judge_results(case: Case, zone_id: str) -> Findings:
    before = {rule.id: rule for rule in rules_of(case.before, zone_id)}
    for rule in rules_of(case.after, zone_id):
        if before.get(rule.id) != rule:
            yield from _judge_made(case, rule, before.get(rule.id))


def _judge_made(case: Case, rule: Rule, earlier: Rule | None) -> Findings:
    mark = read_mark(rule)
    if mark is None:
        yield 9, f"{case.owner} leaves rule {rule.id} without a mark: {rule.description!r}"
    elif isinstance(mark, Unreadable):
        yield 9, f"{case.owner} leaves rule {rule.id} with a mark that nobody can read: {rule.description!r}"
    elif not rule.ref.startswith(REF_PREFIX):
        yield 9, f"{case.owner} gives rule {rule.id} the ref {rule.ref!r}, which has not our prefix"
    elif mark.owner != case.owner and (earlier is None or owner_of(earlier) != mark.owner):
        yield 9, f"{case.owner} marks rule {rule.id} as {mark.owner}'s"
