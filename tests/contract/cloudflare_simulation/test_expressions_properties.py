"""Any expression means what a plain Python function means, however it is spelled, and survives being printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from testbed.cloudflare.expressions import ExpressionError, parse

Fields = Mapping[str, Any]
OR, XOR, AND, SIMPLE = range(4)


@dataclass(frozen=True)
class Sample:
    """An expression as text, how tightly its outermost connective binds, and the same thing in Python."""

    text: str
    binding: int
    meaning: Callable[[Fields], bool]

    def inside(self, binding: int) -> str:
        return self.text if self.binding > binding else f"({self.text})"


ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "!=": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "<": lambda a, b: a < b,
    "ge": lambda a, b: a >= b,
    ">=": lambda a, b: a >= b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
}
CONNECTIVES: list[tuple[str, int, Callable[[bool, bool], bool]]] = [
    ("and", AND, lambda a, b: a and b),
    ("&&", AND, lambda a, b: a and b),
    ("xor", XOR, lambda a, b: a != b),
    ("^^", XOR, lambda a, b: a != b),
    ("or", OR, lambda a, b: a or b),
    ("||", OR, lambda a, b: a or b),
]
words = st.text(st.sampled_from('abAB.*"\\#é\n '), max_size=4)
numbers = st.integers(-9, 9)
addresses = st.ip_addresses(v=4, network="10.0.0.0/29")
spaces = st.sampled_from([" ", "  ", "\n"])


def literal(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def raw_literal(word: str) -> str:
    return f'r###"{word}"###'


def string_literals() -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(words, st.sampled_from([literal, raw_literal])).map(lambda drawn: (drawn[0], drawn[1](drawn[0])))


@st.composite
def comparisons_of_strings(draw: st.DrawFn) -> Sample:
    word, written = draw(string_literals())
    name = draw(st.sampled_from(["http.host", "http.user_agent"]))
    operator = draw(st.sampled_from(sorted(ORDERINGS)))
    space = draw(st.sampled_from(["", " "]))
    return Sample(
        f"{name} {operator}{space}{written}",
        SIMPLE,
        lambda fields: ORDERINGS[operator](fields[name].encode(), word.encode()),
    )


@st.composite
def searches_in_strings(draw: st.DrawFn) -> Sample:
    word, written = draw(string_literals())
    text, meaning = draw(
        st.sampled_from(
            [
                ("http.host contains {}", lambda host, word: word in host),
                ("starts_with(http.host, {})", lambda host, word: host.startswith(word)),
                ("ends_with( http.host,{} )", lambda host, word: host.endswith(word)),
                ("lower(http.host) eq {}", lambda host, word: host.replace("A", "a").replace("B", "b") == word),
            ]
        )
    )
    return Sample(text.format(written), SIMPLE, lambda fields: bool(meaning(fields["http.host"], word)))


@st.composite
def sets_of_strings(draw: st.DrawFn) -> Sample:
    members = draw(st.lists(string_literals(), min_size=1, max_size=3))
    space = draw(spaces)
    text = f"http.host in {{{space.join(written for _, written in members)}}}"
    return Sample(text, SIMPLE, lambda fields: fields["http.host"] in [word for word, _ in members])


@st.composite
def comparisons_of_numbers(draw: st.DrawFn) -> Sample:
    operator, number = draw(st.sampled_from(sorted(ORDERINGS))), draw(numbers)
    return Sample(
        f"cf.threat_score {operator} {number}",
        SIMPLE,
        lambda fields: ORDERINGS[operator](fields["cf.threat_score"], number),
    )


@st.composite
def ranges_of_numbers(draw: st.DrawFn) -> Sample:
    first, length = draw(numbers), draw(st.integers(0, 4))
    text = f"cf.threat_score in {{{first}..{first + length}}}"
    return Sample(text, SIMPLE, lambda fields: first <= fields["cf.threat_score"] <= first + length)


@st.composite
def ranges_of_addresses(draw: st.DrawFn) -> Sample:
    first, last = sorted(draw(st.tuples(addresses, addresses)))
    text = f"ip.src in {{{first}..{last} ::1}}"
    return Sample(text, SIMPLE, lambda fields: first <= fields["ip.src"] <= last)


@st.composite
def elements_of_arrays(draw: st.DrawFn) -> Sample:
    word, written = draw(string_literals())
    quantifier, meaning = draw(st.sampled_from([("any", any), ("all", all)]))
    text = f"{quantifier}(http.request.headers.names[*] contains {written})"
    return Sample(text, SIMPLE, lambda fields: meaning(word in name for name in fields["http.request.headers.names"]))


simple = st.one_of(
    st.just(Sample("ssl", SIMPLE, lambda fields: fields["ssl"])),
    comparisons_of_strings(),
    searches_in_strings(),
    sets_of_strings(),
    comparisons_of_numbers(),
    ranges_of_numbers(),
    ranges_of_addresses(),
    elements_of_arrays(),
)


@st.composite
def negations(draw: st.DrawFn, inner: st.SearchStrategy[Sample]) -> Sample:
    sample, word = draw(inner), draw(st.sampled_from(["not ", "!", "! "]))
    return Sample(f"{word}{sample.inside(AND)}", SIMPLE, lambda fields: not sample.meaning(fields))


@st.composite
def joined(draw: st.DrawFn, inner: st.SearchStrategy[Sample]) -> Sample:
    word, binding, meaning = draw(st.sampled_from(CONNECTIVES))
    left, right, space = draw(inner), draw(inner), draw(spaces)
    # The left side may bind as loosely as this connective, because each of them is associative.
    text = f"{left.inside(binding - 1)}{space}{word}{space}{right.inside(binding)}"
    return Sample(text, binding, lambda fields: meaning(left.meaning(fields), right.meaning(fields)))


samples = st.recursive(simple, lambda inner: negations(inner) | joined(inner), max_leaves=8)
requests = st.fixed_dictionaries(
    {
        "http.host": words,
        "http.user_agent": words,
        "http.request.headers.names": st.lists(words, max_size=3),
        "cf.threat_score": numbers,
        "ip.src": addresses,
        "ssl": st.booleans(),
    }
)


@given(samples, requests)
def test_an_expression_means_what_it_means_in_python(sample: Sample, request: Fields) -> None:
    assert parse(sample.text).evaluate(request) is sample.meaning(request)


@given(samples)
def test_a_printed_expression_parses_to_the_same_expression(sample: Sample) -> None:
    expression = parse(sample.text)

    assert parse(str(expression)) == expression


@given(samples, st.data())
def test_a_damaged_expression_is_refused_or_understood_but_never_crashes(sample: Sample, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(sample.text)))
    damaged = sample.text[:start] + data.draw(st.sampled_from(["", "(", '"', "{", "eq", "not", "r#", "0", "[*]"]))

    assert _outcome(damaged) in {"refused", "understood"}


def _outcome(text: str) -> str:
    try:
        return "understood" if parse(text).evaluate({}) in {True, False} else "neither"
    except ExpressionError:
        return "refused"
