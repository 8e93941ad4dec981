"""Marks: how an installation recognises what is whose at Cloudflare.

The grammar is docs/marks.md, versioned there. Rules of this module:
- Reading never guesses. A rule is ours, another installation's, unreadable, or somebody else's; nothing in between.
- An unreadable mark still names hostnames. They are kept: whoever wrote it relies on them.
- Writing and reading are inverse: what is written here reads back to an equal value.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from mtls_operator.domain.expressions import (
    UnreadableExpressionError,
    claim_expression,
    enforcement_expression,
    named_in,
    read_claim,
    read_enforcement,
    read_revocation,
    revocation_expression,
)
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule, RuleBody

REF_PREFIX = "mtls_operator_"
NOT_COUNTED = "9999-12-31T23:59:59Z"
"""The `until` of a claim as long as an overlap is not counted: nobody knows when it will be over."""
_PREFIX = "mtls-operator/"
_OWNER = r"[A-Za-z0-9._-]{1,63}"
_CLUSTER = r"[0-9a-f-]{36}"
_LONGEST_NAME = 200
"""How long a certificate's name may be at Cloudflare is not documented; a namespace and a name can have 317."""
_CERTIFICATE_MARK = re.compile(rf".* [0-9a-f]{{8}} \(mtls-operator (?P<owner>{_OWNER})\)", re.DOTALL)
_CLAIM = re.compile(
    rf"mtls-operator/1 claim owner=(?P<owner>{_OWNER}) cluster=(?P<cluster>{_CLUSTER})"
    r" state=(?P<state>arriving|held|leaving) certs=(?P<certs>[0-9a-f,-]+)"
    r" aim=(?P<aim>-|[0-9a-f]{16}(?:,[0-9a-f]{16})*) inforce=(?P<inforce>-|[0-9a-f]{16}(?:,[0-9a-f]{16})*)"
    r"(?: until=(?P<until>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z))?"
)
_ENFORCE = re.compile(
    rf"mtls-operator/1 enforce owner=(?P<owner>{_OWNER}) cluster=(?P<cluster>{_CLUSTER})(?P<retained> retained)?"
)
_REVOKE = re.compile(
    rf"mtls-operator/1 revoke owner=(?P<owner>{_OWNER}) cluster=(?P<cluster>{_CLUSTER})(?P<retained> retained)?"
)


class ClaimState(StrEnum):
    """Where a hostname of an installation stands on the list of a certificate."""

    ARRIVING = "arriving"
    HELD = "held"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Installation:
    """Who writes: the installation's id and the UID of its cluster's kube-system namespace."""

    owner: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What an installation relies on: hostnames on the list of certificates, in a state."""

    installation: Installation
    state: ClaimState
    certificate_ids: frozenset[CertificateId]
    hostnames: frozenset[str]
    aim: frozenset[str]
    in_force: frozenset[str]
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Enforcement:
    """A rule of an installation that acts on requests without an accepted certificate."""

    installation: Installation
    hostnames: frozenset[str]
    issuers: frozenset[str] | None
    action: str
    response: BlockResponse | None
    enabled: bool
    retained: bool = False
    tolerant: bool = False
    """Whether hostnames are matched with a port or a trailing dot too."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A rule of an installation that acts on requests with a certificate that its CA has revoked."""

    installation: Installation
    hostnames: frozenset[str]
    issuer: str
    serials: frozenset[str]
    """Without leading zeros (`serial_numbers`)."""
    action: str
    response: BlockResponse | None
    enabled: bool
    retained: bool = False
    tolerant: bool = False
    """Whether hostnames are matched with a port or a trailing dot too."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A rule under our prefix that this version cannot read, with every name that it may be about."""

    names: frozenset[str]
    installation: Installation | None = None
    """Whose it is, where only the expression was altered."""
    is_claim: bool = False
    """Whether it is a claim, where only the expression was altered."""
    revokes: bool = False
    """Whether it was about revoked certificates, by its description."""


Mark = Claim | Enforcement | Revocation | Unreadable


def certificate_name(display_name: str, bundle_fingerprint: str, owner: str) -> str:
    """The name under which an installation uploads a bundle; it carries the mark, whole in any case."""
    mark = f" {bundle_fingerprint[:8]} (mtls-operator {owner})"
    return display_name[: _LONGEST_NAME - len(mark)] + mark


def certificate_owner(name: str) -> str | None:
    """The installation that uploaded a certificate, None for one without a mark."""
    match = _CERTIFICATE_MARK.fullmatch(name)
    return match["owner"] if match else None


def read_mark(rule: Rule) -> Mark | None:
    """What a rule says about an installation of this operator; None for somebody else's rule."""
    return _read_mark(rule.body) if rule.body.description.startswith(_PREFIX) else None


