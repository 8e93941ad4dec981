"""IP Access rules and custom rules, in the order in which they are evaluated.

An IP Access rule that matches decides before any custom rule: "Allow" lets the request pass all of them. Of several
that match, the narrowest target counts, and of equally narrow ones the zone's before the account's. Then the zone's
custom rules, first to last: `log` goes on, `skip` of the current ruleset or phase ends them, everything else ends with
its action. A client that is no browser fails every challenge.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from testbed.cloudflare.expressions import Values, parse
from testbed.cloudflare.rulesets import PHASE
from testbed.cloudflare.state import AccessRule, Rule


class Outcome(enum.Enum):
    """What becomes of a request."""

    PASSED = "passed"
    BLOCKED = "blocked"
    CHALLENGED = "challenged"
    NOT_SERVED = "not_served"
    """The hostname is in no zone."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule_id`: the rule that decided, None when none did. `matched`: every custom rule that matched, in order.

    `response` is the custom response of a block.
    """

    outcome: Outcome
    rule_id: str | None = None
    matched: tuple[str, ...] = ()
    response: Mapping[str, object] | None = None


def decide_by_address(access_rules: Sequence[AccessRule], source: str) -> Decision | None:
    """What IP Access rules say of an address, None when it is for the custom rules. Those of the zone come first.

    Whose address it is is unknown here, so rules for countries and autonomous systems match nobody.
    """
    if not access_rules:
        return None
    address = ip_address(source)
    matching = [
        (network.prefixlen, rule) for rule in access_rules if (network := _network(rule)) and address in network
    ]
    _, narrowest = max(matching, key=lambda found: found[0], default=(0, None))
    return None if narrowest is None else Decision(_ACCESS[narrowest.mode], narrowest.id)


def _network(rule: AccessRule) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(rule.target)
    except ValueError:
        return None


def decide_by_rules(rules: Sequence[Rule], values: Values) -> Decision:
    """What custom rules make of a request with these values of its fields."""
    matched: list[str] = []
    for rule in rules:
        if not (rule.enabled and parse(rule.expression).holds(values)):
            continue
        matched.append(rule.id)
        if rule.action == "skip" and _ends_the_rules(rule):
            return Decision(Outcome.PASSED, rule.id, tuple(matched))
        if rule.action not in _GOING_ON:
            outcome = Outcome.BLOCKED if rule.action == "block" else Outcome.CHALLENGED
            return Decision(outcome, rule.id, tuple(matched), _custom_response(rule))
    return Decision(Outcome.PASSED, None, tuple(matched))


_GOING_ON = frozenset({"log", "skip"})
_ACCESS = {
    "whitelist": Outcome.PASSED,
    "block": Outcome.BLOCKED,
    "challenge": Outcome.CHALLENGED,
    "js_challenge": Outcome.CHALLENGED,
    "managed_challenge": Outcome.CHALLENGED,
}


def _ends_the_rules(rule: Rule) -> bool:
    parameters = rule.action_parameters or {}
    phases = parameters.get("phases")
    return (
        parameters.get("ruleset") == "current"
        or parameters.get("phase") == "current"
        or (isinstance(phases, Sequence) and PHASE in phases)
    )


def _custom_response(rule: Rule) -> Mapping[str, object] | None:
    response = (rule.action_parameters or {}).get("response")
    return response if rule.action == "block" and isinstance(response, Mapping) else None
