"""String literals: quoted with escapes, raw as in Rust, byte strings, and the quoted form of regular expressions."""

from __future__ import annotations

import re

from testbed.cloudflare.expressions.lexing import Cursor, ExpressionError

_PLAIN = re.compile(r'[^"\\]+')
_HEX_BYTE = re.compile(r"[0-9A-Fa-f]{2}")
_OCTAL_BYTE = re.compile(r"[0-3][0-7]{2}")
_BYTE_STRING = re.compile(r"[0-9A-Fa-f]{2}(?:[:.-][0-9A-Fa-f]{2})+")
_RAW_START = re.compile(r'r(#*)"')
_HASH_LIMIT = 255
_UNESCAPED = frozenset(range(0x20, 0x7F)) - {ord('"'), ord("\\")}


def read_bytes(cursor: Cursor) -> bytes:
    """A string literal `"..."` or `r#"..."#`, or at least two bytes as `61:62`."""
    if cursor.at_end:
        raise cursor.error("unrecognised input")
    if cursor.next in '"r':
        return read_string(cursor)
    written = cursor.take(_BYTE_STRING)
    if not written:
        raise _no_byte_string(cursor)
    return bytes(int(written[index : index + 2], 16) for index in range(0, len(written), 3))


def _no_byte_string(cursor: Cursor) -> ExpressionError:
    if cursor.end - cursor.place < 2:
        return cursor.error("expected 2 characters, but found 1")
    if not cursor.take(_HEX_BYTE):
        reason = "invalid digit found in string while parsing with radix 16"
        return cursor.error(reason, end=cursor.place + 2)
    if cursor.at_end:
        return cursor.error("expected 1 characters, but found 0")
    return cursor.error("expected byte separator", end=cursor.place + 1)


def read_string(cursor: Cursor) -> bytes:
    """A quoted or a raw string literal."""
    if cursor.next == "r":
        return read_raw_string(cursor).encode()
    if cursor.accept('"') is None:
        raise cursor.error("unrecognised input" if cursor.at_end else 'expected " or r')
    start, parts = cursor.place, list[bytes]()
    while cursor.accept('"') is None:
        if cursor.at_end:
            raise cursor.error("could not find an ending quote", start)
        plain = cursor.take(_PLAIN)
        parts.append(plain.encode() if plain else _escaped(cursor, start))
    return b"".join(parts)


def _escaped(cursor: Cursor, start: int) -> bytes:
    cursor.expect("\\")
    if cursor.at_end:
        raise cursor.error("could not find an ending quote", start)
    if quoted := cursor.accept('"', "\\"):
        return quoted.encode()
    if cursor.accept("x"):
        return bytes([_byte(cursor, _HEX_BYTE, 2, 16)])
    if cursor.next in "01234567":
        return bytes([_byte(cursor, _OCTAL_BYTE, 3, 8)])
    raise cursor.error('expected ", xHH or OOO after \\', end=cursor.place + 1)


def _byte(cursor: Cursor, digits: re.Pattern[str], length: int, radix: int) -> int:
    written = cursor.take(digits)
    if not written:
        reason = f"invalid digit found in string while parsing with radix {radix}"
        raise cursor.error(reason, end=cursor.place + length)
    return int(written, radix)


def read_raw_string(cursor: Cursor) -> str:
    """`r"..."`, `r#"..."#` and so on: nothing is an escape, and as many `#` close as opened."""
    start = cursor.place
    hashes = cursor.take(_RAW_START).removeprefix("r").removesuffix('"')
    if cursor.place == start:
        raise cursor.error('expected " or #', start + 1)
    if len(hashes) > _HASH_LIMIT:
        raise cursor.error("invalid raw string hash count, there can't be more than 255 #s", start + 1)
    closing = cursor.text.find(f'"{hashes}', cursor.place, cursor.end)
    if closing < 0:
        raise cursor.error("could not find an ending quote", start + 1)
    content = cursor.text[cursor.place : closing]
    cursor.place = closing + 1 + len(hashes)
    return content


def read_quoted_regex(cursor: Cursor) -> str:
    r"""The pattern of `"..."` after `matches`: only `\"` is unescaped, and inside `[...]` a quote needs no escape."""
    cursor.expect('"')
    start, pattern, in_class = cursor.place, list[str](), False
    while not (cursor.next == '"' and not in_class):
        if cursor.at_end:
            raise cursor.error("could not find an ending quote", start)
        character = cursor.next
        cursor.place += 1
        if character == "\\" and not cursor.at_end:
            escaped = cursor.next
            cursor.place += 1
            character = escaped if escaped == '"' and not in_class else character + escaped
        elif character in "[]":
            in_class = character == "["
        pattern.append(character)
    cursor.expect('"')
    return "".join(pattern)


def quoted(value: bytes) -> str:
    """The literal that `read_bytes` reads as this value."""
    return '"' + "".join(chr(byte) if byte in _UNESCAPED else _escape(byte) for byte in value) + '"'


def _escape(byte: int) -> str:
    return f"\\{chr(byte)}" if chr(byte) in '"\\' else f"\\x{byte:02X}"


def raw(content: str) -> str:
    """The raw string literal with this content."""
    longest = max((len(run) for run in re.findall(r'"(#*)', content)), default=-1)
    hashes = "#" * (longest + 1)
    return f'r{hashes}"{content}"{hashes}'
