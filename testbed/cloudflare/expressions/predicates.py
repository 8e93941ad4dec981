"""What the right side of a comparison asks of a value: operators with their operand, as values that can be printed.

Each predicate has `holds(value)`, and `holds_for_nothing`: the answer for a value that is not there, such as a header
the request lacks. Only `ne` is true of nothing (wirefilter's default).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, ClassVar, Protocol

from testbed.cloudflare.expressions.lexing import Address
from testbed.cloudflare.expressions.strings import quoted, raw

Scalar = bytes | int | IPv4Address | IPv6Address
"""Values that can be compared. Booleans are never compared, only asked."""

_ORDERINGS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "le": operator.le,
    "gt": operator.gt,
    "lt": operator.lt,
}


class Predicate(Protocol):
    """One operator with its operand."""

    @property
    def holds_for_nothing(self) -> bool:
        """The answer when there is no value."""

    def holds(self, value: Scalar) -> bool:
        """Whether it is true of the value."""


def literal(value: Scalar) -> str:
    """The value as it is written in an expression."""
    return quoted(value) if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True)
class Ordering:
    """`eq`, `ne`, `ge`, `le`, `gt`, `lt`. Addresses of different families differ, and neither is greater."""

    name: str
    operand: Scalar

    @property
    def holds_for_nothing(self) -> bool:
        return self.name == "ne"

    def holds(self, value: Scalar) -> bool:
        if isinstance(value, IPv4Address | IPv6Address) and type(value) is not type(self.operand):
            return self.name == "ne"
        return bool(_ORDERINGS[self.name](value, self.operand))

    def __str__(self) -> str:
        return f"{self.name} {literal(self.operand)}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """`in {"a" "b"}`."""

    holds_for_nothing: ClassVar[bool] = False
    members: tuple[bytes, ...]

    def holds(self, value: Scalar) -> bool:
        return value in self.members

    def __str__(self) -> str:
        return "in {" + " ".join(quoted(member) for member in self.members) + "}"


@dataclass(frozen=True, slots=True)
class InRanges:
    """`in {1..5 80}` and `in {10.0.0.0/8 2001:db8::1}`: first and last of each range, both included."""

    holds_for_nothing: ClassVar[bool] = False
    ranges: tuple[tuple[int, int], ...] | tuple[tuple[Address, Address], ...]

    def holds(self, value: Scalar) -> bool:
        return any(type(first) is type(value) and int(first) <= int(value) <= int(last) for first, last in self.ranges)

    def __str__(self) -> str:
        return "in {" + " ".join(f"{first}..{last}" for first, last in self.ranges) + "}"


@dataclass(frozen=True, slots=True)
class HasBits:
    """`&`: whether value and operand have a bit in common."""

    holds_for_nothing: ClassVar[bool] = False
    operand: int

    def holds(self, value: Scalar) -> bool:
        return isinstance(value, int) and value & self.operand != 0

    def __str__(self) -> str:
        return f"& {self.operand}"


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains "part"`."""

    holds_for_nothing: ClassVar[bool] = False
    part: bytes

    def holds(self, value: Scalar) -> bool:
        return isinstance(value, bytes) and self.part in value

    def __str__(self) -> str:
        return f"contains {quoted(self.part)}"


@dataclass(frozen=True, slots=True)
class Matches:
    """`matches "pattern"`: the pattern is found anywhere in the value."""

    holds_for_nothing: ClassVar[bool] = False
    pattern: str
    compiled: re.Pattern[bytes] = field(compare=False, repr=False)

    def holds(self, value: Scalar) -> bool:
        return isinstance(value, bytes) and self.compiled.search(value) is not None

    def __str__(self) -> str:
        return f"matches {raw(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`wildcard "*.example.com"`, which ignores the case of ASCII letters, and `strict wildcard`, which does not."""

    holds_for_nothing: ClassVar[bool] = False
    pattern: bytes
    strict: bool
    compiled: re.Pattern[bytes] = field(compare=False, repr=False)

    def holds(self, value: Scalar) -> bool:
        return isinstance(value, bytes) and self.compiled.fullmatch(value) is not None

    def __str__(self) -> str:
        return f"{'strict ' if self.strict else ''}wildcard {quoted(self.pattern)}"
