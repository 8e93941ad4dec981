"""One call: asked of the budget, sent once, its answer read as an envelope or raised as a typed error.

Nothing is sent twice and nothing sleeps here. The engine is level-triggered: it decides again from fresh
facts, which is the only safe repetition of a write that replaces a list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpx

from mtls_operator.cloudflare.circuit import Circuit
from mtls_operator.cloudflare.endpoints import Endpoint
from mtls_operator.cloudflare.envelope import Envelope, NotAnEnvelope, clean, read_envelope
from mtls_operator.cloudflare.errors import (
    CloudflareError,
    MalformedAnswer,
    NotSent,
    RateLimited,
    ServerFault,
    Unreachable,
)
from mtls_operator.cloudflare.rate_budget import RateBudget, retry_after
from mtls_operator.cloudflare.refusals import Refusal, error_of
from mtls_operator.cloudflare.token import ApiToken
from mtls_operator.domain.urgency import Urgency

# Seconds. Cloudflare's SDKs wait 60 s for an answer; a connection that takes 10 s will not be better later.
CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 40.0
WRITE_TIMEOUT: Final = 20.0
POOL_TIMEOUT: Final = 10.0
# The four above are per step: an answer that drips a byte a minute passes them all, but not this one. With the ten
# seconds that readings may be old it stays below what the sharing protocol allows for a write (domain, `Timing`).
WHOLE_CALL_TIMEOUT: Final = 45.0

TIMEOUTS: Final = httpx.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT, write=WRITE_TIMEOUT, pool=POOL_TIMEOUT)

# Failures before the first byte of the request has left: Cloudflare cannot have seen it.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


# Cloudflare was not heard. Whatever it says itself, a refusal or a limit, is an answer.
_UNHEARD = (Unreachable, MalformedAnswer, ServerFault)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call that was sent, for metrics and logs. `status` is None without an answer, `seconds` its duration.

    `endpoint` is the template of the path, so that a metric's labels are few. `error` is the error's class
    name, None for success. `remaining` is what the rate budget has left, None when unknown.
    """

    method: str
    endpoint: str
    status: int | None
    seconds: float
    error: str | None
    remaining: int | None


class Sender:
    """Sends calls with one token, all of one urgency."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        token: ApiToken,
        budget: RateBudget,
        on_call: Callable[[CallRecord], None] | None = None,
        *,
        urgency: Urgency = Urgency.WITHDRAWAL,
        circuit: Circuit | None = None,
    ) -> None:
        self._urgency = urgency
        self._circuit = circuit
        self._http = http
        self._token = token
        self._budget = budget
        self._on_call = on_call

    async def send(
        self,
        endpoint: Endpoint,
        *,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Envelope:
        """The envelope of a successful answer; any other outcome raises a CloudflareError."""
        path = endpoint.path(**(ids or {}))
        subject = f"{endpoint.method} {path}"
        self._ask_budget(subject)
        self._ask_circuit(subject)
        started = self._budget.clock()
        status: int | None = None
        error: str | None = None
        try:
            response = await self._exchange(endpoint, subject, path, query, body)
            status = response.status_code
            self._budget.note(status, response.headers)
            envelope = self._envelope(endpoint, subject, response)
            self._note(failed=False)
            return envelope
        except CloudflareError as failure:
            error = type(failure).__name__
            self._note(failed=isinstance(failure, _UNHEARD))
            raise
        except asyncio.CancelledError:
            error = "Cancelled"
            raise
        finally:
            self._report(endpoint, status, self._budget.clock() - started, error)

    def _ask_budget(self, subject: str) -> None:
        wait = self._budget.wait(self._urgency)
        if wait > 0:
            raise RateLimited(
                subject, f"not sent, the token's rate budget is used up for {wait:.0f} s", retry_after=wait
            )

    def _ask_circuit(self, subject: str) -> None:
        wait = self._circuit.ask() if self._circuit else 0.0
        if wait > 0:
            happened = "not sent, because the last calls with this token got no answer of Cloudflare's"
            raise NotSent(subject, happened, retry_after=wait)

    def _note(self, *, failed: bool) -> None:
        if self._circuit is not None:
            self._circuit.note(failed=failed)

    async def _exchange(
        self,
        endpoint: Endpoint,
        subject: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(WHOLE_CALL_TIMEOUT):
                return await self._http.request(
                    endpoint.method,
                    _address(self._http.base_url, path, tuple((query or {}).items())),
                    json=body,
                    headers={
                        "Authorization": f"Bearer {self._token.reveal()}",
                        "Accept": "application/json",
                    },
                    follow_redirects=False,
                    timeout=TIMEOUTS,
                )
        except httpx.RequestError as error:
            happened = f"no answer, {type(error).__name__}: {self._clean(str(error)) or 'no details'}"
            lost = endpoint.writes and not isinstance(error, _NEVER_SENT)
            # Without its cause: a traceback shows every cause, and the library may quote the request's headers.
            raise Unreachable(subject, happened, answer_lost=lost) from None
        except TimeoutError as error:
            happened = f"no answer within {WHOLE_CALL_TIMEOUT:.0f} s"
            raise Unreachable(subject, happened, answer_lost=endpoint.writes) from error

    def _envelope(self, endpoint: Endpoint, subject: str, response: httpx.Response) -> Envelope:
        envelope, nature = self._parsed(response)
        if envelope is not None and envelope.success and response.is_success:
            return envelope
        raise error_of(
            Refusal(
                endpoint=endpoint,
                subject=subject,
                status=response.status_code,
                envelope=envelope,
                nature=nature,
                retry_after=self._retry_after(response),
            )
        )

    def _parsed(self, response: httpx.Response) -> tuple[Envelope | None, str]:
        try:
            return read_envelope(response.content, self._token.reveal()), ""
        except NotAnEnvelope as error:
            return None, str(error)

    def _retry_after(self, response: httpx.Response) -> float | None:
        """What the error tells: for a 429 the budget's own verdict, which holds for every later call too."""
        return self._budget.wait() if response.status_code == 429 else retry_after(response.headers)

    def malformed(self, endpoint: Endpoint, ids: Mapping[str, str], reason: str) -> MalformedAnswer:
        """The error for a success whose `result` is not what the endpoint promises."""
        subject = f"{endpoint.method} {endpoint.path(**ids)}"
        return MalformedAnswer(
            subject, f"a success with {self._clean(reason)}", status=200, answer_lost=endpoint.writes
        )

    def _clean(self, text: str) -> str:
        return clean(text, self._token.reveal())

    def _report(self, endpoint: Endpoint, status: int | None, seconds: float, error: str | None) -> None:
        if self._on_call is not None:
            self._on_call(
                CallRecord(
                    method=endpoint.method,
                    endpoint=endpoint.template,
                    status=status,
                    seconds=seconds,
                    error=error,
                    remaining=self._budget.remaining,
                )
            )


@lru_cache(maxsize=4096)
def _address(base: httpx.URL, path: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    """What is called. The same few places are called again and again, and httpx takes them apart each time."""
    return httpx.URL(f"{str(base).rstrip('/')}{path}", params=query or None)
