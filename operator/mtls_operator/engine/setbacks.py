"""Who is held back after a failure, until when, and what to say of it.

A failure holds back the one whose token failed, and nobody else: a bad token of one team must not stop another's
zone. A pause is not cut short by events that change nothing for who waits (the echo of a status that tells of the
failure, above all), but by a change of what is wanted or of the token.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.errors import CloudflareError, NotSent
from mtls_operator.cluster.errors import ClusterError
from mtls_operator.domain.verdicts import Verdict
from mtls_operator.engine.clock import Clock
from mtls_operator.engine.troubles import PATIENCE_WITH_FRESH_TOKEN, pause_after, trouble_of

Who = TypeVar("Who", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Setback:
    verdict: Verdict
    failures: int
    until: float
    circumstances: object


class Setbacks(Generic[Who]):
    """Failures in a row, by who met them. `circumstances` are what a pause depends on, compared by equality."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._setbacks: dict[Who, _Setback] = {}

    def note(
        self, who: Who, error: CloudflareError | ClusterError, circumstances: object, *, was_patient: bool = False
    ) -> None:
        """One more failure: the pause grows with those in a row under the same circumstances. `was_patient`: a process
        before this one has waited already for what a fresh token may need."""
        previous = self._setbacks.get(who)
        same = previous is not None and previous.circumstances == circumstances
        failures = previous.failures + 1 if previous is not None and same else 1
        if previous is None and was_patient:
            failures += PATIENCE_WITH_FRESH_TOKEN
        until = self._clock.now() + pause_after(error, failures, self._clock.chance)
        verdict = trouble_of(error, failures, until)
        if isinstance(error, NotSent) and previous is not None and previous.verdict.reason is verdict.reason:
            # What happened when something was sent says more, and is said already.
            verdict = previous.verdict
        self._setbacks[who] = _Setback(verdict, failures, until, circumstances)

    def verdict(self, who: Who) -> Verdict | None:
        """What to say of the last failure, None when all went well since."""
        setback = self._setbacks.get(who)
        return setback.verdict if setback else None

    def wake_at(self) -> float | None:
        """When the first pause ends; None when nobody waits."""
        now = self._clock.now()
        return min((each.until for each in self._setbacks.values() if each.until > now), default=None)

    def any(self) -> bool:
        """Whether anybody has a failure that was not made good."""
        return bool(self._setbacks)

    def held_until(self, who: Who, circumstances: object) -> float | None:
        """Until when nothing should be tried; None when it may be now."""
        setback = self._setbacks.get(who)
        if setback is None or setback.circumstances != circumstances or setback.until <= self._clock.now():
            return None
        return setback.until

    def note_answer(self, who: Who) -> None:
        """A call was answered, though not the one that failed: what kept every call from being sent is over."""
        setback = self._setbacks.get(who)
        if setback is not None and setback.verdict.reason is Reason.RATE_LIMITED:
            self.clear(who)

    def clear(self, who: Who) -> None:
        """Something that had failed, or all there was to do, went well."""
        self._setbacks.pop(who, None)
