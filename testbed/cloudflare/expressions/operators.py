"""Operators and the operands that each takes, depending on the type of the left side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from testbed.cloudflare.expressions.lexing import (
    Cursor,
    read_address,
    read_address_range,
    read_int,
    read_int_range,
)
from testbed.cloudflare.expressions.patterns import PatternError, compile_regex, compile_wildcard
from testbed.cloudflare.expressions.predicates import (
    Contains,
    HasBits,
    InRanges,
    Matches,
    OneOf,
    Ordering,
    Predicate,
    Scalar,
    Wildcard,
)
from testbed.cloudflare.expressions.strings import read_bytes, read_quoted_regex, read_raw_string, read_string
from testbed.cloudflare.expressions.types import Kind, Type

_ORDERINGS = {
    "eq": "eq", "==": "eq", "ne": "ne", "!=": "ne", "ge": "ge", ">=": "ge",
    "le": "le", "<=": "le", "gt": "gt", ">": "gt", "lt": "lt", "<": "lt",
}  # fmt: skip
OPERATORS = ("in", *_ORDERINGS, "&", "bitwise_and", "contains", "~", "matches", "wildcard", "strict wildcard")
"""All spellings, in the order in which they are tried."""

Item = TypeVar("Item")

_OPERANDS: Mapping[Kind, Callable[[Cursor], Scalar]] = {
    Kind.BYTES: read_bytes,
    Kind.INT: read_int,
    Kind.IP: read_address,
}


def _set(cursor: Cursor, read_item: Callable[[Cursor], Item]) -> tuple[Item, ...]:
    start, items = cursor.place, list[Item]()
    cursor.expect("{")
    cursor.skip_space()
    while not cursor.accept("}"):
        items.append(read_item(cursor))
        cursor.skip_space()
    if not items:
        raise cursor.error("expected at least one value", start, cursor.place)
    return tuple(items)


def _one_of(cursor: Cursor) -> Predicate:
    return OneOf(_set(cursor, read_bytes))


def _int_ranges(cursor: Cursor) -> Predicate:
    return InRanges(_set(cursor, read_int_range))


def _address_ranges(cursor: Cursor) -> Predicate:
    return InRanges(_set(cursor, read_address_range))


def _has_bits(cursor: Cursor) -> Predicate:
    return HasBits(read_int(cursor))


def _contains(cursor: Cursor) -> Predicate:
    return Contains(read_bytes(cursor))


def _matches(cursor: Cursor) -> Predicate:
    start = cursor.place
    if cursor.next not in ('"', "r"):
        raise cursor.error("unrecognised input" if cursor.at_end else 'expected " or r')
    pattern = read_quoted_regex(cursor) if cursor.next == '"' else read_raw_string(cursor)
    try:
        return Matches(pattern, compile_regex(pattern))
    except PatternError as error:
        raise cursor.error(str(error), start, cursor.place) from None


def _wildcard(cursor: Cursor) -> Predicate:
    return _read_wildcard(cursor, strict=False)


def _strict_wildcard(cursor: Cursor) -> Predicate:
    return _read_wildcard(cursor, strict=True)


def _read_wildcard(cursor: Cursor, *, strict: bool) -> Predicate:
    start = cursor.place
    pattern = read_string(cursor)
    try:
        return Wildcard(pattern, strict, compile_wildcard(pattern, strict=strict))
    except PatternError as error:
        raise cursor.error(str(error), start) from None


_READERS: Mapping[tuple[Kind, str], Callable[[Cursor], Predicate]] = {
    (Kind.BYTES, "in"): _one_of,
    (Kind.INT, "in"): _int_ranges,
    (Kind.IP, "in"): _address_ranges,
    (Kind.INT, "&"): _has_bits,
    (Kind.INT, "bitwise_and"): _has_bits,
    (Kind.BYTES, "contains"): _contains,
    (Kind.BYTES, "~"): _matches,
    (Kind.BYTES, "matches"): _matches,
    (Kind.BYTES, "wildcard"): _wildcard,
    (Kind.BYTES, "strict wildcard"): _strict_wildcard,
}


def read_predicate(cursor: Cursor, left: Type) -> Predicate:
    """Operator and operand after a value of type `left`. Raises ExpressionError."""
    start = cursor.place
    operator = cursor.accept(*OPERATORS)
    if operator is None:
        raise cursor.error("expected ComparisonOp")
    operator_end = cursor.place
    cursor.skip_space()
    if operator in _ORDERINGS and left.kind in _OPERANDS:
        return Ordering(_ORDERINGS[operator], _OPERANDS[left.kind](cursor))
    read = _READERS.get((left.kind, operator))
    if read is None:
        raise cursor.error(f"cannot perform this operation on type {left}", start, operator_end)
    return read(cursor)
