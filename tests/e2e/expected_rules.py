"""The rules that a zone should have, written down apart from the operator that writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from testbed.cloudflare.state import Rule


class Sight(NamedTuple):
    """What matters of a rule. `kind` is `enforce`, `claim <state>`, or the description of a rule of somebody else."""

    kind: str
    enabled: bool
    action: str
    expression: str


def sights(rules: Iterable[Rule]) -> list[Sight]:
    """Rules as they are, in their order."""
    return [Sight(_kind(rule.description), rule.enabled, rule.action, rule.expression) for rule in rules]


def held_and_enforced(issuer: str, *hostnames: str) -> list[Sight]:
    """The only rules of a zone in which these hostnames are bound to one CA with that key identifier."""
    names = " ".join(f'"{name}"' for name in sorted(hostnames))
    verified = f'(cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_issuer_ski in {{"{issuer}"}})'
    return [
        Sight(
            "enforce", enabled=True, action="block", expression=f"(lower(http.host) in {{{names}}} and not {verified})"
        ),
        Sight("claim held", enabled=False, action="log", expression=f"(lower(http.host) in {{{names}}})"),
    ]


def _kind(description: str) -> str:
    if not description.startswith("mtls-operator/1 "):
        return description
    words = description.split()
    states = [word.removeprefix("state=") for word in words if word.startswith("state=")]
    return " ".join([words[1], *states])
