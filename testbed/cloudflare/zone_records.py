"""The DNS records of a zone, as far as it matters here whether requests pass Cloudflare."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

PROXIABLE = frozenset({"A", "AAAA", "CNAME"})
"""The types of records that can be proxied."""


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """`name` is the whole name, `*.example.com` for a wildcard. `proxied` is False for types that cannot be."""

    id: str
    name: str
    type: str
    content: str
    proxied: bool


def dns_record(zone_id: str, name: str, type_: str, content: str, *, proxied: bool) -> DnsRecord:
    """A record. Its id follows from what it is, so that records do not shift the ids of everything else.

    Raises ValueError for a proxied record of a type that cannot be.
    """
    if proxied and type_ not in PROXIABLE:
        raise ValueError(f"records of type {type_} cannot be proxied")
    identity = f"{zone_id} {name} {type_} {content}"
    return DnsRecord(hashlib.sha256(identity.encode()).hexdigest()[:32], name, type_, content, proxied)


def everything_proxied(zone_id: str, name: str) -> tuple[DnsRecord, ...]:
    """The records of a zone whose apex is proxied, and every name below it."""
    return tuple(dns_record(zone_id, each, "A", "192.0.2.1", proxied=True) for each in (name, f"*.{name}"))
