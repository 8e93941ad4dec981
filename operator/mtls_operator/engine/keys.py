"""What is reconciled as one: an account's certificates, a zone, or the bindings whose zone is not known yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The certificates of an account. An empty id: the CAs whose spec cannot be read."""

    account_id: str
    kind: ClassVar[str] = "account"


@dataclass(frozen=True, slots=True)
class ZoneKey:
    """A zone: its lists and rules, and the bindings in it."""

    zone_id: str
    kind: ClassVar[str] = "zone"


@dataclass(frozen=True, slots=True)
class UnzonedKey:
    """All bindings whose zone has not been found."""

    kind: ClassVar[str] = "unzoned"


Key = AccountKey | ZoneKey | UnzonedKey
