"""The rules about revoked certificates that a zone should have: serial numbers per group of hostnames and issuer.

Theory. Cloudflare checks no revocation for uploaded CAs, so the serial numbers of a CA's revocation lists stand in
rules beside the enforcement rules. What is wanted is worked out per hostname and issuer:

| for a hostname and an issuer                         | serial numbers                                          |
|------------------------------------------------------|---------------------------------------------------------|
| its CA has a list of the issuer                      | those of the list, newest first, as far as there is room|
| something is wrong with that list, or beside it      | those of the list, and those that are in force          |
| it is an issuer of its CA, which names no lists      | none                                                    |
| its rule accepts the issuer, or it is still on the   | those of the list of whichever CA of the cluster, else  |
| list of another certificate                          | those that are in force                                 |
| lists are not known; nobody acts for it; it is laid  | those that are in force                                 |
| aside or retained                                    |                                                         |
| it has no rule, or is given up                       | none                                                    |

What is in force is that of the hostname's rules, and stays whatever the budget is. One that comes borrows what rules of
the zone name of the issuer, as far as there is room.

Hostnames for which the same is wanted share rules; long lists of them are cut into chunks that stay as they are.

Rules of this module:
- A serial number leaves a rule only when another one has it for the hostname, or it is not wanted for it any more.
- A new serial number is one write, and so is one that goes: rules that have room are filled first.
- Before a hostname's rule is created, or accepts more issuers, what is revoked is in force for it (`Intent.lacking`).
  A rule that somebody took away comes back first: without it everybody gets in, not only who was revoked.
- The budget is one of rules. Newest revocations come first; what does not fit is counted (`Intent.left_out`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from mtls_operator.domain.observed import BlockResponse
from mtls_operator.domain.revoked import RevokedSerials
from mtls_operator.domain.rule_groups import Edit, Group
from mtls_operator.domain.serial_packing import Chunks, additions, fitting, rules_needed, surplus
from mtls_operator.domain.serial_room import edits_without_room
from mtls_operator.domain.zone_agenda import Agenda
from mtls_operator.domain.zone_places import ZoneState
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import BLOCK, RevocationKey

RevocationGroup = Group[RevocationKey]
Wanted = Mapping[RevocationKey, frozenset[str]]
_UNKNOWN: Final = RevokedSerials(is_whole=False)
_NOBODY: Final = RevokedSerials()


@dataclass(frozen=True, slots=True)
class Intent:
    """What is wanted of a zone's rules about revoked certificates, and how far it is."""

    wanted: Wanted
    lacking: Mapping[str, int] = field(default_factory=dict)
    """By hostname, how many serial numbers are to be in force and are not yet."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """By hostname, how many do not fit."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """What rules about revoked certificates do besides naming them."""

    action: str
    response: BlockResponse | None
    tolerant: bool
    enabled: bool = True
    retained: bool = False


@dataclass(frozen=True, slots=True)
class _Share:
    """What hostnames share rules by."""

    manner: _Manner
    issuer: str
    serials: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is wanted for a hostname of an issuer."""

    share: _Share
    dated: RevokedSerials | None = None
    """The same in the order in which it finds room; None where it is in force, of which nothing is dropped."""
    missed: int = 0
    """How many serial numbers others of the zone keep out, where nobody knows what is revoked."""


@dataclass(slots=True)
class _Sharing:
    """Who shares rules."""

    staying: set[str] = field(default_factory=set)
    """Those for whom it is in force, and nothing is dropped."""
    others: set[str] = field(default_factory=set)
    dated: RevokedSerials = _UNKNOWN

    def add(self, hostname: str, wish: _Wish) -> None:
        if wish.dated is None:
            self.staying.add(hostname)
        else:
            self.others.add(hostname)
            # A list says when; what is borrowed does not.
            self.dated = max(self.dated, wish.dated, key=lambda each: each.entries[:1])


