"""A calm zone in which certificates are revoked: what is wanted of it, and what its rules keep out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mtls_operator.domain.marks import (
    Enforcement,
    Installation,
    Revocation,
    enforcement_body,
    revocation_body,
)
from mtls_operator.domain.observed import CertificateId, Rule
from mtls_operator.domain.revoked import Revocations, RevokedSerials
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import (
    API,
    TARGET,
    CalmZone,
    wanted,
)

ELSEWHERE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
NEW = frozenset({"b" * 16})
A, B = "AA01", "BB02"
GONE = Installation("gone", "33333333-2222-4333-8444-555555555555")


def with_two_lists() -> CalmZone:
    """With the list of another certificate, to move to."""
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    return zone


def listed(*serials: str) -> RevokedSerials:
    """A list, the last revocation first."""
    return RevokedSerials(tuple((float(-index), serial) for index, serial in enumerate(serials)))


def revoking(*serials: str, issuer: str = A) -> Revocations:
    return Revocations(((issuer, listed(*serials)),))


def target(revoked: Revocations | None, **policy: Any) -> Target:
    assert TARGET.policy is not None
    return replace(TARGET, policy=replace(TARGET.policy, **policy), issuers=frozenset({A}), revoked=revoked)


def moved(revoked: Revocations | None, issuers: frozenset[str] | None = frozenset({B})) -> Target:
    """To another CA, with an overlap of two hours."""
    policy = Policy(issuers, "block")
    return Target(ELSEWHERE, NEW, NEW, policy, overlap=7200.0, issuers=frozenset({B}), revoked=revoked)


def in_force(zone: CalmZone, revoked: Revocations | None, *hostnames: str, **policy: Any) -> CalmZone:
    zone.after(wanted(*(hostnames or (API,)), target=target(revoked, **policy)))
    zone.steps.clear()
    return zone


def changed(zone: CalmZone, after: Target | Revocations | None, seconds: float = 1_000.0) -> list[str]:
    """The steps that follow when what is revoked, or more, is another."""
    new = after if isinstance(after, Target) else target(after)
    return zone.after(replace(zone.ours(), target=new), seconds=seconds)


def revocations(zone: CalmZone) -> list[Revocation]:
    return [mark for mark in zone.marks() if isinstance(mark, Revocation)]


def revoked(zone: CalmZone, hostname: str = API) -> dict[str, set[str]]:
    """What is kept out of a hostname, by issuer."""
    found: dict[str, set[str]] = {}
    for mark in revocations(zone):
        if hostname in mark.hostnames and mark.enabled:
            found.setdefault(mark.issuer, set()).update(mark.serials)
    return found


def seen(zone: CalmZone) -> list[tuple[bool, dict[str, set[str]]]]:
    """From now on: whether a rule is there and what it keeps out, at each write of the zone."""
    states: list[tuple[bool, dict[str, set[str]]]] = []
    zone.zone.watch = lambda: states.append(
        (any(isinstance(each, Enforcement) for each in zone.marks()), revoked(zone))
    )
    return states


def kinds(zone: CalmZone) -> list[str]:
    """The ruleset in its order."""
    return [type(mark).__name__ for mark in zone.marks()]


def spoil(zone: CalmZone, **changes: Any) -> str:
    """Somebody changes the rule about revoked certificates; its id."""
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    at = next(i for i, mark in enumerate(zone.marks()) if isinstance(mark, Revocation))
    rule = ruleset.rules[at]
    altered = replace(rule, body=replace(rule.body, **changes))
    zone.zone.set_rules((*ruleset.rules[:at], altered, *ruleset.rules[at + 1 :]))
    return rule.id


def left_rules(zone: CalmZone, *marks: Enforcement | Revocation) -> None:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    rules = [
        Rule(
            f"left-{i}",
            enforcement_body(m, f"left-{i}") if isinstance(m, Enforcement) else revocation_body(m, f"left-{i}"),
        )
        for i, m in enumerate(marks)
    ]
    zone.zone.set_rules((*rules, *ruleset.rules))


def many(count: int) -> Revocations:
    return revoking(*(f"{10**30 + number:X}" for number in range(count)))
