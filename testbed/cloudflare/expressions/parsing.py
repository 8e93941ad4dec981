"""Expression text to tree: recursive descent, one method per rule of the grammar.

    condition  = joined by or / xor / and, from loose to tight; the same connective in a row makes one node
    simple     = "(" condition ")" | ("not" | "!") simple | ("any" | "all") "(" argument ")" | comparison
    comparison = value, for booleans alone; value operator operand, for everything else
    value      = (field | function "(" argument {"," argument} ")") {"[" (int | string | "*") "]"}

Types are checked as soon as both sides are known, because what may follow depends on them: after a boolean comes no
operator, after `in` the kind of set is that of the left side.
"""

from __future__ import annotations

import re
from functools import lru_cache

from testbed.cloudflare.expressions import predicates, syntax
from testbed.cloudflare.expressions.evaluation import Expression
from testbed.cloudflare.expressions.lexing import Cursor, ExpressionError, read_address, read_int
from testbed.cloudflare.expressions.operators import OPERATORS, read_predicate
from testbed.cloudflare.expressions.strings import read_bytes
from testbed.cloudflare.expressions.types import BOOL, Kind, Type
from testbed.cloudflare.expressions.vocabulary import FIELDS, FUNCTIONS, Function

_IDENTIFIER = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*\.?")
_QUANTIFIER = re.compile(r"(?:any|all)[ \r\n]*(?=\()")
_SPELLINGS = {
    syntax.Connective.OR: ("or", "||"),
    syntax.Connective.XOR: ("xor", "^^"),
    syntax.Connective.AND: ("and", "&&"),
}
_LOOSE_TO_TIGHT = tuple(_SPELLINGS)


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The expression that the text says. Raises ExpressionError, which names the place, when Cloudflare refuses it."""
    cursor = Cursor(text)
    condition = _Parser(cursor).condition()
    if not cursor.at_end:
        raise cursor.error("unrecognised input")
    if condition.type != BOOL:
        raise _mismatch(cursor, BOOL, condition.type)
    return Expression(condition)


def _mismatch(cursor: Cursor, expected: Type, actual: Type, start: int | None = None) -> ExpressionError:
    end = None if start is None else cursor.place
    return cursor.error(f"expected value of type {expected}, but got {actual}", start, end)


class _Parser:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def condition(self, level: int = 0) -> syntax.Condition:
        if level == len(_LOOSE_TO_TIGHT):
            return self._simple()
        connective = _LOOSE_TO_TIGHT[level]
        conditions = [self.condition(level + 1)]
        while self._connects(connective):
            following = self.condition(level + 1)
            if (following.type == BOOL) != (conditions[0].type == BOOL):
                raise _mismatch(self._cursor, conditions[0].type, following.type)
            conditions.append(following)
        return conditions[0] if len(conditions) == 1 else syntax.Joined(connective, tuple(conditions))

    def _connects(self, connective: syntax.Connective) -> bool:
        before = self._cursor.place
        self._cursor.skip_space()
        if self._cursor.accept(*_SPELLINGS[connective]) is None:
            self._cursor.place = before
            return False
        self._cursor.skip_space()
        return True

    def _simple(self) -> syntax.Condition:
        cursor, start = self._cursor, self._cursor.place
        if cursor.accept("("):
            return self._parenthesised(start)
        if cursor.accept("not", "!"):
            cursor.descend(start)
            cursor.skip_space()
            negated = syntax.Not(self._simple())
            cursor.ascend()
            return negated
        if word := cursor.take(_QUANTIFIER):
            return self._quantified(syntax.Quantifier(word.strip()))
        return self._compared(self._value())

    def _parenthesised(self, start: int) -> syntax.Condition:
        cursor = self._cursor
        cursor.descend(start)
        cursor.skip_space()
        inner = self.condition()
        cursor.skip_space()
        cursor.expect(")")
        cursor.ascend()
        return inner

    def _quantified(self, quantifier: syntax.Quantifier) -> syntax.Quantified:
        cursor = self._cursor
        cursor.descend(cursor.place)
        cursor.expect("(")
        cursor.skip_space()
        start = cursor.place
        argument = self._argument()
        if isinstance(argument, syntax.Literal) or argument.type != syntax.BOOLS:
            raise _mismatch(cursor, syntax.BOOLS, argument.type, start)
        cursor.skip_space()
        cursor.expect(")")
        cursor.ascend()
        if isinstance(argument, syntax.Field | syntax.Call | syntax.Indexed):
            argument = syntax.IsTrue(argument)
        return syntax.Quantified(quantifier, argument)

    def _compared(self, value: syntax.Value) -> syntax.Condition:
        if value.type == BOOL:
            return syntax.IsTrue(value)
        if value.type == syntax.BOOLS:
            if value.mapped:
                raise self._cursor.error(f"cannot perform this operation on type Array<{syntax.BOOLS}>")
            return syntax.IsTrue(value)
        return syntax.Comparison(value, self._predicate(value.type))

    def _predicate(self, left: Type) -> predicates.Predicate:
        self._cursor.skip_space()
        return read_predicate(self._cursor, left)

    def _value(self) -> syntax.Value:
        cursor, start = self._cursor, self._cursor.place
        name = cursor.take(_IDENTIFIER)
        if not name or name.endswith("."):
            raise cursor.error("expected identifier character")
        if name in FIELDS:
            return self._indexed(syntax.Field(name))
        if name not in FUNCTIONS:
            raise cursor.error("unknown identifier", start, cursor.place)
        return self._indexed(self._call(name, FUNCTIONS[name]))

    def _indexed(self, base: syntax.Field | syntax.Call) -> syntax.Value:
        cursor, indexes, inner = self._cursor, list[syntax.Index](), base.type
        while True:
            start = cursor.place
            if not cursor.accept("["):
                break
            cursor.skip_space()
            index = self._index()
            cursor.skip_space()
            cursor.expect("]")
            if inner.inner is None or not _fits(index, inner.kind):
                reason = f"cannot access index {_named(index)} for type {inner}"
                raise cursor.error(reason, start, cursor.place)
            inner = inner.inner
            indexes.append(index)
        return syntax.Indexed(base, tuple(indexes)) if indexes else base

    def _index(self) -> syntax.Index:
        cursor, start = self._cursor, self._cursor.place
        if cursor.accept("*"):
            return syntax.Each.EACH
        if cursor.next == '"':
            try:
                return read_bytes(cursor).decode()
            except UnicodeDecodeError:
                raise cursor.error('expected literal "expected utf8 string"', start) from None
        if not re.match(r"-?[0-9]", cursor.text[cursor.place : cursor.end]):
            raise cursor.error('expected literal "expected quoted utf8 string or positive integer"')
        position = read_int(cursor)
        if not 0 <= position < 2**32:
            raise cursor.error('expected literal "expected positive integer as index"', start)
        return position

    def _call(self, name: str, function: Function) -> syntax.Call:
        cursor, arguments = self._cursor, list[syntax.Argument]()
        cursor.skip_space()
        cursor.descend(cursor.place)
        cursor.expect("(")
        cursor.skip_space()
        while not cursor.at_end and cursor.next != ")":
            if arguments:
                cursor.expect(",")
                cursor.skip_space()
            arguments.append(self._checked_argument(function, len(arguments)))
            cursor.skip_space()
        if len(arguments) < len(function.parameters):
            raise cursor.error("invalid number of arguments")
        cursor.expect(")")
        cursor.ascend()
        return syntax.Call(name, tuple(arguments))

    def _checked_argument(self, function: Function, index: int) -> syntax.Argument:
        cursor, start = self._cursor, self._cursor.place
        argument = self._argument()
        if index and isinstance(argument, syntax.Indexed) and argument.mapped:
            raise cursor.error("invalid use of map each access operator", start, cursor.place)
        kinds = function.kinds_of(index)
        if kinds is None:
            raise cursor.error("invalid number of arguments", start)
        if argument.type.kind not in kinds:
            expected = " or ".join("Array<_>" if kind is Kind.ARRAY else kind.value for kind in kinds)
            reason = f"invalid type of argument #{index}: expected value of type {expected}, but got {argument.type}"
            raise cursor.error(reason, start, cursor.place)
        return argument

    def _argument(self) -> syntax.Argument:
        cursor = self._cursor
        if _starts_string(cursor):
            return syntax.Literal(read_bytes(cursor))
        if _starts_condition(cursor):
            return self.condition()
        if _starts_identifier(cursor):
            value = self._value()
            return self._compared(value) if self._operator_follows() else value
        return self._constant()

    def _operator_follows(self) -> bool:
        before = self._cursor.place
        self._cursor.skip_space()
        follows = self._cursor.accept(*OPERATORS) is not None
        self._cursor.place = before
        return follows

    def _constant(self) -> syntax.Literal:
        # An address first, then a number, then bytes: `10` could be all three.
        cursor, start = self._cursor, self._cursor.place
        for read in (read_address, read_int, read_bytes):
            try:
                return syntax.Literal(read(cursor))
            except ExpressionError:
                cursor.place = start
        raise cursor.error("unrecognised input")


def _fits(index: syntax.Index, kind: Kind) -> bool:
    if isinstance(index, syntax.Each):
        return True
    return kind is (Kind.MAP if isinstance(index, str) else Kind.ARRAY)


def _named(index: syntax.Index) -> str:
    if isinstance(index, syntax.Each):
        return "MapEach"
    return f"ArrayIndex({index})" if isinstance(index, int) else f'MapKey("{index}")'


def _starts_string(cursor: Cursor) -> bool:
    return any(cursor.text.startswith(start, cursor.place, cursor.end) for start in ('"', 'r"', "r#"))


def _starts_condition(cursor: Cursor) -> bool:
    rest = cursor.text[cursor.place : cursor.end]
    return rest.startswith(("(", "not", "!")) or _QUANTIFIER.match(rest) is not None


def _starts_identifier(cursor: Cursor) -> bool:
    # A letter past f in the first three characters cannot be a number, an address or a byte string.
    if re.match(r"[A-Za-z0-9_]{0,2}[G-Zg-z_]", cursor.text[cursor.place : cursor.end]):
        return True
    found = _IDENTIFIER.match(cursor.text, cursor.place, cursor.end)
    return found is not None and (found.group() in FIELDS or found.group() in FUNCTIONS)
