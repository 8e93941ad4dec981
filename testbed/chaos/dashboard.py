"""What people do in a story at Cloudflare's dashboard: add something of theirs, or change what is ours.

What they break is nobody's violation. Where they take a mark away, others cannot know any more what it stood for, so
the zone is excused for as long as it takes to notice and to put it right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from testbed.chaos.act import Act
from testbed.chaos.authorities import other_pem, pem_of
from testbed.chaos.certificates_held import certificate_of, certificates_of
from testbed.chaos.world import ACCOUNTS, ZONES, ZONES_OF, World
from testbed.cloudflare.monitor.marks import Enforcement, read_mark
from testbed.cloudflare.state import Rule, State

_EXCUSED_SECONDS: Final = 2000.0
"""Longer than a look takes to come, to be carried out against failing calls, and to settle."""


@dataclass(frozen=True, kw_only=True)
class DashboardHostname(Act):
    """A person adds a hostname to the list of a certificate that somebody has uploaded."""

    zone: str
    bundle: str
    hostname: str

    def perform(self, world: World) -> bool:
        found = certificates_of(world, self.bundle)
        if not found:
            return False
        certificate = found[-1]
        zone_id = ZONES[self.zone]
        listed = world.cloudflare.state.hostnames(zone_id, certificate)
        if self.hostname in listed:
            return False
        world.cloudflare.put_foreign_hostnames(zone_id, certificate, listed | {self.hostname}, settled=False)
        world.foreign[zone_id, certificate, self.hostname] = world.clock.now()
        return True


@dataclass(frozen=True, kw_only=True)
class DashboardRule(Act):
    """A person adds a rule, first or last."""

    zone: str
    first: bool

    expression: ClassVar[str] = '(http.request.uri.path eq "/admin")'

    def perform(self, world: World) -> bool:
        zone_id = ZONES[self.zone]
        rule = world.cloudflare.add_foreign_rule(zone_id, expression=self.expression, first=self.first, settled=False)
        world.foreign_rules.setdefault(zone_id, []).append(rule.id)
        return True


@dataclass(frozen=True, kw_only=True)
class DashboardUpload(Act):
    """A person uploads a bundle that nobody has uploaded yet."""

    bundle: str
    version: int = 0

    def perform(self, world: World) -> bool:
        if certificate_of(world, self.bundle, self.version) is not None:
            return False
        pem = pem_of(self.bundle, self.version)
        world.cloudflare.add_certificate(ACCOUNTS[self.bundle], pem, name=self.bundle, settled=False)
        return True


@dataclass(frozen=True, kw_only=True)
class TakeOff(Act):
    """A person takes a hostname off the list of a certificate: the how manieth in their order."""

    zone: str
    bundle: str
    pick: int

    def perform(self, world: World) -> bool:
        zone_id = ZONES[self.zone]
        found = [
            each for each in certificates_of(world, self.bundle) if world.cloudflare.state.hostnames(zone_id, each)
        ]
        if not found:
            return False
        certificate = found[self.pick % len(found)]
        listed = world.cloudflare.state.hostnames(zone_id, certificate)
        gone = sorted(listed)[self.pick % len(listed)]
        world.cloudflare.put_foreign_hostnames(zone_id, certificate, listed - {gone}, settled=False)
        world.unlisted.add(gone)
        if world.foreign.pop((zone_id, certificate, gone), None) is not None:
            world.taken_back[zone_id, certificate, gone] = world.clock.now()
        world.cloudflare.monitor.excuse(zone_id, world.clock.now() + _EXCUSED_SECONDS)
        return True


@dataclass(frozen=True, kw_only=True)
class SpoilRule(Act):
    """A person changes a rule that some installation made: the how manieth of the zone, and `how`, one of `SPOILS`."""

    zone: str
    pick: int
    how: str

    def perform(self, world: World) -> bool:
        zone_id = ZONES[self.zone]
        ruleset = world.cloudflare.state.rulesets.get(zone_id)
        ours = [rule for rule in ruleset.rules if read_mark(rule) is not None] if ruleset else []
        if ruleset is None or not ours:
            return False
        rule = ours[self.pick % len(ours)]
        others = [each for each in ruleset.rules if each.id != rule.id]
        place = ruleset.rules.index(rule)
        rules = SPOILS[self.how](rule, others, place)
        spoilt = replace(ruleset, rules=tuple(rules), version=ruleset.version + 1, last_updated=world.clock.now())
        world.cloudflare.install(lambda state: state.with_ruleset(zone_id, spoilt), settled=False)
        world.cloudflare.monitor.excuse(zone_id, world.clock.now() + _EXCUSED_SECONDS)
        return True


@dataclass(frozen=True, kw_only=True)
class EmptyRuleset(Act):
    """A person replaces the rules of a zone, by none: Terraform does that with what it does not know."""

    zone: str

    def perform(self, world: World) -> bool:
        zone_id = ZONES[self.zone]
        if not world.cloudflare.state.rulesets.get(zone_id):
            return False
        world.cloudflare.remove_ruleset_rules(zone_id)
        world.foreign_rules.pop(zone_id, None)
        world.cloudflare.monitor.excuse(zone_id, world.clock.now() + 2 * _EXCUSED_SECONDS)
        return True


@dataclass(frozen=True, kw_only=True)
class DestroyCertificate(Act):
    """A person takes every hostname off the lists of a certificate of ours, and deletes it."""

    bundle: str
    pick: int

    def perform(self, world: World) -> bool:
        found = certificates_of(world, self.bundle)
        if not found:
            return False
        certificate, account = found[self.pick % len(found)], ACCOUNTS[self.bundle]
        for zone_id in world.cloudflare.state.zones_using(certificate):
            world.unlisted |= world.cloudflare.state.hostnames(zone_id, certificate)
            world.cloudflare.put_foreign_hostnames(zone_id, certificate, (), settled=False)
        for zone in ZONES_OF[account]:
            world.cloudflare.monitor.excuse(ZONES[zone], world.clock.now() + _EXCUSED_SECONDS)
        world.foreign = {place: at for place, at in world.foreign.items() if place[1] != certificate}
        world.cloudflare.install(_without(account, certificate), settled=False)
        return True


@dataclass(frozen=True, kw_only=True)
class FillSlots(Act):
    """A person uploads CAs of their own, until the account of a bundle has no slot left, and forgets them there."""

    bundle: str

    def perform(self, world: World) -> bool:
        account = world.cloudflare.state.accounts[ACCOUNTS[self.bundle]]
        free = account.ca_limit - len(world.cloudflare.state.certificates[account.id])
        for _ in range(free):
            number = len(world.foreign_certificates)
            made = world.cloudflare.add_certificate(account.id, other_pem(number), name="theirs", settled=False)
            world.foreign_certificates.append((account.id, made))
        return free > 0


@dataclass(frozen=True, kw_only=True)
class SpendRate(Act):
    """The dashboard of a token's user uses up what the token has left."""

    place: str

    def perform(self, world: World) -> bool:
        world.cloudflare.spend_rate(world.sites[self.site].tokens[self.place], world.setting.requests)
        return True


