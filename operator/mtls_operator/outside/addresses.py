"""Where a hostname leads. It is asked for once in a check, and every connection of the check goes to that address: who
runs the DNS of a hostname cannot show one address to be judged and another to be connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from mtls_operator.domain.addresses import objection_to
from mtls_operator.domain.verification import NotContacted, Unanswered

HTTPS_PORT: Final = 443
ANY: Final = "*"
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """An address with a port."""

    address: str
    port: int = HTTPS_PORT


@dataclass(frozen=True, slots=True)
class Directory:
    """Finds the places of hostnames. `known` answers in place of the DNS, by hostname or for `*`."""

    allow_private: bool = False
    known: Mapping[str, Place] = field(default_factory=dict)

    async def places_of(self, hostname: str) -> tuple[Place, ...] | NotContacted | Unanswered:
        """Where a hostname leads, best first; or why nothing of it may be contacted: one bad address is enough."""
        known = self.known.get(hostname, self.known.get(ANY))
        found = (known,) if known else await _resolved(hostname)
        if not found:
            return Unanswered("its name leads nowhere in the DNS")
        for place in found:
            objection = None if self.allow_private else objection_to(ip_address(place.address))
            if objection is not None:
                return NotContacted(place.address, objection)
        return found


async def _resolved(hostname: str) -> tuple[Place, ...]:
    resolve = asyncio.get_running_loop().getaddrinfo
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            # With a dot at its end, or the search domains of the cluster would be tried first.
            found = await resolve(f"{hostname}.", HTTPS_PORT, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(Place(str(address[0])) for *_, address in found))
