"""One connection, one GET, the head of its answer.

By hand and not with a library, because each part differs from what libraries want to do: the address is fixed before,
the server name stays the hostname while the Host header varies, nothing is followed, no environment is asked for a
proxy, and of the answer only the head is read, up to a few kB.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from mtls_operator.domain.verification import Answer, Answered, Question, RefusedInHandshake, Unanswered
from mtls_operator.outside.addresses import Place

_MOST_BYTES: Final = 16 * 1024
_MOST_INTERIM: Final = 5
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: .*)?")
_ALERTS: Final[Mapping[str, str]] = {
    "ALERT_BAD_CERTIFICATE": "bad certificate",
    "ALERT_UNSUPPORTED_CERTIFICATE": "unsupported certificate",
    "ALERT_CERTIFICATE_REVOKED": "certificate revoked",
    "ALERT_CERTIFICATE_EXPIRED": "certificate expired",
    "ALERT_CERTIFICATE_UNKNOWN": "certificate unknown",
    "ALERT_UNKNOWN_CA": "unknown CA",
    "ALERT_ACCESS_DENIED": "access denied",
    "ALERT_DECRYPT_ERROR": "signature not accepted",
    "ALERT_CERTIFICATE_REQUIRED": "certificate required",
}
"""What a server can say against a client's certificate (RFC 8446, 6.2), by the end of OpenSSL's name for it. A failure
without such a word (handshake_failure, a connection that is cut) may have any other cause."""


async def ask(
    question: Question, path: str, places: Sequence[Place], context: ssl.SSLContext, patience: float
) -> Answer:
    """Send the request to the first place that takes a connection. It takes `patience` seconds at most in all."""
    try:
        async with asyncio.timeout(patience):
            return await _ask_first(question, path, places, context, patience)
    except TimeoutError:
        return Unanswered(f"no answer within {patience:g} s")
    except ssl.SSLCertVerificationError as error:
        return Unanswered(f"the certificate of its server is not accepted: {error.verify_message}")
    except ssl.SSLError as error:
        return _on_alert(error.reason or "")
    except (OSError, EOFError):
        return Unanswered("the connection was refused or cut")


async def _ask_first(
    question: Question, path: str, places: Sequence[Place], context: ssl.SSLContext, patience: float
) -> Answer:
    for place in places[:-1]:
        try:
            async with asyncio.timeout(patience / len(places)):
                return await _exchange(question, path, place, context)
        except ssl.SSLError:
            raise
        except OSError:
            # A time-out too: of a hostname with addresses of both families one may be out of reach from here.
            continue
    return await _exchange(question, path, places[-1], context)


async def _exchange(question: Question, path: str, place: Place, context: ssl.SSLContext) -> Answer:
    reader, writer = await asyncio.open_connection(
        place.address, place.port, ssl=context, server_hostname=question.hostname, limit=_MOST_BYTES
    )
    try:
        writer.write(_request(question, path))
        await writer.drain()
        return await _read_answer(reader)
    finally:
        # Without good-byes: the body that may follow is not waited for.
        writer.transport.abort()


def _request(question: Question, path: str) -> bytes:
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {question.host}",
        "User-Agent: cfmtls-verify",
        "Accept: */*",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    for _ in range(_MOST_INTERIM):
        first, *lines = await _read_head(reader)
        status = _STATUS_LINE.fullmatch(first)
        if status is None:
            return Unanswered("its answer is not HTTP/1.1")
        if int(status[1]) >= 200:
            return _answered(int(status[1]), lines)
    return Unanswered("it only ever announces an answer")


async def _read_head(reader: asyncio.StreamReader) -> list[bytes]:
    """The lines up to the empty one, or as many as are read of an answer."""
    lines: list[bytes] = []
    read = 0
    while read < _MOST_BYTES:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            break
        read += len(line)
        lines.append(line.rstrip(b"\r\n"))
        if not lines[-1]:
            return lines
    return lines or [b""]


def _answered(status: int, lines: Sequence[bytes]) -> Answered:
    fields = (line.decode("latin-1").partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    return Answered(
        status=status,
        content_type=headers.get("content-type"),
        by_edge=headers.get("server", "").lower() == "cloudflare" or "cf-ray" in headers,
        challenged=headers.get("cf-mitigated", "").lower() == "challenge",
    )


def _on_alert(reason: str) -> Answer:
    alert = next((words for name, words in _ALERTS.items() if reason.endswith(name)), None)
    return RefusedInHandshake(alert) if alert else Unanswered(f"TLS failed: {reason or 'without a reason'}")