def remove_forgotten(world: World) -> None:
    """People remove the CAs that they forgot."""
    for account, certificate in world.foreign_certificates:
        world.cloudflare.install(_without(account, certificate), settled=False)
    world.foreign_certificates.clear()


def _without(account: str, certificate: str) -> Callable[[State], State]:
    return lambda state: state.without_certificate(account, certificate)


Spoil = Callable[[Rule, Sequence[Rule], int], list[Rule]]
"""(rule, the others, its place among them) -> all rules."""


def _moved(rule: Rule, others: Sequence[Rule], place: int) -> list[Rule]:
    """Last; a claim is no worse there."""
    return [*others, rule] if isinstance(read_mark(rule), Enforcement) else [*others[:place], rule, *others[place:]]


def _changed(change: Callable[[Rule], Rule]) -> Spoil:
    return lambda rule, others, place: [*others[:place], change(rule), *others[place:]]


SPOILS: Final[dict[str, Spoil]] = {
    "delete": lambda _rule, others, _place: [*others],
    "move": _moved,
    "enable": _changed(lambda rule: replace(rule, enabled=not rule.enabled)),
    "act": _changed(lambda rule: replace(rule, action="log" if rule.action == "block" else "block")),
    "rewrite": _changed(lambda rule: replace(rule, expression=f'{rule.expression} or http.host eq "a.example.com"')),
}
