"""What Cloudflare holds, as values.

The client in `mtls_operator.cloudflare` parses answers into these types and the domain decides on them.
Field meanings are Cloudflare's (API reference of mTLS certificates, hostname associations and rulesets).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class CertificateId(str):
    """The id of an uploaded certificate: a UUID of 36 characters, never empty.

    An association request without one acts on the Cloudflare-managed CA, so the type refuses
    anything that is not a full id (safety invariant 1).
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        if not _UUID.fullmatch(value):
            raise ValueError(f"not the id of an uploaded certificate: {value!r}")
        return super().__new__(cls, value)


@dataclass(frozen=True, slots=True)
class Certificate:
    """An entry of the account's mTLS certificates. `pem` comes back normalised, so compare certificates, never text."""

    id: CertificateId
    name: str
    pem: str
    type: str | None = None
    ca: bool = True
    """False for a client certificate (of Workers): it takes no CA slot and is never ours."""

    @property
    def belongs_to_cloudflare(self) -> bool:
        """Entries of Gateway and Access are invisible to us: they cannot be adopted or deleted."""
        return self.type in {"gateway_managed", "access_managed"}


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone as the token sees it."""

    id: str
    name: str
    account_id: str
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class BlockResponse:
    """The custom response of a rule that blocks."""

    status_code: int
    content_type: str
    content: str


@dataclass(frozen=True, slots=True)
class RuleBody:
    """Everything of a custom rule that a writer decides. `response` is read and written for blocks only."""

    ref: str
    action: str
    expression: str
    description: str
    enabled: bool
    response: BlockResponse | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a zone's custom ruleset."""

    id: str
    body: RuleBody
    skips_the_rest: bool = False
    """Whether requests that match it skip the custom rules behind it; said of rules of others alone."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The zone's entry point ruleset of the phase `http_request_firewall_custom`, rules in their order."""

    id: str
    version: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AccessRule:
    """An IP Access rule of a zone or of its account. `mode` `whitelist` is what the dashboard calls Allow.

    `target` is `ip`, `ip6`, `ip_range`, `asn` or `country`, and `value` which one.
    """

    id: str
    mode: str
    target: str
    value: str


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A DNS record of a zone: the whole name, `*.example.com` for a wildcard. `proxied`: requests pass Cloudflare."""

    id: str
    name: str
    type: str
    proxied: bool
