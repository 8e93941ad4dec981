"""Asks Cloudflare once a day what it says of each token in use: disabled, expired, or about to.

Apart from the work that tokens are used for: a verification holds up nothing, and comes some minutes after the first
use, so that a set-up does not pay for it. It is the least urgent call of all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import CloudflareError, NotFound, PermissionDenied, Rejected, Unauthorized
from mtls_operator.cloudflare.token import ApiToken, TokenStatus
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.token_state import TokenState, next_verification
from mtls_operator.domain.urgency import Urgency
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.defects import is_done
from mtls_operator.engine.situation import Situation
from mtls_operator.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 300.0
"""How often tokens are looked for that have not been verified, or not for long."""
_COALESCE_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 600.0
"""A token that is refused is verified anew, but not at each refusal."""
_REFUSALS = (Unauthorized, PermissionDenied, NotFound, Rejected)
"""Answers that say no to this way of asking. Everything else is no answer, and asked again soon."""


@dataclass(frozen=True, slots=True)
class _Verified:
    token: ApiToken
    state: TokenState
    at: float
    due: float


@dataclass(repr=False)
class TokenChecks:
    """Knows what Cloudflare said of each token. `on_news` is told of the place of one of which it now says something
    else."""

    situation: Situation
    credentials: Credentials
    metrics: Metrics
    on_news: Callable[[CredentialKey], None]
    _verified: dict[CredentialKey, _Verified] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def state(self, place: CredentialKey) -> TokenState | None:
        """What is known of the token that is at a place now; None while it has not been verified."""
        verified = self._verified.get(place)
        return verified.state if verified and verified.token == self.credentials.token(place) else None

    def look(self) -> None:
        """A Secret has changed: it may hold another token, of which nothing is known yet."""
        if any(self.state(place) is None for place in self._verified):
            self._changed.set()

    def doubt(self, place: CredentialKey) -> None:
        """Cloudflare did not accept the token: it may have ended since it was verified."""
        verified = self._verified.get(place)
        if verified is not None:
            self._verified[place] = replace(verified, due=min(verified.due, verified.at + _AGAIN_SECONDS))
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            # Jitter: clusters that were started together share their user's limit.
            await self._sleep(_LOOK_SECONDS * self.situation.clock.chance.uniform(0.5, 1.0))
            await is_done(self._verify_all(), "looking for tokens")

    async def _verify_all(self) -> None:
        places = self.situation.tokens_in_use()
        for place in self._verified.keys() - places.keys():
            del self._verified[place]
            self.metrics.token_expires(str(place.source), None)
        for place in sorted(places.keys(), key=str):
            await is_done(self._verify(place, sorted(places[place])), "verifying a token", credential=str(place))

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
                await asyncio.sleep(_COALESCE_SECONDS)
        except TimeoutError:
            return
        finally:
            self._changed.clear()

    async def _verify(self, place: CredentialKey, accounts: Iterable[str]) -> None:
        before, now = self.state(place), self.situation.clock.now()
        if before is not None and now < self._verified[place].due:
            return
        token, client = self.credentials.token(place), self.credentials.client(place, Urgency.DRIFT_CHECK)
        if token is None or client is None:
            return
        try:
            state = _state_of(await _ask(client, accounts))
        except CloudflareError as error:
            _LOG.info("a token was not verified: %s", error, extra={"credential": str(place)})
            return
        due = next_verification(state, self.situation.clock.moment()).timestamp()
        self._verified[place] = _Verified(token, state, now, due)
        self.metrics.token_expires(str(place.source), state.expires_on)
        if state != before:
            self.on_news(place)


async def _ask(client: CloudflareClient, accounts: Iterable[str]) -> TokenStatus | None:
    """A token that a user owns is verified for itself, one that an account owns at its account; None where neither is
    allowed. Raises CloudflareError when nothing can be said."""
    for account in (None, *accounts):
        try:
            return await client.verify_token(account)
        except _REFUSALS:
            continue
    return None


def _state_of(status: TokenStatus | None) -> TokenState:
    return TokenState(None) if status is None else TokenState(status.status, status.expires_on)