def intent(zone: ZoneState, agenda: Agenda) -> Intent:
    """Work out what is wanted for every hostname, and what of it fits."""
    if _is_about_nothing(zone):
        return Intent({})
    shares: defaultdict[_Share, _Sharing] = defaultdict(_Sharing)
    missed: defaultdict[str, int] = defaultdict(int)
    present = _in_force(zone)
    of_zone = _in_force_by_issuer(zone)
    for hostname in sorted(zone.wanted_hostnames | present.keys()):
        for wish in _wishes(zone, agenda, hostname, present.get(hostname, {}), of_zone):
            if wish.share.serials:
                shares[wish.share].add(hostname, wish)
            missed[hostname] += wish.missed
    kept, dated = _grouped(zone, shares)
    fitted = fitting(dated, _most_rules(zone) - _needed(kept))
    wanted = {**kept, **{key: serials for key, serials in fitted.items() if serials}}
    return Intent(wanted, _lacking(wanted, present), _left_out(dated, fitted, missed))


def _grouped(
    zone: ZoneState, shares: Mapping[_Share, _Sharing]
) -> tuple[Wanted, Mapping[RevocationKey, RevokedSerials]]:
    """The groups of which nothing is dropped, and those that find as much room as there is.

    Other hostnames are in the rules of those that keep what they have where that takes no more rules, or all has room.
    Else they have rules of their own: only of those something can be left out."""
    kept = {key: share.serials for share, by in shares.items() for key in _keys(zone, share, by.staying)}
    dated = {key: by.dated for share, by in shares.items() if not by.staying for key in _keys(zone, share, by.others)}
    mixed = {share: by for share, by in shares.items() if by.staying and by.others}
    room = _most_rules(zone) - _needed({key: of.serials for key, of in dated.items()}) if mixed else 0
    for share, by in mixed.items():
        alone = _keys(zone, share, by.staying)
        joined = dict.fromkeys(_keys(zone, share, by.staying | by.others), share.serials)
        together = {key: serials for key, serials in kept.items() if key not in alone} | joined
        if _is_free(zone, alone, joined) or _needed(together) <= room:
            kept = together
        else:
            dated |= dict.fromkeys(_keys(zone, share, by.others), by.dated)
    return kept, dated


def _is_free(zone: ZoneState, alone: Collection[RevocationKey], joined: Wanted) -> bool:
    """Whether the rules that are there have room for more hostnames."""
    rules = [rule for rule in zone.view.revocations if rule.key in alone or rule.key in joined]
    return all(rule.rule_id is not None for rule in additions(rules, joined, len(rules)))


def _needed(groups: Wanted) -> int:
    return sum(rules_needed(key, serials) for key, serials in groups.items())


def _is_about_nothing(zone: ZoneState) -> bool:
    listed = zone.desired.revocation.lists or any(each.revoked and each.revoked.lists for each in zone.wanted.values())
    return not zone.view.revocations and not listed


def edits(zone: ZoneState, wanted: Wanted) -> list[Edit[RevocationKey]]:
    """The rules to write, additions before removals, as long as there is room for that."""
    existing, most, limit = zone.view.revocations, _most_rules(zone), zone.known.most_revocation_rules
    if limit is not None and len(existing) >= limit:
        return edits_without_room(existing, wanted, most)
    # A new rule is tried first: when it is refused, no other one has been filled with what then has to go again.
    added = sorted(additions(existing, wanted, most), key=lambda rule: rule.rule_id is not None)
    return [*added] or surplus(existing, wanted, most)


def gives_way(zone: ZoneState) -> bool:
    """Whether there are more rules than there may be, since a rule of another kind was refused."""
    limit = zone.known.most_revocation_rules
    return limit is not None and len(zone.view.revocations) > limit


def _most_rules(zone: ZoneState) -> int:
    limited = zone.known.most_revocation_rules
    most = zone.desired.revocation.most_rules
    return most if limited is None else min(most, limited)


