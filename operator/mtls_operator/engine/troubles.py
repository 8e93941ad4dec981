"""What a failed call to Cloudflare means to the user, and how long to wait before the next try."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.cloudflare import errors
from mtls_operator.cluster.errors import ClusterError
from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.domain.verdicts import Outcome, Verdict

PATIENCE_WITH_FRESH_TOKEN = 5
"""Refusals before a lack of permission is called one: a token made moments ago is refused for a while."""

_SHORTEST, _LONGEST, _LONGEST_BLOCKED = 1.0, 60.0, 300.0

_MEANING: tuple[tuple[type[errors.CloudflareError], Outcome, Reason], ...] = (
    (errors.Unauthorized, Outcome.BLOCKED, Reason.CREDENTIALS_INVALID),
    (errors.QuotaExceeded, Outcome.WAITING, Reason.QUOTA_EXHAUSTED),
    (errors.Unreachable, Outcome.WAITING, Reason.CLOUDFLARE_UNAVAILABLE),
    (errors.MalformedAnswer, Outcome.WAITING, Reason.CLOUDFLARE_UNAVAILABLE),
    (errors.ServerFault, Outcome.WAITING, Reason.CLOUDFLARE_UNAVAILABLE),
    (errors.AlreadyExists, Outcome.WAITING, Reason.PROGRESSING),
    (errors.CertificateInUse, Outcome.WAITING, Reason.PROGRESSING),
    (errors.NotFound, Outcome.WAITING, Reason.CLOUDFLARE_REFUSED),
)


_LASTING: frozenset[str] = frozenset(
    {
        Reason.CREDENTIALS_INVALID,
        Reason.CREDENTIALS_INSUFFICIENT,
        Reason.CREDENTIALS_PENDING,
        Reason.CLOUDFLARE_UNAVAILABLE,
        Reason.CLOUDFLARE_REFUSED,
        Reason.RATE_LIMITED,
        Reason.QUOTA_EXHAUSTED,
        Reason.DELETION_BLOCKED,
        Reason.CONFLICTED,
        Reason.MANAGEMENT_CONFLICT,
        Reason.RULESET_REPLACED,
    }
)


def told_trouble(record: AuthorityRecord | BindingRecord) -> str | None:
    """The reason for which a resource says, of its present spec, that it does not get on at Cloudflare. A new process
    leaves it at that until it has tried for itself: to take it back and say it again would be no news."""
    ready = find(record.status.conditions, ConditionType.READY)
    is_current = ready is not None and ready.observed_generation == record.metadata.generation
    return ready.reason if ready is not None and is_current and ready.reason in _LASTING else None


def trouble_of(error: errors.CloudflareError | ClusterError, failures: int, until: float) -> Verdict:
    """The verdict on a failure; `failures` counts those in a row, this one included, and `until` is when it is tried
    again (seconds since the epoch)."""
    if isinstance(error, errors.RateLimited):
        again = format_moment(datetime.fromtimestamp(until, UTC))
        return Verdict(
            Outcome.WAITING, Reason.RATE_LIMITED, f"Cloudflare's rate limit is used up. Calls go on at {again}."
        )
    if isinstance(error, errors.PermissionDenied):
        if failures <= PATIENCE_WITH_FRESH_TOKEN:
            return Verdict(Outcome.WAITING, Reason.CREDENTIALS_PENDING, str(error))
        return Verdict(Outcome.BLOCKED, Reason.CREDENTIALS_INSUFFICIENT, str(error))
    if isinstance(error, ClusterError):
        return Verdict(Outcome.WAITING, Reason.PROGRESSING, str(error))
    for kind, outcome, reason in _MEANING:
        if isinstance(error, kind):
            return Verdict(outcome, reason, str(error))
    return Verdict(Outcome.BLOCKED, Reason.CLOUDFLARE_REFUSED, str(error))


def pause_after(error: Exception, failures: int, chance: random.Random) -> float:
    """Seconds until the next try: what Cloudflare asks for, else growing with the failures in a row, with jitter."""
    asked = error.retry_after if isinstance(error, errors.CloudflareError) else None
    patient = isinstance(error, errors.Unauthorized | errors.Rejected) or (
        isinstance(error, errors.PermissionDenied) and failures > PATIENCE_WITH_FRESH_TOKEN
    )
    longest = _LONGEST_BLOCKED if patient else _LONGEST
    growing = min(longest, _SHORTEST * 2.0 ** min(failures - 1, 10))
    # Spread over clusters that failed together; nothing secret depends on it.
    jittered = growing * chance.uniform(0.5, 1.0)
    return max(asked * chance.uniform(1.0, 1.1), jittered) if asked is not None else jittered
