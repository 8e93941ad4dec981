"""Which rule holds which serial numbers: the packing of thousands of them into as few rules as there may be.

As `rule_groups` does it for hostnames, with three differences: what a rule holds is counted, not written out to be
measured, because there are so many; a rule that is written drops at once what is not wanted in its group any more; and
what does not fit into the budget is left out, newest first.

Rules of this module:
- A serial number stays in the rule it is in; a new one goes into the first rule of its group that has room.
- Rules are packed closer only where there are more of them than there may be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mtls_operator.domain.expressions import MAX_LENGTH, revocation_expression
from mtls_operator.domain.revoked import RevokedSerials
from mtls_operator.domain.rule_groups import Edit, Group, removals
from mtls_operator.domain.serial_numbers import spellings
from mtls_operator.domain.zone_view import RevocationKey

Rules = Sequence[Group[RevocationKey]]
Wanted = Mapping[RevocationKey, frozenset[str]]

_CHUNK = 1500
"""Characters of an expression that hostnames may take, so that serial numbers have room."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """Cuts hostnames into sets that fit into a rule and leave room; what is in one set stays in it."""

    tolerant: bool

    def of(self, hostnames: frozenset[str], present: Iterable[frozenset[str]]) -> list[frozenset[str]]:
        """The chunks of these hostnames. `present` are those that rules have now, about these hostnames or others."""
        chunks: list[set[str]] = []
        left = set(hostnames)
        for each in sorted(present, key=lambda names: (-len(names), sorted(names))):
            taken = each & left
            if taken and self._length(taken) <= _CHUNK:
                chunks.append(set(taken))
                left -= taken
        for hostname in sorted(left):
            roomy = next((each for each in chunks if self._length(each | {hostname}) <= _CHUNK), None)
            if roomy is None:
                chunks.append({hostname})
            else:
                roomy.add(hostname)
        return [frozenset(each) for each in chunks]

    def _length(self, hostnames: Collection[str]) -> int:
        """Each with its quotes and a space, or with its escapes and a bar."""
        return sum(len(name) + (1 + name.count(".") if self.tolerant else 3) for name in hostnames)


def rules_needed(key: RevocationKey, serials: Collection[str]) -> int:
    """How many rules of a group are never passed, however the serial numbers come and go: another one is begun only
    when no rule has room for the longest."""
    return _rules_for(sum(map(_cost, serials)), _filled(key, serials))


def fitting(lists: Mapping[RevocationKey, RevokedSerials], room: int) -> dict[RevocationKey, frozenset[str]]:
    """Of each group's serial numbers those that fit into so many rules in all: the newest revocations of all groups
    first, each in every group that wants it or in none. What no rule could hold is left out before all else."""
    everything = {key: frozenset(each for each in of.serials if _fits(key, {each})) for key, of in lists.items()}
    if sum(rules_needed(key, serials) for key, serials in everything.items()) <= room:
        return everything
    filled = {key: _filled(key, serials) for key, serials in everything.items()}
    chosen: dict[RevocationKey, set[str]] = {key: set() for key in lists}
    length = dict.fromkeys(lists, 0)
    for issuer, serial in _newest_first(lists):
        keys = [key for key in lists if key.issuer == issuer and serial in everything[key]]
        cost = _cost(serial)
        begun = sum(_rules_for(length[e] + cost, filled[e]) - _rules_for(length[e], filled[e]) for e in keys)
        if begun <= room:
            room -= begun
            for key in keys:
                chosen[key].add(serial)
                length[key] += cost
    return {key: frozenset(serials) for key, serials in chosen.items()}


def additions(existing: Rules, wanted: Wanted, most_rules: int) -> list[Group[RevocationKey]]:
    """The rules to write so that every wanted serial number is in a rule of its group."""
    rules = list(_staying(existing, wanted, most_rules))
    changed: dict[int, None] = {}
    for key, serials in wanted.items():
        missing = serials.difference(*(rule.hostnames for rule in rules if rule.key == key))
        if not missing:
            continue
        for index, rule in enumerate(rules):
            kept = rule.hostnames & missing
            if kept and _becomes(rule, key, wanted) and _fits(key, kept):
                missing -= kept
                rules[index] = replace(rule, key=key, hostnames=kept)
                changed[index] = None
        for index in _placed(rules, key, sorted(missing)):
            changed[index] = None
    return [rules[index] for index in changed]


def surplus(existing: Rules, wanted: Wanted, most_rules: int) -> list[Edit[RevocationKey]]:
    """The rules to shrink or remove, once nothing is left to add: those that are to be packed closer give way."""
    staying = {rule.rule_id for rule in _staying(existing, wanted, most_rules)}
    return removals(sorted(existing, key=lambda rule: rule.rule_id not in staying), wanted)


def _staying(existing: Rules, wanted: Wanted, most_rules: int) -> list[Group[RevocationKey]]:
    """The rules that go on holding what is wanted in their group; of another group as they are. Where there are more
    than there may be, the emptiest of a group that needs fewer are not among them."""
    trimmed = [replace(rule, hostnames=rule.hostnames & wanted.get(rule.key, rule.hostnames)) for rule in existing]
    if len(trimmed) <= most_rules:
        return trimmed
    left: set[str | None] = set()
    for key, serials in wanted.items():
        mine = sorted(
            (rule for rule in trimmed if rule.key == key), key=lambda rule: (len(rule.hostnames), rule.rule_id)
        )
        left |= {rule.rule_id for rule in mine[: max(0, len(mine) - rules_needed(key, serials))]}
    return [rule for rule in trimmed if rule.rule_id not in left]


def _becomes(rule: Group[RevocationKey], key: RevocationKey, wanted: Wanted) -> bool:
    """Whether a rule of a group that nobody wants any more can be changed into one of another in a single write: it
    loses nothing that is wanted, neither a hostname nor a serial number."""
    if rule.key in wanted or rule.key.issuer != key.issuer:
        return False
    lost = rule.key.hostnames - key.hostnames
    dropped = rule.hostnames - wanted[key]
    alike = [(each, serials) for each, serials in wanted.items() if each.issuer == key.issuer]
    return not any(
        each.hostnames & lost or (each.hostnames & rule.key.hostnames and serials & dropped) for each, serials in alike
    )


def _fits(key: RevocationKey, serials: Collection[str]) -> bool:
    return sum(map(_cost, serials)) <= _room(key)


def _placed(rules: list[Group[RevocationKey]], key: RevocationKey, serials: Sequence[str]) -> list[int]:
    """Put serial numbers where there is room, and into new rules; the rules that changed."""
    used = {i: sum(map(_cost, rule.hostnames)) for i, rule in enumerate(rules) if rule.key == key}
    added: defaultdict[int, list[str]] = defaultdict(list)
    room = _room(key)
    for serial in serials:
        cost = _cost(serial)
        index = next((i for i, length in used.items() if length + cost <= room), None)
        if index is None:
            index = len(rules)
            rules.append(Group(key, frozenset()))
            used[index] = 0
        used[index] += cost
        added[index].append(serial)
    for index, more in added.items():
        rules[index] = replace(rules[index], hostnames=rules[index].hostnames.union(more))
    return list(added)


def _filled(key: RevocationKey, serials: Collection[str]) -> int:
    """Characters of serial numbers with which a rule of the group may have no room for another one."""
    return max(1, _room(key) - max(map(_cost, serials), default=0) + 1)


def _rules_for(length: int, filled: int) -> int:
    return -(-length // filled)


def _room(key: RevocationKey) -> int:
    """Characters that a rule of the group has for serial numbers: one has no space before it."""
    bare = revocation_expression(key.hostnames, key.issuer, ["10"], tolerant=key.tolerant)
    return MAX_LENGTH - len(bare) + len('"10"') + 1


def _cost(serial: str) -> int:
    """Characters that a serial number takes: each spelling with its quotes and a space."""
    return sum(len(spelling) + 3 for spelling in spellings(serial))


def _newest_first(lists: Mapping[RevocationKey, RevokedSerials]) -> list[tuple[str, str]]:
    newest: dict[tuple[str, str], float] = {}
    for key, each in lists.items():
        for moment, serial in each.entries:
            newest[key.issuer, serial] = max(moment, newest.get((key.issuer, serial), moment))
    return sorted(newest, key=lambda each: (-newest[each], each))
