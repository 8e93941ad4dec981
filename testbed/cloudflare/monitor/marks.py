"""Reading the marks of docs/marks.md, version 1, from rules and certificate names.

Written from that page alone: the operator's own reader is what this one judges. Anything that begins like a mark and
is not exactly one is `Unreadable`; it protects every name in it and proves nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from testbed.cloudflare.state import Rule

PREFIX = "mtls-operator/"
REF_PREFIX = "mtls_operator_"

_OWNER = r"[A-Za-z0-9._-]{1,63}"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_DIGESTS = r"(?:-|[0-9a-f]{16}(?:,[0-9a-f]{16})*)"
_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z"
_BY = rf"owner=(?P<owner>{_OWNER}) cluster=\S+"
_CLAIM = re.compile(
    rf"mtls-operator/1 claim {_BY} state=(?P<state>arriving|held|leaving) certs=(?P<certs>{_UUID}(?:,{_UUID})*)"
    rf" aim=(?:{_DIGESTS}|-) inforce=(?:{_DIGESTS}|-)(?: until={_TIME})?"
)
_ENFORCEMENT = re.compile(rf"mtls-operator/1 enforce {_BY}(?P<retained> retained)?")
_REVOCATION = re.compile(rf"mtls-operator/1 revoke {_BY}(?P<retained> retained)?")
_SET = r'\{("[^"\\]+"(?: "[^"\\]+")*)\}'
_HOSTS = rf"lower\(http\.host\) in {_SET}"
_VERIFIED = r"cf\.tls_client_auth\.cert_verified"
_CLAIMED_HOSTS = re.compile(rf"\({_HOSTS}\)")
_LIKE = r'lower\(http\.host\) matches "\^\(\?:([a-z0-9\\.|_-]+)\)\\\.\?\(\?::\[0-9\]\+\)\?\$"'
_PINNED = re.compile(
    rf"\((?:{_HOSTS}|{_LIKE}) and not \({_VERIFIED} and cf\.tls_client_auth\.cert_issuer_ski in {_SET}\)\)"
)
_UNPINNED = re.compile(rf"\((?:{_HOSTS}|{_LIKE}) and not {_VERIFIED}\)")
_REVOKED = re.compile(
    rf"\((?:{_HOSTS}|{_LIKE}) and cf\.tls_client_auth\.cert_issuer_ski in {_SET}"
    rf" and cf\.tls_client_auth\.cert_serial in {_SET}\)"
)
_CERTIFICATE_NAME = re.compile(rf".* [0-9a-f]{{8}} \(mtls-operator (?P<owner>{_OWNER})\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the expression of an enforcement rule does: which hostnames it blocks, unless which issuers verified.

    `issuers` are subject key identifiers in upper-case hex; None stands for every issuer.
    """

    hostnames: frozenset[str]
    issuers: frozenset[str] | None

    def accepts(self, identifiers: frozenset[str]) -> bool:
        """Whether clients of a certificate with these subject key identifiers come through."""
        return self.issuers is None or not self.issuers.isdisjoint(identifiers)


@dataclass(frozen=True, slots=True)
class Claim:
    """An installation says that it relies on hostnames being on the lists of certificates."""

    owner: str
    state: str
    certificates: frozenset[str]
    hostnames: frozenset[str]


@dataclass(frozen=True, slots=True)
class Enforcement:
    """An installation's rule that asks for client certificates."""

    owner: str
    retained: bool
    guard: Guard

    @property
    def hostnames(self) -> frozenset[str]:
        """Those that it covers."""
        return self.guard.hostnames


@dataclass(frozen=True, slots=True)
class Revocation:
    """An installation's rule that stops revoked certificates: of which hostnames, and which serial numbers (hex without
    leading zeros)."""

    owner: str
    retained: bool
    hostnames: frozenset[str]
    serials: frozenset[str]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that begins like a mark; `names` are the quoted strings of its expression. `owner` made the rule, if
    it is only the expression that cannot be read."""

    names: frozenset[str]
    owner: str | None = None


Mark = Claim | Enforcement | Revocation | Unreadable


def read_mark(rule: Rule) -> Mark | None:
    """The mark of a rule, None for a rule of somebody else."""
    return _read_mark(rule.description, rule.expression)


@lru_cache(maxsize=4096)
def _read_mark(description: str, expression: str) -> Mark | None:
    if not description.startswith(PREFIX):
        return None
    claim, enforcement = _CLAIM.fullmatch(description), _ENFORCEMENT.fullmatch(description)
    if claim:
        hosts = _CLAIMED_HOSTS.fullmatch(expression)
        names = _members(hosts[1]) if hosts else []
        if names and names == sorted(set(names)):
            return Claim(claim["owner"], claim["state"], frozenset(claim["certs"].split(",")), frozenset(names))
    if enforcement:
        guard = read_guard(expression)
        if guard is not None:
            return Enforcement(enforcement["owner"], enforcement["retained"] is not None, guard)
    revocation = _REVOCATION.fullmatch(description)
    revoked = _REVOKED.fullmatch(expression)
    if revocation and revoked:
        serials = frozenset(each.lstrip("0") for each in _members(revoked[4]))
        hostnames = _guarded(revoked[1], revoked[2])
        return Revocation(revocation["owner"], revocation["retained"] is not None, hostnames, serials)
    described = claim or enforcement or revocation
    return Unreadable(frozenset(re.findall(r'"([^"]*)"', expression)), described["owner"] if described else None)


@lru_cache(maxsize=4096)
def read_guard(expression: str) -> Guard | None:
    """What an expression of the shapes of enforcement rules does, None for any other expression."""
    if pinned := _PINNED.fullmatch(expression):
        return Guard(_guarded(pinned[1], pinned[2]), frozenset(_members(pinned[3])))
    if unpinned := _UNPINNED.fullmatch(expression):
        return Guard(_guarded(unpinned[1], unpinned[2]), None)
    return None


def owner_of(rule: Rule) -> str | None:
    """The installation that a rule belongs to, None when nobody can tell."""
    mark = read_mark(rule)
    return None if mark is None or isinstance(mark, Unreadable) else mark.owner


def certificate_owner(name: str) -> str | None:
    """The installation that uploaded a certificate of this name, None when the name carries no mark."""
    found = _CERTIFICATE_NAME.fullmatch(name)
    return None if found is None else found["owner"]


def _guarded(listed: str | None, pattern: str | None) -> frozenset[str]:
    """The hostnames of a list, or of a pattern that takes a trailing dot and a port as well."""
    if listed is not None:
        return frozenset(_members(listed))
    return frozenset(each.replace("\\.", ".") for each in (pattern or "").split("|"))


def _members(inside: str) -> list[str]:
    return inside[1:-1].split('" "')
