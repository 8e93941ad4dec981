"""Evaluating an expression on the fields of one request.

A field that is not given has the empty value of its type, as Cloudflare sets every field of every request: `""`, 0,
false, an empty array or map. Only addresses have no empty value. An index that leads nowhere gives nothing, and of
nothing every comparison is false except `ne`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain
from operator import xor

from testbed.cloudflare.expressions import syntax
from testbed.cloudflare.expressions.predicates import Predicate
from testbed.cloudflare.expressions.types import BOOL, Kind, Type
from testbed.cloudflare.expressions.vocabulary import FIELDS, FUNCTIONS

Values = Mapping[str, object]
"""Fields by name, in the form in which they are compared."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. `str()` writes it in one canonical way, which parses to an equal expression."""

    condition: syntax.Condition

    def evaluate(self, fields: Mapping[str, object]) -> bool:
        """Whether a request with these fields matches.

        Values are str or bytes, int, bool, addresses as text or objects, sequences and mappings of those, as the
        field's type asks. Raises TypeError for a value of another type and KeyError for a field that does not exist.
        """
        return self.holds(typed(fields))

    def holds(self, values: Values) -> bool:
        """As `evaluate`, for who asks many expressions about one request: `values` come from `typed`."""
        return bool(_decide(self.condition, values))

    def __str__(self) -> str:
        return str(self.condition)


_CONSTANTS = {"true": True, "false": False}
_EMPTY: Mapping[Kind, object] = {
    Kind.BOOL: False,
    Kind.BYTES: b"",
    Kind.INT: 0,
    Kind.IP: None,
    Kind.ARRAY: (),
    Kind.MAP: {},
}


def typed(fields: Mapping[str, object]) -> Values:
    """The values of fields, checked and converted once. Raises as `Expression.evaluate`."""
    return {name: _typed(name, value, FIELDS[name]) for name, value in fields.items()} | _CONSTANTS


def _typed(name: str, value: object, wanted: Type) -> object:
    inner = wanted.inner
    match wanted.kind, value:
        case Kind.BYTES, str():
            return value.encode()
        case (Kind.BYTES, bytes()) | (Kind.BOOL, bool()):
            return value
        case Kind.INT, int() if not isinstance(value, bool):
            return value
        case Kind.IP, str() | IPv4Address() | IPv6Address():
            return ip_address(value)
        case Kind.ARRAY, Sequence() if inner is not None and not isinstance(value, str | bytes):
            return tuple(_typed(name, item, inner) for item in value)
        case Kind.MAP, Mapping() if inner is not None:
            return {str(key): _typed(name, item, inner) for key, item in value.items()}
    raise TypeError(f"field {name} takes {wanted}, not {type(value).__name__}")


def _decide(condition: syntax.Condition, values: Mapping[str, object]) -> object:
    """True or False, or a tuple of them for a condition of type `Array<Bool>`."""
    match condition:
        case syntax.IsTrue(value):
            return _answers(value, values)
        case syntax.Comparison(value, predicate):
            return _compared(value, predicate, values)
        case syntax.Not(inner):
            decided = _decide(inner, values)
            return tuple(not item for item in decided) if isinstance(decided, tuple) else not decided
        case syntax.Quantified(quantifier, inner):
            decided = _decide(inner, values)
            return _reduced(quantifier, decided)
        case syntax.Joined(connective, conditions):
            return _joined(connective, (_decide(inner, values) for inner in conditions))


def _answers(value: syntax.Value, values: Mapping[str, object]) -> object:
    found = _look_up(value, values)
    if value.mapped or value.type != BOOL:
        return None if found is None else tuple(_each(found))
    return bool(found)


def _compared(value: syntax.Value, predicate: Predicate, values: Mapping[str, object]) -> object:
    found = _look_up(value, values)
    if value.mapped:
        return tuple(_holds(predicate, item) for item in _each(found))
    return _holds(predicate, found)


def _holds(predicate: Predicate, value: object) -> bool:
    if isinstance(value, bytes | int | IPv4Address | IPv6Address):
        return predicate.holds(value)
    return predicate.holds_for_nothing


def _reduced(quantifier: syntax.Quantifier, decided: object) -> bool:
    # An array of answers that is not there at all is neither any nor all; an empty one is all.
    if not isinstance(decided, tuple):
        return False
    return any(decided) if quantifier is syntax.Quantifier.ANY else all(decided)


def _joined(connective: syntax.Connective, decided: Iterator[object]) -> object:
    first = next(decided)
    if isinstance(first, bool):
        # Only as many of the others are looked at as it takes.
        return _connected(connective, chain((first,), decided))
    columns = [first, *decided]
    if all(isinstance(item, tuple) for item in columns):
        rows = zip(*(_each(item) for item in columns), strict=False)
        return tuple(_connected(connective, row) for row in rows)
    return _connected(connective, columns)


def _connected(connective: syntax.Connective, decided: Iterable[object]) -> bool:
    answers = map(bool, decided)
    if connective is syntax.Connective.AND:
        return all(answers)
    return any(answers) if connective is syntax.Connective.OR else reduce(xor, answers)


def _look_up(value: syntax.Argument, values: Mapping[str, object]) -> object:
    """The value, None for nothing; a tuple of the elements where it is mapped."""
    match value:
        case syntax.Field(name):
            return values[name] if name in values else _EMPTY[FIELDS[name].kind]
        case syntax.Literal(constant):
            return constant
        case syntax.Indexed(base, indexes):
            return _at(_look_up(base, values), indexes)
        case syntax.Call(function, arguments):
            return _called(function, arguments, values)
        case _:
            return _decide(value, values)


def _at(value: object, indexes: tuple[syntax.Index, ...]) -> object:
    if not indexes:
        return value
    index, rest = indexes[0], indexes[1:]
    if isinstance(index, syntax.Each):
        reached = [_at(item, rest) for item in _each(value)]
        return _flattened(reached) if syntax.Each.EACH in rest else tuple(item for item in reached if item is not None)
    if isinstance(value, Mapping):
        return _at(value.get(index), rest)
    if isinstance(value, tuple) and isinstance(index, int) and index < len(value):
        return _at(value[index], rest)
    return None


def _flattened(parts: Iterable[object]) -> tuple[object, ...]:
    return tuple(item for part in parts for item in _each(part))


def _each(value: object) -> tuple[object, ...]:
    if isinstance(value, Mapping):
        return tuple(value.values())
    return value if isinstance(value, tuple) else ()


def _called(name: str, arguments: tuple[syntax.Argument, ...], values: Mapping[str, object]) -> object:
    first, *others = [_look_up(argument, values) for argument in arguments]
    if isinstance(arguments[0], syntax.Indexed) and arguments[0].mapped:
        results = (_applied(name, [item, *others]) for item in _each(first))
        return tuple(result for result in results if result is not None)
    return _applied(name, [first, *others])


def _applied(name: str, arguments: list[object]) -> object:
    if name == "concat":
        arguments = [argument for argument in arguments if argument is not None]
    if not arguments or None in arguments:
        return None
    return FUNCTIONS[name].compute(*arguments)
