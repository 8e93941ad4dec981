"""Which rules to write where Cloudflare takes no more of them than there are, or where some of them have to give way.

As long as there is room, what is new is added before what is wanted no more goes (`serial_packing`). Here it cannot be
added first. So that a serial number which is wanted drops out of the rules only where there is no other way:

1. What fits into rules that stay is written into them, and the rules of a group that needs fewer are packed closer.
2. Of the rules that nothing is left in, or that are of a group nobody wants any more, that one goes whose content is
   missed the least until the last write. What is new takes its place in the same write: a deletion would open a gap,
   in which somebody else may take the room.
3. Where not even that is possible, what does not fit waits until there is room.

It comes to an end: a rule is filled, replaced or removed only towards what is wanted, and that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtls_operator.domain.rule_groups import Edit, Group, RemoveRule
from mtls_operator.domain.serial_packing import Rules, Wanted, additions, surplus
from mtls_operator.domain.zone_view import RevocationKey

RevocationRule = Group[RevocationKey]


def edits_without_room(existing: Rules, wanted: Wanted, most_rules: int) -> list[Edit[RevocationKey]]:
    """The rules to write where there are as many as there can be, or more than there may be any more."""
    added = additions(existing, wanted, most_rules)
    new = _new(added)
    if not new and len(existing) <= most_rules:
        return [*added] or surplus(existing, wanted, most_rules)
    packed = max(0, most_rules - len(new))
    added, left = additions(existing, wanted, packed), surplus(existing, wanted, packed)
    filled = [each for each in added if each.rule_id is not None]
    if filled:
        return [*filled]
    going = {each.rule_id for each in left if isinstance(each, RemoveRule)}
    free = [rule for rule in existing if rule.rule_id in going]
    if not free:
        return left
    new = _new(added)
    if new and len(existing) <= most_rules:
        return [_least_missed_replacement(free, new)]
    gone = min(free, key=lambda rule: _missed(rule, new))
    return [each for each in left if isinstance(each, RemoveRule) and each.rule_id == gone.rule_id]


def _new(added: Sequence[RevocationRule]) -> list[RevocationRule]:
    return [each for each in added if each.rule_id is None]


def _least_missed_replacement(free: Sequence[RevocationRule], new: Sequence[RevocationRule]) -> RevocationRule:
    pairs = [(rule, each) for rule in free for each in new]
    rule, successor = min(pairs, key=lambda pair: _missed(pair[0], [each for each in new if each is not pair[1]]))
    return replace(successor, rule_id=rule.rule_id)


def _missed(rule: RevocationRule, new: Sequence[RevocationRule]) -> int:
    """How much of what a rule holds is wanted in rules that are not there yet."""
    return sum(
        len(rule.key.hostnames & each.key.hostnames) * len(rule.hostnames & each.hostnames)
        for each in new
        if each.key.issuer == rule.key.issuer
    )
