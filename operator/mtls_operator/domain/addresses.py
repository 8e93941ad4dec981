"""Which addresses the check from outside may connect to.

Names of hostnames come from users, and what they resolve to from whoever runs their DNS. A hostname that leads into the
cluster's own networks would let a user of a namespace have the operator knock at doors that he cannot reach himself.
So only addresses of the public internet are contacted; what is embedded in a form of another address counts as itself.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix (RFC 6052). The local one, 64:ff9b:1::/48, is reserved."""


def objection_to(address: Address) -> str | None:
    """What keeps an address from being contacted, in a word; None when it is one of the public internet."""
    embedded = _embedded(address)
    if embedded is not None:
        return objection_to(embedded)
    kinds = {
        "unspecified": address.is_unspecified,
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "multicast": address.is_multicast,
        "private": address.is_private or (isinstance(address, IPv6Address) and address.is_site_local),
        "reserved": address.is_reserved or not address.is_global,
    }
    return next((kind for kind, applies in kinds.items() if applies), None)


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end up at."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
