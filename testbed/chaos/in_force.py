"""What is wanted, and what is in force, in the same words: a policy per hostname.

What is in force is read from the true state of the simulated Cloudflare: from the enforcement rules of an installation,
and from its claims where the rules do not say which CA it is (no issuer is pinned) or where there are none (action
None).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from testbed.chaos.authorities import SOURCES, UNKNOWN, branch_identifiers, key_identifiers
from testbed.chaos.certificates_held import certificate_of
from testbed.chaos.records import managed_places
from testbed.chaos.revocation_lists import named_by
from testbed.chaos.world import BINDING, CA, Body, Site, World, authority_place, is_deleting
from testbed.cloudflare.monitor.marks import Claim, Enforcement, Revocation, read_mark
from testbed.cloudflare.state import Rule

EDITIONS: Final = [(bundle, version) for bundle, versions in SOURCES.items() for version in range(len(versions))]


class Policy(NamedTuple):
    """How a hostname is enforced: a bundle and its version, the status code of a response of its own, what a rule does
    (`none`: there is no rule), whether it pins the issuers, the branches that it accepts as well (subject key
    identifiers), and which serial numbers are refused, in the same way unless it is said how."""

    bundle: str
    version: int
    status_code: int | None
    action: str
    pinned: bool
    branches: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()

    @property
    def edition(self) -> tuple[str, int]:
        """What the source of the CA holds."""
        return self.bundle, self.version


@dataclass(frozen=True)
class InForce:
    """What the marks of an installation say, or those that are only retained."""

    policies: dict[str, list[Policy]]

    @classmethod
    def of(cls, world: World, site: Site) -> InForce:
        """By the rules and claims of one installation."""
        rules = _Rules(world, lambda mark: mark.owner == site.owner and not mark.retained)
        held = _editions_held(world, site)
        policies = rules.policies(held)
        for hostname, editions in held.items():
            if hostname not in rules.hostnames:
                revoked = rules.revoked(hostname)
                policies[hostname] = [
                    Policy(*edition, None, "none", pinned=False, revoked=revoked) for edition in editions
                ]
        return cls(policies)

    @classmethod
    def retained(cls, world: World) -> InForce:
        """By the rules that are only retained, whoever made them."""
        return cls(_Rules(world, lambda mark: mark.retained).policies({}))

    @classmethod
    def retained_by_others(cls, world: World, site: Site) -> InForce:
        """By those of them that another installation made: they accept what its CA held then, and nobody rotates it."""
        return cls(_Rules(world, lambda mark: mark.retained and mark.owner != site.owner).policies({}))


class _Rules:
    """Rules that enforce whose mark counts, and beside them those that stop revoked certificates."""

    def __init__(self, world: World, counts: Callable[[Enforcement | Revocation], bool]) -> None:
        marked = [(rule, read_mark(rule)) for rule in rules_of(world)]
        self._rules = [(rule, mark) for rule, mark in marked if isinstance(mark, Enforcement) and counts(mark)]
        self._revoking = [(rule, mark) for rule, mark in marked if isinstance(mark, Revocation) and counts(mark)]

    @property
    def hostnames(self) -> frozenset[str]:
        """What they cover, enabled or not."""
        return frozenset[str]().union(*(mark.guard.hostnames for _, mark in self._rules))

    def policies(self, held: dict[str, list[tuple[str, int]]]) -> dict[str, list[Policy]]:
        """Of those that are enabled. `held`: the editions of the CA on whose list a hostname is held."""
        found: dict[str, list[Policy]] = {}
        for rule, mark in self._rules:
            for hostname in mark.guard.hostnames if rule.enabled else ():
                edition = _pinned_to(mark) or next(iter(held.get(hostname, ())), ("not held", UNKNOWN))
                found.setdefault(hostname, []).append(self._policy(rule, mark, hostname, edition))
        return found

    def revoked(self, hostname: str, like: Rule | None = None) -> tuple[str, ...]:
        """Which serial numbers are refused, and by which kind of rule unless it does what another one does."""
        found: set[str] = set()
        for rule, mark in self._revoking:
            alike = like is not None and rule.enabled and _deed(rule) == _deed(like)
            kind = "" if alike else f" by a rule that is {'enabled' if rule.enabled else 'disabled'}: {_deed(rule)}"
            found |= {f"{serial}{kind}" for serial in mark.serials if hostname in mark.hostnames}
        return tuple(sorted(found))

    def _policy(self, rule: Rule, mark: Enforcement, hostname: str, edition: tuple[str, int]) -> Policy:
        issuers, (action, status_code) = mark.guard.issuers, _deed(rule)
        branches = tuple(sorted((issuers or frozenset()) & branch_identifiers()))
        revoked = self.revoked(hostname, rule)
        return Policy(*edition, status_code, action, issuers is not None, branches, revoked)


def wanted(site: Site) -> dict[str, set[Policy]]:
    """Per hostname, how the live bindings of a cluster want it."""
    wishes: dict[str, set[Policy]] = {}
    for body in live_bindings(site):
        for hostname in body["spec"]["hostnames"]:
            wishes.setdefault(hostname, set()).add(wish_of(site, body))
    return wishes


def wish_of(site: Site, body: Body) -> Policy:
    """How a binding wants its hostnames."""
    enforcement = body["spec"].get("enforcement", {})
    edition = edition_of(site, *authority_place(body))
    action, response = enforcement.get("action", "Block").lower(), enforcement.get("response")
    pinned = enforcement.get("issuerPinning", "Always") == "Always"
    if action == "none":
        return Policy(*edition, None, action, pinned=False)
    branches = tuple(sorted(enforcement.get("additionalIssuers", ()))) if pinned else ()
    authority = site.read(CA, *authority_place(body))
    revoked = tuple(sorted(named_by(site.cluster.store, authority))) if authority is not None else ()
    return Policy(*edition, response["statusCode"] if response else None, action, pinned, branches, revoked)


def edition_of(site: Site, namespace: str, bundle: str) -> tuple[str, int]:
    """What the source of a CA holds."""
    return bundle, site.version(namespace, bundle)


def live_bindings(site: Site) -> list[Body]:
    """Those that are not being deleted."""
    return [each for each in site.bodies(BINDING) if not is_deleting(each)]


def rules_of(world: World) -> list[Rule]:
    """The rules of all zones, whoever made them."""
    return [rule for ruleset in world.cloudflare.state.rulesets.values() for rule in ruleset.rules]


def _pinned_to(mark: Enforcement) -> tuple[str, int] | None:
    """The edition whose issuers a rule accepts, branches aside, UNKNOWN for a mixture of several; None if it accepts
    every issuer."""
    if mark.guard.issuers is None:
        return None
    mixture = (f"unknown: {sorted(mark.guard.issuers)}", UNKNOWN)
    issuers = mark.guard.issuers - branch_identifiers()
    return next((each for each in EDITIONS if key_identifiers(*each) == issuers), mixture)


def _deed(rule: Rule) -> tuple[str, int | None]:
    """The action of a rule, and the status code of a response of its own."""
    response = (rule.action_parameters or {}).get("response")
    return rule.action, response["status_code"] if isinstance(response, dict) else None


def _editions_held(world: World, site: Site) -> dict[str, list[tuple[str, int]]]:
    """By hostname, what the certificates hold on whose lists an installation claims to hold it. A claim that is in no
    status since one was lost says nothing."""
    recorded = frozenset[tuple[str, str]]().union(*(managed_places(each) for each in live_bindings(site)))
    known = {certificate_of(world, *edition): edition for edition in EDITIONS}
    found: dict[str, list[tuple[str, int]]] = {}
    for rule in rules_of(world):
        mark = read_mark(rule)
        if isinstance(mark, Claim) and mark.owner == site.owner and mark.state == "held":
            for hostname in mark.hostnames:
                for each in sorted(mark.certificates):
                    if hostname not in world.lost or (each, hostname) in recorded:
                        found.setdefault(hostname, []).append(known.get(each, (f"unknown: {each}", UNKNOWN)))
    return found
