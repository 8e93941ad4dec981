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

MAX_LENGTH = 4096
"""Longest expression that Cloudflare takes, in characters (documented)."""

_HOSTS = re.compile(r'\(lower\(http\.host\) in \{(?P<hosts>"[^{}]*")\}(?P<rest>.*)\)', re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_QUOTED = re.compile(r'"([^"]*)"')
_PINNED = re.compile(
    r" and not \(cf\.tls_client_auth\.cert_verified"
    r" and cf\.tls_client_auth\.cert_issuer_ski in \{(?P<issuers>[^{}]*)\}\)"
)
_UNPINNED = " and not cf.tls_client_auth.cert_verified"


class UnreadableExpressionError(ValueError):
    """The expression is none of the forms that this version writes."""


def claim_expression(hostnames: Collection[str]) -> str:
    """The expression of a registry rule: it names hostnames and nothing else."""
    return f"({_host_is_one_of(hostnames)})"


def enforcement_expression(hostnames: Collection[str], issuers: Collection[str] | None) -> str:
    """Matches a request to one of the hostnames without a verified certificate of one of the issuers.

    `issuers` are subject key identifiers in upper-case hex; None accepts any verified certificate.
    """
    if issuers is None:
        return f"({_host_is_one_of(hostnames)}{_UNPINNED})"
    if not issuers:
        raise ValueError("a pinned rule needs an issuer: with none it would block every client")
    return (
        f"({_host_is_one_of(hostnames)} and not (cf.tls_client_auth.cert_verified"
        f" and cf.tls_client_auth.cert_issuer_ski in {{{_quoted(issuers)}}}))"
    )


def read_claim(expression: str) -> frozenset[str]:
    """The hostnames of a claim. Raises UnreadableExpressionError."""
    hostnames, rest = _split(expression)
    if rest or claim_expression(hostnames) != expression:
        raise UnreadableExpressionError("not the expression of a claim")
    return hostnames


def read_enforcement(expression: str) -> tuple[frozenset[str], frozenset[str] | None]:
    """Hostnames and accepted issuers (None: any) of an enforcement rule. Raises UnreadableExpressionError."""
    hostnames, rest = _split(expression)
    issuers: frozenset[str] | None = None
    if pinned := _PINNED.fullmatch(rest):
        issuers = frozenset(_QUOTED.findall(pinned["issuers"]))
    if issuers == frozenset() or enforcement_expression(hostnames, issuers) != expression:
        raise UnreadableExpressionError("not the expression of an enforcement rule")
    return hostnames, issuers


def quoted_strings(expression: str) -> frozenset[str]:
    """Every quoted string: what an expression that cannot be read may be naming."""
    return frozenset(_QUOTED.findall(expression))


def _split(expression: str) -> tuple[frozenset[str], str]:
    match = _HOSTS.fullmatch(expression)
    if match is None:
        raise UnreadableExpressionError("names no hostnames in the form that this version writes")
    return frozenset(_QUOTED.findall(match["hosts"])), match["rest"]


def _host_is_one_of(hostnames: Collection[str]) -> str:
    if not hostnames:
        raise ValueError("a rule needs a hostname")
    return f"lower(http.host) in {{{_quoted(hostnames)}}}"


def _quoted(names: Collection[str]) -> str:
    if unsafe := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"not a hostname or key identifier: {unsafe[0]!r}")
    return " ".join(f'"{name}"' for name in sorted(names))
