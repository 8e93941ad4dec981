"""What a Cloudflare account holds, in lines for people, and whether two states hold the same."""

from __future__ import annotations

import re

from testbed.cloudflare.state import Rule, State
from testbed.demo.calls import is_revocation

_MARK = "mtls-operator"


def holdings(state: State) -> tuple[str, ...]:
    """Certificates, hostname lists and rules in their order; what carries no mark of ours is somebody else's."""
    return (*_certificates(state), *_lists(state), *_rules(state))


def differences(before: State, after: State) -> list[str]:
    """What is not as it was: certificates, lists, and the rules of every zone with their order and versions."""
    parts = {
        "certificates": (dict(before.certificates), dict(after.certificates)),
        "hostname lists": (dict(before.lists), dict(after.lists)),
        "rules": (_all_rules(before), _all_rules(after)),
    }
    return [f"{name}: {old} has become {new}" for name, (old, new) in parts.items() if old != new]


def _certificates(state: State) -> tuple[str, ...]:
    names = sorted(item.name for held in state.certificates.values() for item in held.values())
    return tuple(f"certificate  {name}{_whose(name)}" for name in names)


def _lists(state: State) -> tuple[str, ...]:
    names = {item.id: item.name for held in state.certificates.values() for item in held.values()}
    return tuple(
        f"list         {state.zones[zone].name}: {', '.join(sorted(hostnames))} with {names.get(str(certificate), '')}"
        for (zone, certificate), hostnames in sorted(state.lists.items(), key=str)
    )


def _rules(state: State) -> tuple[str, ...]:
    return tuple(
        f"rule {place:<7} {state.zones[zone].name}: {_rule(rule)}"
        for zone, ruleset in sorted(state.rulesets.items())
        for place, rule in enumerate(ruleset.rules, 1)
    )


def _all_rules(state: State) -> dict[str, tuple[Rule, ...]]:
    return {zone: ruleset.rules for zone, ruleset in state.rulesets.items() if ruleset.rules}


def _rule(rule: Rule) -> str:
    claim = re.search(r" claim .*\bstate=(\w+)", rule.description)
    names = ", ".join(re.findall(r'"([^"]+)"', rule.expression.partition(" and ")[0]))
    if not rule.description.startswith(_MARK):
        return f"{rule.action}: {rule.description}{_whose(rule.description)}"
    if claim:
        return f"claim, {claim[1]} (disabled): {names}"
    whom = "with revoked certificate" if is_revocation(rule.description) else "without certificate"
    return f"{rule.action} {whom}: {names}"


def _whose(text: str) -> str:
    return "" if _MARK in text else "  (somebody else's)"
