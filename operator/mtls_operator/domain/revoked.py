"""Which certificates are revoked, as a zone's rules need to know it: serial numbers by the CA that revoked them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True)
class RevokedSerials:
    """What one CA has revoked: moments (seconds since the epoch) and serial numbers, newest first."""

    entries: tuple[tuple[float, str], ...] = ()
    is_whole: bool = True
    """Whether nothing else is revoked. Where that is not sure, what is in force beside it stays."""

    @cached_property
    def serials(self) -> frozenset[str]:
        return frozenset(serial for _, serial in self.entries)

    @cached_property
    def in_part(self) -> RevokedSerials:
        """The same, where more may be revoked than this."""
        return replace(self, is_whole=False)

    def beside(self, in_force: frozenset[str]) -> RevokedSerials:
        """With what is in force, of which nobody knows when it was revoked: it comes last."""
        undated = sorted(in_force - self.serials)
        return replace(self, entries=(*self.entries, *((float("-inf"), serial) for serial in undated)))


@dataclass(frozen=True, slots=True)
class Revocations:
    """What the revocation lists of a CA resource say, by the subject key identifier of the issuer.

    An issuer without a list has none that can be believed: what is in force for it stays. Only a list of the same CA
    that is whole takes a serial number back, unless the resource names no lists at all (`wanted` False).
    """

    lists: tuple[tuple[str, RevokedSerials], ...] = ()
    wanted: bool = True

    def of(self, issuer: str) -> RevokedSerials | None:
        """What an issuer has revoked; None where that is not known."""
        return next((each for name, each in self.lists if name == issuer), None)


NONE_WANTED = Revocations(wanted=False)


@dataclass(frozen=True, slots=True)
class ZoneRevocation:
    """What is the same for all hostnames of a zone."""

    most_rules: int = 100
    """How many rules about revoked certificates an installation may have in a zone."""
    lists: tuple[tuple[str, RevokedSerials], ...] = ()
    """The lists of all CAs of the cluster: for a hostname that still accepts the CA it comes from."""

    def of(self, issuer: str) -> RevokedSerials | None:
        """What a CA of the cluster has revoked; None where that is not known."""
        return next((each for name, each in self.lists if name == issuer), None)
