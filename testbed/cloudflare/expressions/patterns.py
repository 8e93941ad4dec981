"""Regular expressions and wildcards, compiled for Python from what wirefilter accepts.

wirefilter matches bytes with Rust's regex engine: no look-around, no back-references, `$` only at the very end.
Python's engine is kept to that. Of Rust's own syntax, `(?<name>...)` and `\\z` are translated; classes in classes such
as `[[:alpha:]]` are refused, because Python reads them differently.
"""

from __future__ import annotations

import re
from itertools import pairwise

_CLASS = r"\[\^?\]?(?:\\.|[^\]\\])*\]"
_TOKEN = re.compile(rf"{_CLASS}|\\.|\(\?<(?![=!])|.", re.DOTALL)
_NESTED_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\\[])*\[", re.DOTALL)
_NOT_IN_RUST = re.compile(r"\(\?(?:=|!|<=|<!|>|P=|\(|#|[a-z-]*[aL])|[*+?}]\+|\\[0-9Z]")
_TRANSLATED = {"$": r"\Z", r"\z": r"\Z", "(?<": "(?P<"}


class PatternError(ValueError):
    """A pattern that wirefilter refuses; the text says why."""


def compile_regex(pattern: str) -> re.Pattern[bytes]:
    """The pattern as Python's. Raises PatternError when it is not valid in both dialects."""
    tokens = _TOKEN.findall(pattern)
    if any(_NESTED_CLASS.match(token) for token in tokens):
        raise PatternError("regex parse error: classes in classes are not supported")
    if found := _NOT_IN_RUST.search("".join("c" if token[0] == "[" else token for token in tokens)):
        raise PatternError(f"regex parse error: {found.group()!r} is not supported")
    translated = "".join(_TRANSLATED.get(token, token) for token in tokens)
    try:
        return re.compile(translated.encode())
    except re.error as error:
        raise PatternError(f"regex parse error: {error}") from None


def compile_wildcard(pattern: bytes, *, strict: bool) -> re.Pattern[bytes]:
    r"""A wildcard as a regular expression: `*` stands for any bytes, `\*` and `\\` for themselves.

    Raises PatternError for a dangling or unknown escape and for `**`.
    """
    tokens = re.findall(rb"\\?.|\\", pattern, re.DOTALL)
    if any(token[:1] == b"\\" and token[1:] not in {b"*", b"\\"} for token in tokens):
        raise PatternError("invalid wildcard: invalid escape sequence")
    if (b"*", b"*") in pairwise(tokens):
        raise PatternError("wildcard contains a double star")
    pieces = (b".*" if token == b"*" else re.escape(token[-1:]) for token in tokens)
    return re.compile(b"".join(pieces), re.DOTALL if strict else re.DOTALL | re.IGNORECASE)
