"""Clients of Cloudflare, one per token, found by the place of the token.

The last token of a place is kept in memory: when a namespace is deleted its Secrets may go first, and what it
owns at Cloudflare still has to be cleaned up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from mtls_operator.cloudflare.circuit import Circuit
from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import Unauthorized
from mtls_operator.cloudflare.rate_budget import RateBudget
from mtls_operator.cloudflare.sending import CallRecord
from mtls_operator.cloudflare.token import ApiToken
from mtls_operator.domain.sources import Contents, CredentialKey, Unreadable, is_token
from mtls_operator.domain.urgency import Urgency
from mtls_operator.engine.clock import Clock
from mtls_operator.observability.metrics import Metrics
from mtls_operator.observability.redaction import redact

_LOG = logging.getLogger(__name__)


SHORT_WAIT_SECONDS: Final = 60.0
"""A wait for the rate limit that is over before anybody has read of it is not spoken of."""


@dataclass(frozen=True, slots=True)
class _Gates:
    """What holds back the calls of one token."""

    budget: RateBudget
    circuit: Circuit


class Credentials:
    """Gives the client of a credential. Budget and circuit belong to tokens: two places with one token share them."""

    def __init__(self, http: httpx.AsyncClient, contents: Contents, clock: Clock, metrics: Metrics) -> None:
        self._http = http
        self._contents = contents
        self._clock = clock
        self._metrics = metrics
        self._tokens: dict[CredentialKey, ApiToken] = {}
        """The last one that was there."""
        self._worked: dict[CredentialKey, ApiToken] = {}
        """The last one that Cloudflare accepted."""
        self._refused: set[ApiToken] = set()
        self.on_refused: Callable[[CredentialKey], None] = lambda _: None
        """Told of the place of a token that Cloudflare does not accept."""
        self._gates: dict[ApiToken, _Gates] = {}

    def client(self, credential: CredentialKey, urgency: Urgency) -> CloudflareClient | None:
        """The client of `token`, for calls of this urgency."""
        token = self.token(credential)
        if token is None:
            return None
        gates, observer = self._gates_of(token), self._observer(credential, token)
        return CloudflareClient(self._http, token, gates.budget, observer, urgency=urgency, circuit=gates.circuit)

    def budget(self, credential: CredentialKey) -> RateBudget | None:
        """What `token` has left; None when there is none."""
        token = self.token(credential)
        return None if token is None else self._gates_of(token).budget

    def quiet_until(self, credential: CredentialKey, urgency: Urgency) -> float | None:
        """Until when a call waits for the rate limit without anybody being told: it is not for long, or it only looks
        whether somebody changed something. None: it may be tried, and what becomes of it is told."""
        budget = self.budget(credential)
        wait = budget.wait(urgency) if budget else 0.0
        is_quiet = 0.0 < wait <= SHORT_WAIT_SECONDS or (wait > 0.0 and urgency is Urgency.DRIFT_CHECK)
        return self._clock.now() + wait if is_quiet else None

    def token(self, credential: CredentialKey) -> ApiToken | None:
        """The token at this place. Where the Secret is gone, the last that was there, or if Cloudflare did not accept
        that one, the last that it did. None when there is none. A token that was replaced is never used beside the one
        that replaced it: who takes a token away wants it not to be used."""
        data = self._contents.get(credential.source)
        if data is None or isinstance(data, Unreadable):
            last = self._tokens.get(credential)
            return self._worked.get(credential, last) if last in self._refused else last
        value = data.get(credential.key, b"")
        if not is_token(value):
            return None
        token = ApiToken(value.decode("ascii"))
        redact(token.reveal())
        self._tokens[credential] = token
        return token

    def _gates_of(self, token: ApiToken) -> _Gates:
        if token not in self._gates:
            now, chance = self._clock.now, self._clock.chance
            self._gates[token] = _Gates(RateBudget(now, chance), Circuit(now, chance))
        return self._gates[token]

    def _observer(self, credential: CredentialKey, token: ApiToken) -> Callable[[CallRecord], None]:
        def observe(call: CallRecord) -> None:
            self._remember(credential, token, call.error)
            self._metrics.cloudflare_call(call.method, call.endpoint, call.status, call.seconds)
            self._metrics.rate_budget(str(credential.source), call.remaining)
            _LOG.log(
                logging.DEBUG if call.method == "GET" else logging.INFO,
                "called Cloudflare",
                extra={"method": call.method, "endpoint": call.endpoint, "status": call.status, "error": call.error},
            )

        return observe

    def _remember(self, credential: CredentialKey, token: ApiToken, error: str | None) -> None:
        if error == Unauthorized.__name__:
            self._refused.add(token)
            self.on_refused(credential)
        elif error is None:
            self._refused.discard(token)
            self._worked[credential] = token
