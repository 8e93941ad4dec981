"""The types of values in expressions, named as wirefilter names them in its messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The shapes a value can have. Strings are bytes: nothing decodes them."""

    BOOL = "Bool"
    BYTES = "Bytes"
    INT = "Int"
    IP = "Ip"
    ARRAY = "Array"
    MAP = "Map"


@dataclass(frozen=True, slots=True)
class Type:
    """A kind, and what is inside it for arrays and maps. Keys of maps are always strings."""

    kind: Kind
    inner: Type | None = None

    def __str__(self) -> str:
        return self.kind.value if self.inner is None else f"{self.kind.value}<{self.inner}>"


BOOL = Type(Kind.BOOL)
BYTES = Type(Kind.BYTES)
INT = Type(Kind.INT)
IP = Type(Kind.IP)


def array_of(inner: Type) -> Type:
    """The type of arrays of `inner`."""
    return Type(Kind.ARRAY, inner)


def map_of(inner: Type) -> Type:
    """The type of maps from strings to `inner`."""
    return Type(Kind.MAP, inner)