@lru_cache(maxsize=4096)
def _read_mark(body: RuleBody) -> Mark:
    """A zone's rules are looked at with every step, and change seldom."""
    try:
        read = _read_claim(body) or _read_enforcement(body) or _read_revocation(body)
        return read or Unreadable(named_in(body.expression))
    except UnreadableExpressionError:
        is_claim = _CLAIM.fullmatch(body.description) is not None
        revokes = _REVOKE.fullmatch(body.description) is not None
        return Unreadable(named_in(body.expression), _installation(body), is_claim, revokes)
    except ValueError:
        return Unreadable(named_in(body.expression))


def digest_of(fingerprint: str) -> str:
    """The fingerprint of a CA certificate as claims tell it: its first 16 hex digits (docs/marks.md)."""
    return fingerprint[:16]


def claim_body(claim: Claim, ref: str) -> RuleBody:
    """The registry rule of a claim: disabled, and harmless if somebody enables it."""
    words = [
        "mtls-operator/1 claim",
        f"owner={claim.installation.owner}",
        f"cluster={claim.installation.cluster}",
        f"state={claim.state}",
        f"certs={','.join(sorted(claim.certificate_ids))}",
        f"aim={_fingerprints(claim.aim)}",
        f"inforce={_fingerprints(claim.in_force)}",
    ]
    if claim.until is not None:
        words.append(f"until={claim.until}")
    return RuleBody(
        ref=ref,
        action="log",
        expression=claim_expression(claim.hostnames),
        description=" ".join(words),
        enabled=False,
    )


def enforcement_body(rule: Enforcement, ref: str) -> RuleBody:
    """The rule that acts on requests without an accepted certificate."""
    retained = " retained" if rule.retained else ""
    return RuleBody(
        ref=ref,
        action=rule.action,
        expression=enforcement_expression(rule.hostnames, rule.issuers, tolerant=rule.tolerant),
        description=(
            f"mtls-operator/1 enforce owner={rule.installation.owner} cluster={rule.installation.cluster}{retained}"
        ),
        enabled=rule.enabled,
        response=rule.response,
    )


def revocation_body(rule: Revocation, ref: str) -> RuleBody:
    """The rule that acts on requests with a revoked certificate."""
    retained = " retained" if rule.retained else ""
    return RuleBody(
        ref=ref,
        action=rule.action,
        expression=revocation_expression(rule.hostnames, rule.issuer, rule.serials, tolerant=rule.tolerant),
        description=(
            f"mtls-operator/1 revoke owner={rule.installation.owner} cluster={rule.installation.cluster}{retained}"
        ),
        enabled=rule.enabled,
        response=rule.response,
    )


def rule_ref(installation: Installation, *about: str) -> str:
    """A ref that is unique in the ruleset: it names the installation, and what the rule is first written for.

    It never changes while the rule lives, so it is no description of what the rule holds now.
    """
    digest = hashlib.sha256("\0".join((installation.owner, installation.cluster, *about)).encode())
    return REF_PREFIX + digest.hexdigest()[:24]


def _read_claim(body: RuleBody) -> Claim | None:
    match = _CLAIM.fullmatch(body.description)
    if match is None:
        return None
    return Claim(
        installation=Installation(match["owner"], match["cluster"]),
        state=ClaimState(match["state"]),
        certificate_ids=frozenset(CertificateId(each) for each in match["certs"].split(",")),
        hostnames=read_claim(body.expression),
        aim=_read_fingerprints(match["aim"]),
        in_force=_read_fingerprints(match["inforce"]),
        until=match["until"],
    )


def _read_enforcement(body: RuleBody) -> Enforcement | None:
    match = _ENFORCE.fullmatch(body.description)
    if match is None:
        return None
    hostnames, issuers, tolerant = read_enforcement(body.expression)
    return Enforcement(
        installation=Installation(match["owner"], match["cluster"]),
        hostnames=hostnames,
        issuers=issuers,
        action=body.action,
        response=body.response,
        enabled=body.enabled,
        retained=match["retained"] is not None,
        tolerant=tolerant,
    )


def _read_revocation(body: RuleBody) -> Revocation | None:
    match = _REVOKE.fullmatch(body.description)
    if match is None:
        return None
    hostnames, issuer, serials, tolerant = read_revocation(body.expression)
    return Revocation(
        installation=Installation(match["owner"], match["cluster"]),
        hostnames=hostnames,
        issuer=issuer,
        serials=serials,
        action=body.action,
        response=body.response,
        enabled=body.enabled,
        retained=match["retained"] is not None,
        tolerant=tolerant,
    )


def _installation(body: RuleBody) -> Installation | None:
    """Who puts a rule right whose expression cannot be read; nobody one that was retained."""
    described = (each.fullmatch(body.description) for each in (_CLAIM, _ENFORCE, _REVOKE))
    match = next((each for each in described if each), None)
    if match is None or match.groupdict().get("retained"):
        return None
    return Installation(match["owner"], match["cluster"])


def _fingerprints(values: frozenset[str]) -> str:
    return ",".join(sorted(values)) or "-"


def _read_fingerprints(text: str) -> frozenset[str]:
    return frozenset() if text == "-" else frozenset(text.split(","))
