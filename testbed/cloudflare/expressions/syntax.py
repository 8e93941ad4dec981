"""The tree of an expression. Every node knows its type and prints itself as an expression that parses back to it.

A *value* is a field or a function call, perhaps indexed. `mapped` says that `[*]` is among its indexes: then `type` is
that of one element, and a comparison or function applies to each of them. A *condition* has type `Bool`, or
`Array<Bool>` where something mapped is compared; only `any(...)` and `all(...)` make one `Bool` of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from testbed.cloudflare.expressions.predicates import Predicate, Scalar, literal
from testbed.cloudflare.expressions.strings import quoted
from testbed.cloudflare.expressions.types import BOOL, BYTES, INT, IP, Type, array_of
from testbed.cloudflare.expressions.vocabulary import FIELDS, FUNCTIONS

BOOLS = array_of(BOOL)


class Each(Enum):
    """The index `[*]`."""

    EACH = "*"


Index = int | str | Each


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the request, by its full name."""

    name: str
    mapped: ClassVar[bool] = False

    @property
    def type(self) -> Type:
        return FIELDS[self.name]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Call:
    """A function applied to arguments; to each element of the first one when that is mapped."""

    function: str
    arguments: tuple[Argument, ...]
    mapped: ClassVar[bool] = False

    @property
    def type(self) -> Type:
        returned = FUNCTIONS[self.function].returns
        first = self.arguments[0]
        return array_of(returned) if isinstance(first, Indexed) and first.mapped else returned

    def __str__(self) -> str:
        return f"{self.function}({', '.join(str(argument) for argument in self.arguments)})"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A value with indexes: positions in arrays, keys of maps, or each element."""

    base: Field | Call
    indexes: tuple[Index, ...]

    @property
    def mapped(self) -> bool:
        return Each.EACH in self.indexes

    @property
    def type(self) -> Type:
        inner = self.base.type
        for _ in self.indexes:
            inner = inner.inner or inner
        return inner

    def __str__(self) -> str:
        return str(self.base) + "".join(f"[{_index(index)}]" for index in self.indexes)


def _index(index: Index) -> str:
    if isinstance(index, Each):
        return "*"
    return quoted(index.encode()) if isinstance(index, str) else str(index)


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant argument of a function."""

    value: Scalar
    mapped: ClassVar[bool] = False

    @property
    def type(self) -> Type:
        if isinstance(self.value, bytes):
            return BYTES
        return INT if isinstance(self.value, int) else IP

    def __str__(self) -> str:
        return literal(self.value)


Value = Field | Call | Indexed


@dataclass(frozen=True, slots=True)
class IsTrue:
    """A boolean value, asked as it is."""

    value: Value

    @property
    def type(self) -> Type:
        return BOOLS if self.value.mapped else self.value.type

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A value and what is asked of it."""

    value: Value
    predicate: Predicate

    @property
    def type(self) -> Type:
        return BOOLS if self.value.mapped else BOOL

    def __str__(self) -> str:
        return f"{self.value} {self.predicate}"


@dataclass(frozen=True, slots=True)
class Not:
    """`not` binds to the one thing after it."""

    condition: Condition

    @property
    def type(self) -> Type:
        return self.condition.type

    def __str__(self) -> str:
        return f"not {_grouped(self.condition)}"


class Connective(Enum):
    """What joins conditions, from loose to tight."""

    OR = "or"
    XOR = "xor"
    AND = "and"


@dataclass(frozen=True, slots=True)
class Joined:
    """Two or more conditions of one type, joined by one connective."""

    connective: Connective
    conditions: tuple[Condition, ...]

    @property
    def type(self) -> Type:
        return self.conditions[0].type

    def __str__(self) -> str:
        return f" {self.connective.value} ".join(_grouped(condition) for condition in self.conditions)


class Quantifier(Enum):
    """How the answers for each element become one."""

    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Quantified:
    """`any(...)` or `all(...)` of an `Array<Bool>`."""

    quantifier: Quantifier
    condition: Condition
    type: ClassVar[Type] = BOOL

    def __str__(self) -> str:
        # The grammar takes one comparison between the parentheses of a call, anything more needs its own.
        return f"{self.quantifier.value}({_grouped(self.condition)})"


Condition = IsTrue | Comparison | Not | Joined | Quantified
Argument = Value | Literal | Condition


def _grouped(condition: Condition) -> str:
    return f"({condition})" if isinstance(condition, Joined) else str(condition)
