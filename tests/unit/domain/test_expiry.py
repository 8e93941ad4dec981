"""A CA certificate that expires soon is told of in three steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.expiry import next_step, remark_on_expiry

END = datetime(2027, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def days(number: int) -> timedelta:
    return timedelta(days=number)


def test_nothing_is_said_more_than_thirty_days_before() -> None:
    assert remark_on_expiry(END, END - days(30) - SECOND) is None


@pytest.mark.parametrize(
    ("left", "step"),
    [
        (days(30), "30 days"),
        (days(7) + SECOND, "30 days"),
        (days(7), "7 days"),
        (days(1) + SECOND, "7 days"),
        (days(1), "1 day,"),
        (SECOND, "1 day,"),
    ],
)
def test_each_step_is_said_from_its_moment_on(left: timedelta, step: str) -> None:
    said = remark_on_expiry(END, END - left)

    assert said is not None
    assert (said.is_ok, said.reason) == (True, Reason.CERTIFICATE_EXPIRING)
    assert f"expires within {step}" in said.message
    assert "2027-01-31T12:00:00Z" in said.message


def test_what_is_said_stays_the_same_between_two_steps() -> None:
    assert remark_on_expiry(END, END - days(29)) == remark_on_expiry(END, END - days(8))


@pytest.mark.parametrize(
    ("left", "then"), [(days(100), days(30)), (days(30), days(7)), (days(7), days(1)), (days(1), days(0))]
)
def test_the_next_step_is_known(left: timedelta, then: timedelta) -> None:
    assert next_step(END, END - left) == END - then
