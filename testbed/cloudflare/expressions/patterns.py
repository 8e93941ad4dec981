"""Regular expressions and wildcards, compiled for Python from what wirefilter accepts.

wirefilter matches bytes with Rust's regex engine: no look-around, no back-references, `$` only at the very end.
Python's engine is kept to that. Of Rust's own syntax, `(?<name>...)` and `\\z` are translated; classes such as
`[[:alpha:]]` or `\\p{L}` are not offered, they are refused or misread as Python does.
"""

from __future__ import annotations

import re

_NOT_IN_RUST = re.compile(r"\(\?(?:=|!|<=|<!|>|P=|\(|#)|[*+?}]\+")
_TOKEN = re.compile(r"\\.|\(\?<(?![=!])|.", re.DOTALL)
_TRANSLATED = {"$": r"\Z", r"\z": r"\Z", "(?<": "(?P<"}


class PatternError(ValueError):
    """A pattern that wirefilter refuses; the text says why."""


def compile_regex(pattern: str) -> re.Pattern[bytes]:
    """The pattern as Python's. Raises PatternError when it is not valid in both dialects."""
    translated, in_class = list[str](), False
    for token in _TOKEN.findall(pattern):
        if not in_class:
            _refuse_foreign(token)
        translated.append(token if in_class else _TRANSLATED.get(token, token))
        in_class = _stays_in_class(token, in_class)
    outside = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "c", pattern, flags=re.DOTALL)
    if found := _NOT_IN_RUST.search(outside):
        raise PatternError(f"regex parse error: {found.group()!r} is not supported")
    try:
        return re.compile("".join(translated).encode())
    except re.error as error:
        raise PatternError(f"regex parse error: {error}") from None


def _refuse_foreign(token: str) -> None:
    if token[0] == "\\" and (token[1:].isdigit() or token[1:] == "Z"):
        raise PatternError(f"regex parse error: {token!r} is not supported")


def _stays_in_class(token: str, in_class: bool) -> bool:
    return token != "]" if in_class else token == "["


def compile_wildcard(pattern: bytes, *, strict: bool) -> re.Pattern[bytes]:
    r"""A wildcard as a regular expression: `*` stands for any bytes, `\*` and `\\` for themselves.

    Raises PatternError for a dangling or unknown escape and for `**`.
    """
    pieces, index = list[bytes](), 0
    while index < len(pattern):
        character = pattern[index : index + 1]
        if character == b"*":
            if pieces and pieces[-1] == b".*":
                raise PatternError("wildcard contains a double star")
            pieces.append(b".*")
        elif character == b"\\":
            index += 1
            character = pattern[index : index + 1]
            if character not in {b"*", b"\\"}:
                raise PatternError("invalid wildcard: invalid escape sequence")
            pieces.append(re.escape(character))
        else:
            pieces.append(re.escape(character))
        index += 1
    return re.compile(b"".join(pieces), re.DOTALL if strict else re.DOTALL | re.IGNORECASE)
