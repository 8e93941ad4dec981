"""What one installation leaves to another: marks of predecessors, retained rules, and an ownerId that is used twice.

| in the zone there is                                        | then                                           |
|-------------------------------------------------------------|------------------------------------------------|
| a mark of an installation that the chart's `takeover` names | it becomes ours, rule by rule                  |
| a mark with our ownerId of another cluster                  | nothing is written: `ManagementConflict`       |
| a `retained` rule for a hostname that a rule of ours covers | the hostname leaves it, once ours has settled  |

A retained rule belongs to nobody any more and protects all the same, so whoever covers its hostnames takes them over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from mtls_operator.domain.marks import (
    Claim,
    ClaimState,
    Enforcement,
    Installation,
    Revocation,
    claim_body,
    enforcement_body,
    revocation_body,
)
from mtls_operator.domain.observed import RuleBody
from mtls_operator.domain.zone_places import FRESH_SECONDS, ZoneState
from mtls_operator.domain.zone_steps import DeleteRule, ReadRules, WriteRule, ZoneStep
from mtls_operator.domain.zone_view import ForeignMark, ZoneView


def impostor(view: ZoneView, us: Installation, predecessors: Collection[Installation]) -> Installation | None:
    """An installation of another cluster that uses our ownerId, and that we are not told to succeed."""
    found = (each.mark.installation for each in view.marks_of_others if not _is_left(each))
    return next((each for each in found if each.owner == us.owner and each not in predecessors), None)


def inheritances(zone: ZoneState) -> list[ZoneStep]:
    """The marks of predecessors, signed by us, each with the token of a binding that has a hostname of it; with any if
    there is none (safety invariant 12)."""
    theirs = (each for each in zone.view.marks_of_others if each.mark.installation in zone.desired.predecessors)
    return [_signed(zone, each) for each in theirs if not each.mark.hostnames <= zone.left_to_others]


def adoptions(zone: ZoneState) -> list[ZoneStep]:
    """Hostnames out of rules that others retained, where a rule of ours covers them and has settled. By rules read
    afresh: whose the rule is may have changed."""
    found = [
        _without(each, rule, covered)
        for each, rule in _retained(zone)
        if (covered := frozenset(name for name in _left(zone, rule) if zone.now >= _settled_at(zone, name)))
    ]
    return [ReadRules()] if found and zone.rules.begun < zone.now - FRESH_SECONDS else found


def wakes(zone: ZoneState) -> list[float]:
    """When a hostname can leave a rule that others retained."""
    times = [_settled_at(zone, name) for _, rule in _retained(zone) for name in _left(zone, rule)]
    return [at for at in times if zone.now < at < float("inf")]


def _is_left(each: ForeignMark) -> bool:
    return isinstance(each.mark, Enforcement | Revocation) and each.mark.retained


def _retained(zone: ZoneState) -> Iterator[tuple[ForeignMark, Enforcement | Revocation]]:
    for each in zone.view.marks_of_others:
        if isinstance(each.mark, Enforcement | Revocation) and _is_left(each):
            yield each, each.mark


def _left(zone: ZoneState, rule: Enforcement | Revocation) -> frozenset[str]:
    """The hostnames of a retained rule but those that its installation brings in again: it takes them out itself, and
    covers them until then."""
    theirs = (claim for claim in zone.view.others if claim.installation == rule.installation)
    return rule.hostnames.difference(*(claim.hostnames for claim in theirs if claim.state is not ClaimState.LEAVING))


def _settled_at(zone: ZoneState, hostname: str) -> float:
    if hostname not in zone.wanted_hostnames:
        return float("inf")
    since = [at for (name, _), at in zone.known.enforced_since.items() if name == hostname]
    return min(since, default=float("inf")) + zone.timing.settle


def _signed(zone: ZoneState, each: ForeignMark) -> ZoneStep:
    us = zone.desired.installation
    if isinstance(each.mark, Claim):
        return WriteRule(claim_body(replace(each.mark, installation=us), each.ref), each.rule_id)
    return WriteRule(_body(replace(each.mark, installation=us), each.ref), each.rule_id)


def _without(each: ForeignMark, rule: Enforcement | Revocation, covered: frozenset[str]) -> ZoneStep:
    rest = rule.hostnames - covered
    if not rest:
        return DeleteRule(each.rule_id)
    return WriteRule(_body(replace(rule, hostnames=rest), each.ref), each.rule_id)


def _body(rule: Enforcement | Revocation, ref: str) -> RuleBody:
    return enforcement_body(rule, ref) if isinstance(rule, Enforcement) else revocation_body(rule, ref)
