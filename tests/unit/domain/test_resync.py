"""How often everything is looked at again, and when it is said that this is too seldom."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.api.conditions import Condition
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.resync import (
    CEILING_SECONDS,
    DOCUMENTED,
    SHORTEST_SECONDS,
    Leeway,
    first_pause,
    is_delayed,
    looked_at,
    overdue,
    pause,
    period,
    said_before,
)
from mtls_operator.domain.verdicts import ok, waiting
from mtls_operator.domain.zone_knowledge import Reading, ZoneKnowledge

ONE, TWO = CertificateId("11111111-1111-4111-8111-111111111111"), CertificateId("22222222-2222-4222-8222-222222222222")
CHANCES = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("calls", "left", "expected"),
    [
        (3, 1200, 300.0),
        (300, 1200, 300.0),
        (600, 1200, 600.0),
        (300, 400, 900.0),
        (300, 200, 1800.0),
        (3, 0, 3600.0),
        (0, 0, 300.0),
    ],
)
def test_the_period_lets_a_round_take_a_quarter_of_what_is_left(calls: int, left: int, expected: float) -> None:
    assert period([(calls, Leeway(left, 300.0))]) == expected


def test_of_several_tokens_the_one_that_has_least_to_spare_decides() -> None:
    assert period([(10, DOCUMENTED), (600, Leeway(600, 300.0)), (20, DOCUMENTED)]) == 1200.0


def test_what_costs_nothing_is_due_as_often_as_anything() -> None:
    assert period([]) == SHORTEST_SECONDS


@given(st.integers(1, 10_000), st.integers(0, 1200), CHANCES)
def test_resyncs_never_take_more_than_a_quarter(calls: int, left: int, chance: float) -> None:
    every = pause(period([(calls, Leeway(left, 300.0))]), chance)

    assert calls * 300.0 / every <= 0.25 * max(1, left) * (1 + 1e-9)


@given(st.floats(SHORTEST_SECONDS, CEILING_SECONDS), CHANCES)
def test_jitter_keeps_the_ceiling(every: float, chance: float) -> None:
    assert every <= pause(every, chance) <= CEILING_SECONDS


def test_jitter_tells_apart_what_began_together() -> None:
    assert pause(400.0, 0.2) != pause(400.0, 0.7)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 150.0), (0.1, 150.0), (0.5, 450.0), (1.0, 900.0)])
def test_the_first_round_is_spread_over_a_whole_period_but_for_what_has_just_begun(
    chance: float, expected: float
) -> None:
    assert first_pause(900.0, chance) == expected


@pytest.mark.parametrize(
    ("every", "before", "expected"),
    [
        (900.0, False, False),
        (901.0, False, True),
        (901.0, True, True),
        (721.0, True, True),
        (719.0, True, False),
        (300.0, False, False),
    ],
)
def test_a_ceiling_that_is_not_kept_is_said_and_not_taken_back_at_once(
    every: float, before: bool, expected: bool
) -> None:
    assert is_delayed(every, before) is expected


def known(**lists: float) -> ZoneKnowledge:
    """The rules read at 50, the lists of `one` and `two` when it says."""
    ids = {"one": ONE, "two": TWO}
    read = {ids[name]: Reading(frozenset[str](), begun) for name, begun in lists.items()}
    return ZoneKnowledge(started=0.0, rules=Reading(None, 50.0), lists=read)


def test_a_zone_was_looked_at_when_its_oldest_reading_that_matters_was_begun() -> None:
    zone = known(one=70.0, two=30.0)

    assert [looked_at(zone, {ONE}), looked_at(zone, {ONE, TWO})] == [50.0, 30.0]


def test_a_zone_of_which_something_was_never_read_was_not_looked_at() -> None:
    unread = ZoneKnowledge(started=0.0, lists=known(one=70.0).lists)

    assert [looked_at(known(one=70.0), {TWO}), looked_at(unread, {ONE})] == [None, None]


def test_a_certificate_that_is_not_there_was_looked_at_when_that_was_said() -> None:
    zone = known(one=70.0).with_list_missing(TWO, 60.0)

    assert looked_at(zone, {ONE, TWO}) == 50.0
    assert looked_at(zone.with_list_missing(TWO, 40.0), {TWO}) == 40.0


LATE = CEILING_SECONDS + SHORTEST_SECONDS + 1
REFUSED = waiting(Reason.CREDENTIALS_INSUFFICIENT, "the token lacks a permission.")


def test_a_look_that_fails_is_late_when_the_ceiling_and_one_more_pause_are_over() -> None:
    assert overdue(REFUSED, 0.0, 0.0, LATE - 1) is None
    assert overdue(None, 0.0, 0.0, LATE) is None
    assert overdue(REFUSED, 0.0, 0.0, LATE) == ok(
        Reason.RESYNC_DELAYED,
        "everything that the spec asks for was in force when it was last read, 1970-01-01T00:00:00Z; since then that"
        " cannot be told: the token lacks a permission.",
    )


def test_a_process_that_has_read_nothing_does_not_say_that_it_has() -> None:
    late = overdue(REFUSED, None, 60.0, 60.0 + LATE)

    assert late is not None
    assert late.message.startswith("everything that the spec asks for was in force before the operator was started, 19")


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.CLOUDFLARE_UNAVAILABLE])
def test_what_is_said_of_a_late_look_does_not_change_from_try_to_try(reason: Reason) -> None:
    one, other = (overdue(waiting(reason, words), 0.0, 0.0, LATE) for words in ("at 10:00", "at 10:05"))

    assert one == other


def test_that_a_look_was_late_is_said_on_until_something_is_read() -> None:
    said = Condition(
        type="Ready",
        status="True",
        reason="ResyncDelayed",
        message="said",
        last_transition_time=datetime(2026, 3, 1, tzinfo=UTC),
        observed_generation=1,
    )

    assert said_before(said, None) == ok(Reason.RESYNC_DELAYED, "said")
    assert said_before(said, 1.0) is None
    assert said_before(said.model_copy(update={"reason": "Reconciled"}), None) is None
    assert said_before(None, None) is None
