"""What lets requests past a rule that is in force, or would if it stayed: somebody else's doing, told to a person.

| what is there                                                   | `Enforced`                                      |
|-----------------------------------------------------------------|-------------------------------------------------|
| a rule of ours that somebody disabled, moved or rewrote         | False, RuleAltered: it is put right             |
| the same, behind a rule that skips it, of a binding set aside   | False, BypassedByRule: nobody puts it right     |
| an IP Access rule with action Allow, of the zone or the account | False, BypassedByAccessRule                     |
| a hostname with DNS records of which none is proxied            | False, NotProxied                               |
| a hostname without any DNS record                               | True, NotProxied: nothing resolves it, or a load|
|                                                                 | balancer does, which has no record              |
| a hostname on the list of the CA that Cloudflare manages:       |                                                 |
| - the rule pins no issuers                                      | False, OnManagedCertificateAuthority            |
| - the rule pins them: its clients are blocked                   | not touched; `Associated` names it, True        |

Rules of this module:
- Nothing here changes what is done at Cloudflare: an exposure is said, and goes when somebody else ends it.
- A process that has not looked yet takes nothing back that one before it has said.
- What a look does not find of a hostname counts only if the hostname was in force when the look was begun.
- Only a binding that blocks is exposed: Log and None let everybody through and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from mtls_operator.api.conditions import Condition, ConditionStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.observed import AccessRule, DnsRecord, Rule
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.verdicts import Outcome, Verdict, blocked, ok, waiting
from mtls_operator.domain.zone_view import ZoneView

EXPOSURES: Final = frozenset(
    {
        Reason.BYPASSED_BY_RULE,
        Reason.BYPASSED_BY_ACCESS_RULE,
        Reason.ON_MANAGED_CERTIFICATE_AUTHORITY,
        Reason.NOT_PROXIED,
    }
)
"""Reasons that a person has to do something about."""
_REASONS: Final = {reason.value: reason for reason in EXPOSURES}
_BLOCKING: Final = frozenset({Reason.ENFORCED, Reason.ISSUER_NOT_PINNED, Reason.REVOCATION_INCOMPLETE})
"""What `Enforced` says of hostnames that a rule blocks for."""
_PINNING: Final = _BLOCKING - {Reason.ISSUER_NOT_PINNED}
_NAMED_AT_MOST: Final = 5
_ADDRESS_TYPES: Final = frozenset({"A", "AAAA", "CNAME"})
_KINDS: Final = {
    "ip": "address",
    "ip6": "address",
    "ip_range": "addresses",
    "asn": "autonomous system",
    "country": "country",
}


class Proxying(Enum):
    """Whether requests to a hostname pass Cloudflare, by its DNS records."""

    PROXIED = auto()
    NOT_PROXIED = auto()
    ABSENT = auto()


@dataclass(frozen=True)
class ZoneLook:
    """What others have in a zone, as one token saw it. What it may not see is left out."""

    hostnames: frozenset[str]
    """Those that were in force when it was begun."""
    allowances: frozenset[AccessRule] = frozenset()
    """IP Access rules with action Allow."""
    proxying: Mapping[str, Proxying] = field(default_factory=dict)
    """By hostname; empty where records cannot be read."""
    managed: frozenset[str] = frozenset()
    """Those of the hostnames that are on the list of the CA that Cloudflare manages."""


ZoneLooks = Callable[[str, CredentialKey], ZoneLook | None]
"""The last look at a zone (its id) with a token; None before the first."""


def no_look(_zone_id: str, _credential: CredentialKey) -> ZoneLook | None:
    """Nobody has looked yet."""
    return None


def proxying_of(hostnames: Iterable[str], records: Iterable[DnsRecord]) -> Mapping[str, Proxying]:
    """Whether hostnames are proxied. Of several records of a name one suffices, as for Cloudflare; a name without any
    has those of the nearest wildcard above it."""
    proxied: dict[str, bool] = {}
    for record in records:
        if record.type in _ADDRESS_TYPES:
            proxied[record.name] = proxied.get(record.name, False) or record.proxied
    return {hostname: _proxying(hostname, proxied) for hostname in hostnames}


def _proxying(hostname: str, proxied: Mapping[str, bool]) -> Proxying:
    labels = hostname.split(".")
    names = [hostname, *(".".join(["*", *labels[index:]]) for index in range(1, len(labels)))]
    found = next((name for name in names if name in proxied), None)
    if found is None:
        return Proxying.ABSENT
    return Proxying.PROXIED if proxied[found] else Proxying.NOT_PROXIED


def enforced_in_view_of(
    base: Verdict, before: Condition | None, hostnames: Collection[str], look: ZoneLook | None
) -> Verdict:
    """What `Enforced` says of hostnames, given what it would say if nobody else had anything there. `before` is what it
    said last."""
    if base.reason not in _BLOCKING:
        return base
    if look is None:
        return _kept(before) or base
    found = [
        *_bypasses(look.allowances),
        *_unproxied(_names(hostnames, look, Proxying.NOT_PROXIED)),
        *([] if pins_issuers(base) else _on_managed(hostnames, look)),
    ]
    if found:
        loud = [base.message] if base.reason == Reason.REVOCATION_INCOMPLETE else []
        return blocked(found[0].reason, " Besides, ".join([*(each.message for each in found), *loud]))
    absent = _names(hostnames, look, Proxying.ABSENT)
    return _without_record(base.message, absent) if absent and base.reason == Reason.ENFORCED else base


def pins_issuers(enforced: Verdict) -> bool:
    """Whether `Enforced`, if nobody else had anything there, tells of a rule that accepts the CA's issuers alone."""
    return enforced.reason in _PINNING