_Present = Mapping[str, Mapping[_Manner, frozenset[str]]]
"""What is in force for a hostname: by issuer, by what the rules do."""


def _in_force(zone: ZoneState) -> Mapping[str, _Present]:
    together: defaultdict[tuple[frozenset[str], str, _Manner], set[str]] = defaultdict(set)
    for group in zone.view.revocations:
        key = group.key
        together[key.hostnames, key.issuer, _manner_of(key)] |= group.hostnames
    found: dict[str, dict[str, dict[_Manner, frozenset[str]]]] = {}
    for (hostnames, issuer, manner), serials in together.items():
        frozen = frozenset(serials)
        for hostname in hostnames:
            of_issuer = found.setdefault(hostname, {}).setdefault(issuer, {})
            of_issuer[manner] = of_issuer[manner] | frozen if manner in of_issuer else frozen
    return found


def _in_force_by_issuer(zone: ZoneState) -> Mapping[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for group in zone.view.revocations:
        if group.key.enabled:
            found[group.key.issuer] |= group.hostnames
    return {issuer: frozenset(serials) for issuer, serials in found.items()}


def _manner_of(key: RevocationKey) -> _Manner:
    return _Manner(key.action, key.response, key.tolerant, key.enabled, key.retained)


def _wishes(
    zone: ZoneState, agenda: Agenda, hostname: str, present: _Present, of_zone: Mapping[str, frozenset[str]]
) -> Iterator[_Wish]:
    target = _governing(zone, hostname)
    if hostname not in zone.wanted_hostnames:
        yield from map(_Wish, _left_alone(zone, hostname, present))
    elif target is None or target.policy is None:
        yield from map(_Wish, _as_present(present, enabled=True))
    elif not (target.policy.is_bare or _is_due(zone, agenda, hostname, target, present)):
        yield from map(_Wish, _as_present(present))
    elif not target.policy.is_bare:
        manner = _Manner(target.policy.action, target.policy.response, target.policy.tolerant)
        is_new = not zone.view.enforcement_keys(hostname) and hostname not in zone.told_enforced
        accepted = target.issuers | _accepted(zone, hostname)
        for issuer in sorted({*present, *_listed(target), *accepted}):
            others = of_zone.get(issuer, frozenset())
            in_force = others if is_new else _together(present.get(issuer, {}))
            known = _known_of(zone, hostname, target, issuer, in_force)
            if known is None and not is_new:
                missed = max(0, len(others) - len(in_force)) if issuer in accepted else 0
                yield _Wish(_Share(manner, issuer, in_force), missed=missed)
            else:
                dated = _listed_beside(_UNKNOWN, in_force) if known is None else known
                yield _Wish(_Share(manner, issuer, dated.serials), dated)


def _left_alone(zone: ZoneState, hostname: str, present: _Present) -> Iterator[_Share]:
    """What nobody who acts now wants: it goes, is left with everything in force, or stays as it is."""
    for share in _as_present(present):
        is_given_up = hostname in zone.enforcement_to_give_up
        if share.manner.retained and is_given_up:
            # Somebody named it meanwhile, and gave it up before it was his.
            is_given_up = hostname in zone.held_hostnames
        if is_given_up:
            continue
        retained = share.manner.retained or hostname in zone.retained_hostnames
        yield replace(share, manner=replace(share.manner, retained=retained))


def _as_present(present: _Present, *, enabled: bool | None = None) -> Iterator[_Share]:
    for issuer, by_manner in sorted(present.items()):
        for manner, serials in by_manner.items():
            yield _Share(manner if enabled is None else replace(manner, enabled=enabled), issuer, serials)


def _governing(zone: ZoneState, hostname: str) -> Target | None:
    """Under what a binding that acts now wants the hostname; None where none can say."""
    return next((each for each in zone.own_targets.get(hostname, ()) if each.policy is not None), None)


def _is_due(zone: ZoneState, agenda: Agenda, hostname: str, target: Target, present: _Present) -> bool:
    """From when on a hostname has rules: when its own is about to be created. Those that were retained stay as they are
    until then."""
    retained = [manner.retained for by_manner in present.values() for manner in by_manner]
    retained += [key.retained for key in zone.view.enforcement_keys(hostname)]
    return not all(retained) or (target.certificate, hostname) in agenda.confirmed


def _listed(target: Target) -> list[str]:
    return [issuer for issuer, _ in target.revoked.lists] if target.revoked else []


def _accepted(zone: ZoneState, hostname: str) -> frozenset[str]:
    """Issuers that a rule of ours accepts for a hostname."""
    accepted = (key.policy.issuers or frozenset() for key in zone.view.enforcement_keys(hostname))
    return frozenset[str]().union(*accepted)


def _together(present: Mapping[_Manner, frozenset[str]]) -> frozenset[str]:
    return next(iter(present.values())) if len(present) == 1 else frozenset[str]().union(*present.values())


def _known_of(
    zone: ZoneState, hostname: str, target: Target, issuer: str, in_force: frozenset[str]
) -> RevokedSerials | None:
    """What is to be kept out of a hostname; None where nothing can be believed, and what is in force is to stay."""
    if target.revoked is None:
        return None
    listed = target.revoked.of(issuer)
    if listed is None and issuer in target.issuers:
        return None if target.revoked.wanted else _NOBODY
    if listed is None and (issuer in _accepted(zone, hostname) or _is_between_lists(zone, hostname)):
        listed = zone.desired.revocation.of(issuer)
        return None if listed is None else _listed_beside(listed, in_force)
    return _NOBODY if listed is None else _listed_beside(listed, in_force)


@lru_cache(maxsize=64)
def _listed_beside(listed: RevokedSerials, in_force: frozenset[str]) -> RevokedSerials:
    """Kept for the next time, because it is the same for thousands of hostnames."""
    return listed if listed.is_whole else listed.beside(in_force)


def _is_between_lists(zone: ZoneState, hostname: str) -> bool:
    """Whether clients of another CA get in by an earlier list, whatever the rule accepts."""
    return len({group.key.certificate for group in zone.view.claims if hostname in group.hostnames}) > 1


def _keys(zone: ZoneState, share: _Share, hostnames: Iterable[str]) -> list[RevocationKey]:
    """The groups of a share, by chunks of hostnames that are there already."""
    manner = share.manner
    chunks = Chunks(tolerant=manner.tolerant)
    present = {group.key.hostnames for group in zone.view.revocations if group.key.issuer == share.issuer}
    return [
        RevocationKey(
            each, share.issuer, manner.action, manner.response, manner.tolerant, manner.enabled, manner.retained
        )
        for each in chunks.of(frozenset(hostnames), present)
    ]


def _lacking(wanted: Wanted, present: Mapping[str, _Present]) -> Mapping[str, int]:
    lacking: defaultdict[str, int] = defaultdict(int)
    for key, serials in wanted.items():
        for hostname in key.hostnames:
            missing = serials - _effective(present.get(hostname, {}).get(key.issuer, {}), key)
            if missing:
                lacking[hostname] += len(missing)
    return lacking


def _effective(present: Mapping[_Manner, frozenset[str]], key: RevocationKey) -> frozenset[str]:
    """Serial numbers that rules act on at least as severely as is wanted."""
    found = [serials for manner, serials in present.items() if manner.enabled and manner.action in {key.action, BLOCK}]
    return found[0] if len(found) == 1 else frozenset[str]().union(*found)


def _left_out(
    dated: Mapping[RevocationKey, RevokedSerials],
    fitted: Mapping[RevocationKey, frozenset[str]],
    missed: Mapping[str, int],
) -> Mapping[str, int]:
    left_out = defaultdict(int, missed)
    for key, serials in dated.items():
        missing = len(serials.serials) - len(fitted[key])
        if missing:
            for hostname in key.hostnames:
                left_out[hostname] += missing
    return left_out
