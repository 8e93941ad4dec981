"""Cloudflare's envelope around every answer, and refusals as exceptions that become one.

Envelope: `{success, errors, messages, result, result_info?}` (Cloudflare's API reference, "Making API calls").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from testbed.cloudflare.messages import Answer

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json; charset=UTF-8"}


class RefusalError(Exception):
    """Cloudflare says no: an HTTP status, a code and a message, and where in the body the trouble is."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        pointer: str | None = None,
        chain: tuple[tuple[int, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.pointer = pointer
        self.chain = chain
        self.headers = headers or {}

    def answer(self) -> Answer:
        """The refusal as Cloudflare would send it."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.pointer is not None:
            error["source"] = {"pointer": self.pointer}
        if self.chain:
            error["error_chain"] = [{"code": code, "message": message} for code, message in self.chain]
        body = encode({"success": False, "errors": [error], "messages": [], "result": None})
        return Answer(self.status, {**JSON_HEADERS, **self.headers}, body)


def success(
    result: object,
    *,
    info: Mapping[str, object] | None = None,
    messages: Sequence[Mapping[str, object]] = (),
) -> Answer:
    """The answer to a request that went well."""
    envelope: dict[str, object] = {
        "success": True,
        "errors": [],
        "messages": list(messages),
        "result": result,
    }
    if info is not None:
        envelope["result_info"] = info
    return Answer(200, JSON_HEADERS, encode(envelope))


def encode(value: object) -> bytes:
    """JSON without spaces, the same bytes for the same value."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def timestamp(seconds: float) -> str:
    """Unix time as Cloudflare writes it: RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
