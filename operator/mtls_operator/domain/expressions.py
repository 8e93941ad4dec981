"""The rule expressions that we write, and how to read them back.

Rules of this module:
- Only these exact forms are ours. What does not read back to the same text is not understood, and the caller
  must treat it as unreadable, not as empty.
- A name appears quoted and unescaped, so one that could end the quotes is refused (the API refuses it earlier).

The forms are those of docs/marks.md; they were parsed by wirefilter, the engine of Cloudflare's rules.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mtls_operator.domain.serial_numbers import from_spelling, spellings

MAX_LENGTH = 4096
"""Longest expression that Cloudflare takes, in characters (documented)."""

_HOSTS = re.compile(r'\(lower\(http\.host\) in \{(?P<hosts>"[^{}]*")\}(?P<rest>.*)\)', re.DOTALL)
_TOLERANT_HOSTS = re.compile(
    r'\(lower\(http\.host\) matches "\^\(\?:(?P<hosts>[^()"]*)\)\\\.\?\(\?::\[0-9\]\+\)\?\$"(?P<rest>.*)\)', re.DOTALL
)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_QUOTED = re.compile(r'"([^"]*)"')
_ESCAPED_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\\\.[A-Za-z0-9_-]+)+")
_PINNED = re.compile(
    r" and not \(cf\.tls_client_auth\.cert_verified"
    r" and cf\.tls_client_auth\.cert_issuer_ski in \{(?P<issuers>[^{}]*)\}\)"
)
_UNPINNED = " and not cf.tls_client_auth.cert_verified"
_REVOKED = re.compile(
    r' and cf\.tls_client_auth\.cert_issuer_ski in \{"(?P<issuer>[0-9A-F]+)"\}'
    r" and cf\.tls_client_auth\.cert_serial in \{(?P<serials>[^{}]*)\}"
)


class UnreadableExpressionError(ValueError):
    """The expression is none of the forms that this version writes."""


def claim_expression(hostnames: Collection[str]) -> str:
    """The expression of a registry rule: it names hostnames and nothing else."""
    return f"({_host_is_one_of(hostnames)})"


def enforcement_expression(
    hostnames: Collection[str], issuers: Collection[str] | None, *, tolerant: bool = False
) -> str:
    """Matches a request to one of the hostnames without a verified certificate of one of the issuers.

    `issuers` are subject key identifiers in upper-case hex; None accepts any verified certificate. `tolerant` matches a
    hostname with a port or a trailing dot too.
    """
    host = _host_is_like_one_of(hostnames) if tolerant else _host_is_one_of(hostnames)
    if issuers is None:
        return f"({host}{_UNPINNED})"
    if not issuers:
        raise ValueError("a pinned rule needs an issuer: with none it would block every client")
    return (
        f"({host} and not (cf.tls_client_auth.cert_verified"
        f" and cf.tls_client_auth.cert_issuer_ski in {{{_quoted(issuers)}}}))"
    )


def revocation_expression(
    hostnames: Collection[str], issuer: str, serials: Collection[str], *, tolerant: bool = False
) -> str:
    """Matches a request to one of the hostnames with a certificate of this issuer that has one of the serial numbers,
    each in every spelling that it may have (`serial_numbers`)."""
    if not serials:
        raise ValueError("a rule about revoked certificates needs a serial number")
    host = _host_is_like_one_of(hostnames) if tolerant else _host_is_one_of(hostnames)
    spelt = [spelling for serial in serials for spelling in spellings(serial)]
    return (
        f"({host} and cf.tls_client_auth.cert_issuer_ski in {{{_quoted([issuer])}}}"
        f" and cf.tls_client_auth.cert_serial in {{{_quoted(spelt)}}})"
    )


def read_claim(expression: str) -> frozenset[str]:
    """The hostnames of a claim. Raises UnreadableExpressionError."""
    hostnames, rest = _split(expression)
    if rest or claim_expression(hostnames) != expression:
        raise UnreadableExpressionError("not the expression of a claim")
    return hostnames


def read_enforcement(expression: str) -> tuple[frozenset[str], frozenset[str] | None, bool]:
    """Hostnames and accepted issuers (None: any) of an enforcement rule, and whether it is tolerant.

    Raises UnreadableExpressionError.
    """
    hostnames, rest, tolerant = _split_either(expression)
    issuers: frozenset[str] | None = None
    if pinned := _PINNED.fullmatch(rest):
        issuers = frozenset(_QUOTED.findall(pinned["issuers"]))
    if issuers == frozenset() or enforcement_expression(hostnames, issuers, tolerant=tolerant) != expression:
        raise UnreadableExpressionError("not the expression of an enforcement rule")
    return hostnames, issuers, tolerant


def read_revocation(expression: str) -> tuple[frozenset[str], str, frozenset[str], bool]:
    """Hostnames, issuer and serial numbers of a rule about revoked certificates, and whether it is tolerant.

    Raises UnreadableExpressionError.
    """
    hostnames, rest, tolerant = _split_either(expression)
    revoked = _REVOKED.fullmatch(rest)
    serials = frozenset(map(from_spelling, _QUOTED.findall(revoked["serials"]))) if revoked else frozenset[str]()
    if revoked is None or not serials:
        raise UnreadableExpressionError("names no revoked certificates in the form that this version writes")
    if revocation_expression(hostnames, revoked["issuer"], serials, tolerant=tolerant) != expression:
        raise UnreadableExpressionError("not the expression of a rule about revoked certificates")
    return hostnames, revoked["issuer"], serials, tolerant


def named_in(expression: str) -> frozenset[str]:
    """Every quoted string and every name in a pattern: what an expression that cannot be read may be naming."""
    escaped = frozenset(each.replace("\\.", ".") for each in _ESCAPED_NAME.findall(expression))
    return frozenset(_QUOTED.findall(expression)) | escaped


def _split_either(expression: str) -> tuple[frozenset[str], str, bool]:
    """Hostnames, the rest of the expression, and whether hostnames are matched tolerantly."""
    like = _TOLERANT_HOSTS.fullmatch(expression)
    if like is not None:
        return _alternatives(like["hosts"]), like["rest"], True
    return (*_split(expression), False)


def _split(expression: str) -> tuple[frozenset[str], str]:
    match = _HOSTS.fullmatch(expression)
    if match is None:
        raise UnreadableExpressionError("names no hostnames in the form that this version writes")
    return frozenset(_QUOTED.findall(match["hosts"])), match["rest"]


def _host_is_one_of(hostnames: Collection[str]) -> str:
    if not hostnames:
        raise ValueError("a rule needs a hostname")
    return f"lower(http.host) in {{{_quoted(hostnames)}}}"


def _host_is_like_one_of(hostnames: Collection[str]) -> str:
    if not hostnames:
        raise ValueError("a rule needs a hostname")
    alternatives = "|".join(name.replace(".", r"\.") for name in sorted(_safe(hostnames)))
    return f'lower(http.host) matches "^(?:{alternatives})\\.?(?::[0-9]+)?$"'


def _alternatives(pattern: str) -> frozenset[str]:
    return frozenset(each.replace(r"\.", ".") for each in pattern.split("|"))


def _quoted(names: Collection[str]) -> str:
    return " ".join(f'"{name}"' for name in sorted(_safe(names)))


def _safe(names: Collection[str]) -> Collection[str]:
    if unsafe := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"not a hostname or key identifier: {unsafe[0]!r}")
    return names
