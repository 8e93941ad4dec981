"""What can be chosen about the edge. Nobody has written down which of each is true of the real one, unless said."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class SeveralCas(enum.Enum):
    """Which of several uploaded CAs count that are associated with one hostname.

    Cloudflare says that the most recently deployed is prioritised. The Cloudflare-managed CA counts beside them.
    """

    ALL = "all"
    MOST_RECENT = "most_recent"
    """Only the one that was uploaded last."""


class OldConnections(enum.Enum):
    """What a certificate is worth on a connection that was opened before the CAs of its hostname changed.

    A connection that was not asked for a certificate has none under either, until the client reconnects.
    """

    AS_OPENED = "as_opened"
    """What it was worth in the handshake, as TLS servers remember it."""
    VERIFIED_AGAIN = "verified_again"
    """Each request is judged by the CAs of its own moment."""


class Serials(enum.Enum):
    """How `cert_serial` writes a number: upper-case hex (documented) of ..."""

    BYTES = "bytes"
    """... its bytes without padding: two digits each, as nginx does."""
    DER = "der"
    """... its bytes as the certificate has them, with the zero byte that keeps a high first bit from being a sign."""
    SHORTEST = "shortest"
    """... the number, without leading zeros."""


@dataclass(frozen=True, slots=True)
class HostForm:
    """What `http.host` keeps of the Host header: its case, its port, the dot at the end of its name."""

    case: bool = True
    port: bool = True
    dot: bool = True


AS_SENT = HostForm()
NORMALISED = HostForm(case=False, port=False, dot=False)


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """Delays are in seconds behind the API: of lists and certificates, and of rules and IP Access rules.

    `partial_chains`: whether an uploaded CA that is not self-signed ends a chain. `managed_ca` is the PEM of the
    Cloudflare-managed CA, absent: nobody has a certificate of it; `managed_revoked` are the serial numbers that its
    users have revoked.
    """

    lists_delay: float = 0.0
    rules_delay: float = 0.0
    several_cas: SeveralCas = SeveralCas.ALL
    old_connections: OldConnections = OldConnections.AS_OPENED
    host: HostForm = AS_SENT
    serials: Serials = Serials.BYTES
    partial_chains: bool = True
    managed_ca: str | None = field(default=None, repr=False)
    managed_revoked: frozenset[int] = frozenset()

    @property
    def longest_delay(self) -> float:
        """The longest delay in seconds."""
        return max(self.lists_delay, self.rules_delay)
