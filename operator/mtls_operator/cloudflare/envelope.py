"""Cloudflare's envelope: `{success, errors, messages, result, result_info?}`.

What is not an envelope is not Cloudflare speaking: a proxy's error page, a challenge, an answer cut off.
Nothing is concluded from such an answer, whatever its status.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from mtls_operator.cloudflare.errors import Complaint

# Enough for every message of Cloudflare's; what is longer comes from elsewhere and floods conditions.
_LONGEST_MESSAGE: Final = 500
_PEM = re.compile(r"-----BEGIN.*?(?:-----END[^-]*-----|\Z)", re.DOTALL)


class NotAnEnvelope(ValueError):
    """The body is not Cloudflare's envelope; the message says in a few words what it is instead."""


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where a listing stands; an absent number is 0."""

    page: int = 0
    total_pages: int = 0
    total_count: int = 0


@dataclass(frozen=True, slots=True)
class Envelope:
    """`result` is whatever JSON the endpoint answers with."""

    success: bool
    result: object
    complaints: tuple[Complaint, ...] = ()
    page_info: PageInfo = PageInfo()


def read_envelope(body: bytes, secret: str) -> Envelope:
    """Parse an answer; `secret` is removed from Cloudflare's messages. Raises NotAnEnvelope."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotAnEnvelope(_nature(body)) from error
    if not isinstance(document, dict) or not isinstance(document.get("success"), bool):
        raise NotAnEnvelope("JSON without `success`")
    return Envelope(
        success=document["success"],
        result=document.get("result"),
        complaints=tuple(_complaints(document.get("errors"), secret)),
        page_info=_page_info(document.get("result_info")),
    )


def clean(text: str, secret: str) -> str:
    """Text of others made fit for messages: one line, no PEM, no secret, not endless."""
    without = _PEM.sub("<PEM>", text).replace(secret, "***") if secret else _PEM.sub("<PEM>", text)
    line = " ".join(without.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}..."


def _nature(body: bytes) -> str:
    start = body[:200].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith(b"<"):
        return "HTML instead of JSON"
    return "JSON that is cut off or broken" if start.startswith((b"{", b"[")) else "text instead of JSON"


def _complaints(errors: object, secret: str) -> list[Complaint]:
    """The errors, those of an `error_chain` included: the reason often stands only there."""
    found: list[Complaint] = []
    for entry in errors if isinstance(errors, list) else []:
        if not isinstance(entry, dict):
            continue
        code = entry.get("code")
        found.append(Complaint(code if isinstance(code, int) else 0, clean(_words(entry), secret) or "no message"))
        found.extend(_complaints(entry.get("error_chain"), secret))
    return found


def _words(entry: dict[str, object]) -> str:
    source = entry.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else None
    where = f" at {pointer}" if isinstance(pointer, str) and pointer else ""
    return f"{entry.get('message') or ''}{where}".strip()


def _page_info(info: object) -> PageInfo:
    if not isinstance(info, dict):
        return PageInfo()
    numbers = {
        name: value
        for name in ("page", "total_pages", "total_count")
        if isinstance(value := info.get(name), int) and not isinstance(value, bool)
    }
    return PageInfo(**numbers)
