"""Who is held back after a failure, and until when."""

from __future__ import annotations

from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.errors import NotSent, PermissionDenied, RateLimited, ServerFault, Unauthorized
from mtls_operator.domain.verdicts import Outcome
from mtls_operator.engine.setbacks import Setbacks
from tests.unit.engine.fixed_clock import FixedClock

FAULT = ServerFault("PUT /x", "Cloudflare failed", status=503)
DENIED = PermissionDenied("POST /x", "refused", permission="Zone WAF: Edit", status=403)

HELD_BACK = NotSent("PUT /x", "not sent", retry_after=10.0)


def test_a_failure_holds_back_whom_it_met_and_nobody_else() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())

    setbacks.note("ours", FAULT, "as it is")

    assert setbacks.held_until("ours", "as it is") is not None
    assert setbacks.held_until("theirs", "as it is") is None


def test_a_pause_ends_by_itself() -> None:
    clock = FixedClock()
    setbacks: Setbacks[str] = Setbacks(clock)
    setbacks.note("ours", FAULT, "as it is")

    clock.advance(1.0)

    assert setbacks.held_until("ours", "as it is") is None


def test_other_circumstances_end_a_pause_at_once() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())

    setbacks.note("ours", FAULT, "the old token")

    assert setbacks.held_until("ours", "a new token") is None


def test_pauses_grow_with_the_failures_in_a_row() -> None:
    clock = FixedClock()
    setbacks: Setbacks[str] = Setbacks(clock)
    pauses = [_pause(setbacks, clock) for _ in range(8)]

    assert pauses[-1] > 20 * pauses[0]
    assert max(pauses) <= 60.0


def test_what_cloudflare_asks_for_is_the_least_pause() -> None:
    clock = FixedClock()
    setbacks: Setbacks[str] = Setbacks(clock)

    setbacks.note("ours", RateLimited("GET /x", "too many", retry_after=300.0), None)

    assert 300.0 <= (setbacks.held_until("ours", None) or 0.0) - clock.now() <= 330.0


def test_a_fresh_token_is_given_time_before_its_lack_of_a_permission_is_called_one() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())
    reasons = [_reason_after(setbacks, DENIED) for _ in range(6)]

    assert reasons == [Reason.CREDENTIALS_PENDING] * 5 + [Reason.CREDENTIALS_INSUFFICIENT]


def test_patience_that_a_process_before_has_had_is_not_had_again() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())

    setbacks.note("ours", DENIED, None, was_patient=True)

    assert _told(setbacks)[0] == Reason.CREDENTIALS_INSUFFICIENT


def test_what_was_said_of_an_outage_stays_while_nothing_is_sent() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())
    setbacks.note("ours", FAULT, None)
    before = _told(setbacks)

    setbacks.note("ours", HELD_BACK, None)

    assert _told(setbacks) == before


def test_who_was_held_back_before_anything_was_sent_says_so() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())

    setbacks.note("ours", HELD_BACK, None)

    assert _told(setbacks) == (Reason.CLOUDFLARE_UNAVAILABLE, str(HELD_BACK))


def test_an_answer_ends_what_is_said_of_the_rate_limit_and_nothing_else() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())
    setbacks.note("limited", RateLimited("GET /x", "too many", retry_after=300.0), None)
    setbacks.note("refused", FAULT, None)

    for each in ("limited", "refused", "nobody"):
        setbacks.note_answer(each)

    assert setbacks.verdict("limited") is None
    assert setbacks.verdict("refused") is not None


def test_a_token_that_is_not_accepted_blocks_at_once() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())

    setbacks.note("ours", Unauthorized("GET /x", "not accepted", status=401), None)

    verdict = setbacks.verdict("ours")
    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == (Outcome.BLOCKED, Reason.CREDENTIALS_INVALID)


def test_the_first_pause_to_end_is_when_to_look_again() -> None:
    clock = FixedClock()
    setbacks: Setbacks[str] = Setbacks(clock)
    setbacks.note("late", RateLimited("GET /x", "too many", retry_after=300.0), None)
    setbacks.note("soon", RateLimited("GET /x", "too many", retry_after=100.0), None)

    assert 100.0 <= (setbacks.wake_at() or 0.0) - clock.now() <= 110.0


def test_what_went_well_is_no_longer_spoken_of() -> None:
    setbacks: Setbacks[str] = Setbacks(FixedClock())
    setbacks.note("ours", FAULT, None)

    setbacks.clear("ours")

    assert (setbacks.verdict("ours"), setbacks.any(), setbacks.wake_at()) == (None, False, None)


def _told(setbacks: Setbacks[str]) -> tuple[str, str]:
    verdict = setbacks.verdict("ours")
    return (verdict.reason, verdict.message) if verdict else ("", "")


def _pause(setbacks: Setbacks[str], clock: FixedClock) -> float:
    setbacks.note("ours", FAULT, None)
    return (setbacks.held_until("ours", None) or 0.0) - clock.now()


def _reason_after(setbacks: Setbacks[str], error: PermissionDenied) -> str:
    setbacks.note("ours", error, None)
    verdict = setbacks.verdict("ours")
    return verdict.reason if verdict else ""
