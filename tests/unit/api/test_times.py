from __future__ import annotations

from datetime import timedelta

import pytest

from mtls_operator.api.times import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24h", 86400), ("1h30m", 5400), ("1.5h", 5400), ("+5m", 300), ("90s", 90), ("500ms", 0.5), ("2us", 0.000002)],
)
def test_a_duration_is_read_as_go_and_cel_read_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "24", "1 day", "-1h", "1d", "h", "1h ", "P1D"])
def test_what_is_not_a_positive_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 24h"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["24h", "1h30m", "90m", "1s", "0s", "1h1s"])
def test_a_duration_that_is_written_and_read_again_is_the_same(text: str) -> None:
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


def test_a_duration_is_written_in_its_shortest_form() -> None:
    assert format_duration(timedelta(days=1, minutes=5)) == "24h5m"
