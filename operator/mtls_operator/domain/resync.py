"""How often everything is looked at again though nothing has happened: the period of the resync.

Others can change at Cloudflare what is ours, and nobody tells us. So every account and every zone is read again from
time to time. A round of all of them costs calls, and a token's calls are shared with people, with other clusters and
with our own work, which comes first.

Rules of this module:
- A round is spread over a period so long that it takes at most a quarter of what the others leave of a token's limit.
- The period is never shorter than it has to be to notice a change soon, and never longer than the ceiling, unless the
  quarter would be passed: then it is longer, and that is said.
- Jitter only makes a period longer. It keeps installations that began together from reading together for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from mtls_operator.api.conditions import Condition
from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.verdicts import Verdict, ok
from mtls_operator.domain.zone_knowledge import ZoneKnowledge

CEILING_SECONDS: Final = 900.0
"""The rules of a zone are read at least this often (design.md, Drift)."""
SHORTEST_SECONDS: Final = 300.0
"""The limit counts by five minutes: nobody gains by being looked at more often."""
MEMORY_SECONDS: Final = CEILING_SECONDS + 600.0
"""For how long it counts what was left: longer than from one look to the next, or a scarcity would be forgotten between
them; not much longer, because it may be over."""
_SOONEST_SECONDS: Final = 150.0
"""What has just been begun reads its lists and rules anyway."""
_SHARE: Final = 0.25
_JITTER: Final = 0.25
_RELIEF: Final = 0.8
"""The ceiling has to be kept by so much before it is called kept again: what is said must not change at every call."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """The requests that are left of a token's limit, when everybody has had theirs, per window of so many seconds."""

    requests: int
    window: float


DOCUMENTED: Final = Leeway(1200, 300.0)
"""What there is as long as Cloudflare has not said anything else, and nobody else calls."""

RESYNC_DELAYED: Final = ok(
    Reason.RESYNC_DELAYED,
    "everything that the spec asks for is in force; but the rate limit of the API token leaves too little to read the"
    " zone's rules every 15 minutes, so what others change is noticed later",
)


_PASSING: Final = {
    Reason.RATE_LIMITED: "the rate limit of the API token is used up.",
    Reason.CLOUDFLARE_UNAVAILABLE: "Cloudflare does not answer, or answers with errors.",
}
"""What is said of troubles whose own words change from one try to the next: a status must not."""


def overdue(trouble: Verdict | None, read_at: float | None, started: float, now: float) -> Verdict | None:
    """What is said of what was in force when this process read it last (seconds since the epoch), where Cloudflare
    cannot be read: nothing before a look is late. None as `read_at`: not since it started."""
    if trouble is None or now - (started if read_at is None else read_at) <= CEILING_SECONDS + SHORTEST_SECONDS:
        return None
    when = "the operator was started, " if read_at is None else "when it was last read, "
    known = "was in force before" if read_at is None else "was in force"
    moment = format_moment(datetime.fromtimestamp(started if read_at is None else read_at, UTC))
    return ok(
        Reason.RESYNC_DELAYED,
        f"everything that the spec asks for {known} {when}{moment}; since then that cannot be told:"
        f" {_PASSING.get(trouble.reason, trouble.message)}",
    )


def said_before(condition: Condition | None, read_at: float | None) -> Verdict | None:
    """That a look was late is said on by a process that has read nothing yet."""
    if read_at is not None or condition is None or condition.reason != Reason.RESYNC_DELAYED:
        return None
    return ok(Reason.RESYNC_DELAYED, condition.message)


def period(rounds: Iterable[tuple[int, Leeway]]) -> float:
    """Seconds from one look to the next, for what is read with these tokens: of each the calls of a whole round, and
    what is left."""
    needed = (calls * leeway.window / (_SHARE * max(1, leeway.requests)) for calls, leeway in rounds)
    return max(SHORTEST_SECONDS, *needed, 0.0)


def is_delayed(period: float, before: bool) -> bool:
    """Whether the ceiling cannot be kept; `before`: whether that was so until now."""
    return period > CEILING_SECONDS * (_RELIEF if before else 1.0)


def first_pause(period: float, chance: float) -> float:
    """Seconds from the start to the first look, for a chance between 0 and 1: a round is spread over a whole period."""
    return max(_SOONEST_SECONDS, chance * period)


def pause(period: float, chance: float) -> float:
    """Seconds from one look to the next with jitter, for a chance between 0 and 1."""
    return min(period * (1 + _JITTER * chance), max(period, CEILING_SECONDS))


def looked_at(known: ZoneKnowledge, certificates: Iterable[CertificateId]) -> float | None:
    """Since when everything of a zone that matters to these certificates is known: when the oldest reading of it was
    begun, or the answer was there that a certificate does not exist. None: something of it has not been asked for."""
    times = [known.rules.begun if known.rules else None, *(_asked_at(known, each) for each in certificates)]
    return min((at for at in times if at is not None), default=None) if None not in times else None


def _asked_at(known: ZoneKnowledge, certificate: CertificateId) -> float | None:
    if certificate in known.missing:
        return known.missing[certificate][1]
    reading = known.lists.get(certificate)
    return reading.begun if reading else None
