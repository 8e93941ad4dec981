"""What Cloudflare says about an API token itself, and what follows from it.

Rules of this module:
- Only what Cloudflare says in so many words counts against a token: that it is disabled, or expired. A verification
  that is refused proves nothing (a token of an account is verified at the account), and the token is used all the same.
- A token that expires soon is a warning: everything is in force, and somebody has to make a new one in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mtls_operator.api.conditions import Condition
from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.verdicts import Verdict, blocked, ok

WARNING_TIME: Final = timedelta(days=7)
_DEAD: Final = frozenset({"disabled", "expired"})


@dataclass(frozen=True, slots=True)
class TokenState:
    """A token as Cloudflare knows it: `active`, `disabled` or `expired`; `expires_on` None: never. `status` None:
    Cloudflare does not say."""

    status: str | None
    expires_on: datetime | None = None


TokenRemarks = Callable[[CredentialKey, Condition | None], Verdict | None]
"""`remark_on_token` with what is known of every token at a moment."""


def no_remark(_place: CredentialKey, _before: Condition | None) -> Verdict | None:
    """Nothing is to be said of any token."""
    return None


def remark_on_token(
    place: CredentialKey, state: TokenState | None, now: datetime, before: Condition | None
) -> Verdict | None:
    """What is to be said of a token: that it is of no use, or will be soon (then the verdict is ok); None: nothing.
    `before` is the condition that speaks of it: a process that has not verified the token yet takes no warning back."""
    if state is None:
        warned = before is not None and before.reason == Reason.CREDENTIALS_EXPIRING
        return ok(Reason.CREDENTIALS_EXPIRING, before.message) if before is not None and warned else None
    if state.status in _DEAD:
        return blocked(
            Reason.CREDENTIALS_INVALID,
            f"Cloudflare says that the API token of {place} is {state.status}: put a valid one into the Secret",
        )
    if state.expires_on is None or state.expires_on - now > WARNING_TIME:
        return None
    expires = format_moment(state.expires_on)
    if state.expires_on <= now:
        return blocked(
            Reason.CREDENTIALS_INVALID,
            f"the API token of {place} has expired, on {expires}: put a valid one into the Secret",
        )
    return ok(
        Reason.CREDENTIALS_EXPIRING,
        f"the API token of {place} expires on {expires}: put a new one into the Secret before that",
    )


def next_verification(state: TokenState, now: datetime) -> datetime:
    """When to ask again at the latest: in a day, or when what is to be said changes; soon where a token is of no use,
    because it can be made valid again at Cloudflare."""
    if state.status in _DEAD or (state.expires_on is not None and state.expires_on <= now):
        return now + timedelta(minutes=10)
    changes = [now + timedelta(days=1)]
    if state.expires_on is not None:
        changes += [state.expires_on - WARNING_TIME, state.expires_on]
    return min(each for each in changes if each > now)
