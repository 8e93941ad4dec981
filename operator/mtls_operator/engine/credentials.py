"""Clients of Cloudflare, one per token, found by the place of the token.

The last token of a place is kept in memory: when a namespace is deleted its Secrets may go first, and what it
owns at Cloudflare still has to be cleaned up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import httpx

from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.rate_budget import RateBudget
from mtls_operator.cloudflare.sending import CallRecord
from mtls_operator.cloudflare.token import ApiToken
from mtls_operator.domain.sources import Contents, CredentialKey, Unreadable, is_token
from mtls_operator.engine.clock import Clock
from mtls_operator.observability.metrics import Metrics
from mtls_operator.observability.redaction import redact

_LOG = logging.getLogger(__name__)


class Credentials:
    """Gives the client of a credential. Budgets belong to tokens: two places with one token share theirs."""

    def __init__(self, http: httpx.AsyncClient, contents: Contents, clock: Clock, metrics: Metrics) -> None:
        self._http = http
        self._contents = contents
        self._clock = clock
        self._metrics = metrics
        self._tokens: dict[CredentialKey, ApiToken] = {}
        self._budgets: dict[ApiToken, RateBudget] = {}

    def client(self, credential: CredentialKey) -> CloudflareClient | None:
        """The client of `token`."""
        token, budget = self.token(credential), self.budget(credential)
        if token is None or budget is None:
            return None
        return CloudflareClient(self._http, token, budget, self._observer(credential))

    def budget(self, credential: CredentialKey) -> RateBudget | None:
        """What `token` has left; None when there is none."""
        token = self.token(credential)
        return None if token is None else self._budgets.setdefault(token, RateBudget(self._clock.now))

    def token(self, credential: CredentialKey) -> ApiToken | None:
        """The token at this place. Where the Secret is gone, the last that was there; None when there is none."""
        data = self._contents.get(credential.source)
        if data is None or isinstance(data, Unreadable):
            return self._tokens.get(credential)
        value = data.get(credential.key, b"")
        if not is_token(value):
            return None
        token = ApiToken(value.decode("ascii"))
        redact(token.reveal())
        self._tokens[credential] = token
        return token

    def _observer(self, credential: CredentialKey) -> Callable[[CallRecord], None]:
        def observe(call: CallRecord) -> None:
            self._metrics.cloudflare_call(call.method, call.endpoint, call.status, call.seconds)
            self._metrics.rate_budget(str(credential.source), call.remaining)
            _LOG.log(
                logging.DEBUG if call.method == "GET" else logging.INFO,
                "called Cloudflare",
                extra={"method": call.method, "endpoint": call.endpoint, "status": call.status, "error": call.error},
            )

        return observe
