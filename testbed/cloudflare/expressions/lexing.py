"""Reading the smallest parts of an expression: spaces, words, numbers, strings, addresses.

A `Cursor` walks over the text; each `read_*` function takes what it names from the cursor's place or raises. There
are no tokens and no word boundaries, because the real lexer has none: what a piece of text means depends on what
the grammar allows at that place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

_SPACE = re.compile(r"[ \r\n]*")
_NESTING_LIMIT = 128
_INT_RANGE = range(-(2**63), 2**63)


class ExpressionError(ValueError):
    """An expression that Cloudflare refuses.

    `reason` is the bare cause, `line` and `column` count from 1. The text of the error is laid out as Cloudflare's:
    the position, the line, and a caret under what is wrong.
    """

    def __init__(self, reason: str, text: str, start: int, end: int) -> None:
        line_start = text.rfind("\n", 0, start) + 1
        shown = text[line_start:].split("\n", 1)[0]
        self.reason = reason
        self.line = text.count("\n", 0, start) + 1
        self.column = start - line_start + 1
        length = max(1, min(end - start, len(shown) - self.column + 1))
        carets = " " * (self.column - 1) + "^" * length
        super().__init__(f"Filter parsing error ({self.line}:{self.column}):\n{shown}\n{carets} {reason}")


@dataclass(slots=True)
class Cursor:
    """A place in a text. `end` cuts off trailing white space, `depth` counts open parentheses, nots and calls."""

    text: str
    place: int = 0
    end: int = -1
    depth: int = 0

    def __post_init__(self) -> None:
        self.end = len(self.text.rstrip())
        self.place = len(self.text) - len(self.text.lstrip())

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.place >= self.end

    @property
    def next(self) -> str:
        """The next character, empty at the end."""
        return self.text[self.place : min(self.place + 1, self.end)]

    def skip_space(self) -> None:
        """Skip blanks and line breaks; tabs are no space to the real lexer either."""
        self.take(_SPACE)

    def take(self, pattern: re.Pattern[str]) -> str:
        """Take what the pattern matches here, empty when it does not match."""
        found = pattern.match(self.text, self.place, self.end)
        if found is None:
            return ""
        self.place = found.end()
        return found.group()

    def accept(self, *literals: str) -> str | None:
        """Take the first of the literals that stands here, None when none does."""
        for literal in literals:
            if self.text.startswith(literal, self.place, self.end):
                self.place += len(literal)
                return literal
        return None

    def expect(self, literal: str) -> None:
        """Take the literal. Raises ExpressionError when something else stands here."""
        if self.accept(literal) is None:
            raise self.error(f'expected literal "{literal}"')

    def error(self, reason: str, start: int | None = None, end: int | None = None) -> ExpressionError:
        """The error to raise about what stands from `start` to `end`, absent: from here to the end."""
        return ExpressionError(
            reason, self.text, self.place if start is None else start, self.end if end is None else end
        )

    def descend(self, start: int) -> None:
        """Go one level deeper. Raises ExpressionError past the engine's limit of 128 levels."""
        if self.depth >= _NESTING_LIMIT:
            raise self.error(f"maximum nesting depth exceeded (limit: {_NESTING_LIMIT})", start)
        self.depth += 1

    def ascend(self) -> None:
        """Come back from `descend`."""
        self.depth -= 1


_HEX_DIGITS = re.compile(r"[0-9A-Fa-f]+")


def read_int(cursor: Cursor) -> int:
    """A 64-bit integer: decimal with an optional sign, `0x` and hex digits, or `0` and octal digits."""
    if cursor.accept("0x"):
        return _digits(cursor, cursor.place, 16)
    if cursor.next == "0":
        return _digits(cursor, cursor.place, 8)
    start = cursor.place
    cursor.accept("-")
    return _digits(cursor, start, 10)


def _digits(cursor: Cursor, start: int, radix: int) -> int:
    # Hex digits are taken whatever the radix, so that the error is about the whole number.
    if not cursor.take(_HEX_DIGITS):
        raise cursor.error("expected digit")
    written = cursor.text[start : cursor.place]
    try:
        value = int(written, radix)
    except ValueError:
        reason = f"invalid digit found in string while parsing with radix {radix}"
        raise cursor.error(reason, start, cursor.place) from None
    if value not in _INT_RANGE:
        size = "large" if value > 0 else "small"
        reason = f"number too {size} to fit in target type while parsing with radix {radix}"
        raise cursor.error(reason, start, cursor.place)
    return value


def read_int_range(cursor: Cursor) -> tuple[int, int]:
    """`first..last`, or one number as both."""
    start = cursor.place
    first = read_int(cursor)
    last = read_int(cursor) if cursor.accept("..") else first
    if last < first:
        raise cursor.error("incompatible range bounds", start, cursor.place)
    return first, last


_ADDRESS_CHARACTERS = re.compile(r"[0-9A-Fa-f:./]+")


def read_address(cursor: Cursor) -> Address:
    """One IP address, no network."""
    start, written = _address_characters(cursor)
    return _address(cursor, written, start)


def read_address_range(cursor: Cursor) -> tuple[Address, Address]:
    """`first..last`, a network in CIDR notation without host bits, or one address, as first and last address."""
    start, written = _address_characters(cursor)
    first_text, dots, last_text = written.partition("..")
    if dots:
        first = _address(cursor, first_text, start)
        last = _address(cursor, last_text, start + len(first_text) + 2)
        if first.version != last.version or int(first) > int(last):
            raise cursor.error("incompatible range bounds", start, cursor.place)
        return first, last
    address_text, slash, length = written.partition("/")
    if not slash:
        address = _address(cursor, written, start)
        return address, address
    address = _address(cursor, address_text, start)
    return _network(cursor, address, length, start)


def _network(cursor: Cursor, address: Address, length: str, start: int) -> tuple[Address, Address]:
    if not length.isdecimal() or int(length) > address.max_prefixlen:
        raise cursor.error("couldn't parse length in network", cursor.place - len(length), cursor.place)
    network = ip_network(f"{address}/{length}", strict=False)
    if network.network_address != address:
        raise cursor.error("host part of address was not zero", start, cursor.place - len(length) - 1)
    return network.network_address, network.broadcast_address


def _address_characters(cursor: Cursor) -> tuple[int, str]:
    start = cursor.place
    written = cursor.take(_ADDRESS_CHARACTERS)
    if not written:
        raise cursor.error("expected IP address character")
    return start, written


def _address(cursor: Cursor, written: str, start: int) -> Address:
    try:
        return ip_address(written)
    except ValueError:
        reason = "couldn't parse address in network: invalid IP address syntax"
        raise cursor.error(reason, start, start + len(written)) from None