def associated_in_view_of(
    base: Verdict, before: Condition | None, hostnames: Collection[str], look: ZoneLook | None, *, pins: bool
) -> Verdict:
    """The same for `Associated`, of hostnames whose rule pins issuers or does not."""
    if base.reason != Reason.ASSOCIATED or not pins:
        return base
    if look is None:
        return _kept(before) or base
    shared = sorted(look.managed.intersection(hostnames))
    if not shared:
        return base
    return ok(
        Reason.ON_MANAGED_CERTIFICATE_AUTHORITY,
        f"{base.message}; also on the list of the CA that Cloudflare manages: {_listed(shared)}. Its clients are"
        " blocked, because the rule pins the issuers.",
    )


def alteration(view: ZoneView, rules: Sequence[Rule], hostnames: Collection[str], *, set_aside: bool) -> Verdict | None:
    """What somebody has done to rules of ours that cover hostnames, if anything. `set_aside`: the binding is suspended
    or only observed, so that it is not put right."""
    ours = [each for each in view.enforcement if not each.key.retained and not each.hostnames.isdisjoint(hostnames)]
    disabled = any(not each.key.enabled for each in ours)
    moved = any(each.rule_id in view.misplaced for each in ours)
    rewritten = any(each.names.intersection(hostnames) - view.enforced for each in view.altered)
    what = [
        *(["disabled"] if disabled else []),
        *(["moved behind a rule of somebody else"] if moved else []),
        *(["rewritten"] if rewritten else []),
    ]
    if not what:
        return None
    skipping = _skipping(rules, {each.rule_id for each in ours}) if moved else []
    if skipping and set_aside:
        return blocked(
            Reason.BYPASSED_BY_RULE,
            f"rules of somebody else stand before ours and let requests skip it: {_listed(skipping)}. Nothing is put"
            " right while the binding is set aside: move or remove them, or have it managed again.",
        )
    then = "nothing is put right while the binding is set aside" if set_aside else "it is being put right"
    passing = f", and requests that match {_listed(skipping)} skip it" if skipping else ""
    return waiting(Reason.RULE_ALTERED, f"somebody has {' and '.join(what)} our rule{passing}: {then}")


def _skipping(rules: Sequence[Rule], ours: Collection[str | None]) -> list[str]:
    """The rules before one of ours that let requests skip it."""
    last = max(index for index, rule in enumerate(rules) if rule.id in ours)
    return [
        f"{rule.body.description or 'a rule without a description'} ({rule.id})"
        for rule in rules[:last]
        if rule.skips_the_rest and rule.body.enabled
    ]


def _kept(before: Condition | None) -> Verdict | None:
    if before is None or before.reason not in _REASONS:
        return None
    outcome = Outcome.OK if before.status == ConditionStatus.TRUE else Outcome.BLOCKED
    return Verdict(outcome, _REASONS[before.reason], before.message)


def _bypasses(allowances: Collection[AccessRule]) -> list[Verdict]:
    if not allowances:
        return []
    named = sorted(f"{_KINDS.get(each.target, each.target)} {each.value}" for each in allowances)
    return [
        blocked(
            Reason.BYPASSED_BY_ACCESS_RULE,
            "IP Access rules of the zone or the account with action Allow let requests past all custom rules, without"
            f" any client certificate: those of {_listed(named)}. Remove them at Cloudflare (Security, IP Access"
            " rules); a custom rule with action Skip behind ours can spare these clients other checks.",
        )
    ]


def _unproxied(hostnames: Sequence[str]) -> list[Verdict]:
    if not hostnames:
        return []
    return [
        blocked(
            Reason.NOT_PROXIED,
            f"the DNS records of these hostnames are not proxied, so requests go to the origin and pass no rule:"
            f" {_listed(hostnames)}. Turn on the proxy for them.",
        )
    ]


def _on_managed(hostnames: Collection[str], look: ZoneLook) -> list[Verdict]:
    shared = sorted(look.managed.intersection(hostnames))
    if not shared:
        return []
    return [
        blocked(
            Reason.ON_MANAGED_CERTIFICATE_AUTHORITY,
            f"these hostnames are also on the list of the CA that Cloudflare manages, and with issuerPinning Never its"
            f" clients get through: {_listed(shared)}. Take them off that list (SSL/TLS, Client Certificates), or set"
            " spec.enforcement.issuerPinning to Always.",
        )
    ]


def _without_record(base: str, hostnames: Sequence[str]) -> Verdict:
    return ok(
        Reason.NOT_PROXIED,
        f"{base}; but the zone has no DNS record for {_listed(hostnames)}: nobody reaches them, unless a load balancer"
        " or another product of Cloudflare serves them without a record. Create a proxied one if that is not so.",
    )


def _names(hostnames: Collection[str], look: ZoneLook, proxying: Proxying) -> list[str]:
    asked = look.hostnames.intersection(hostnames)
    return sorted(name for name in asked if look.proxying.get(name) is proxying)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
