"""Serial numbers are named in every spelling that Cloudflare may use, and are the same in each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.domain.serial_numbers import from_spelling, serial_number, spellings

LONGEST = 2**160 - 1
numbers = st.integers(0, LONGEST)


@given(numbers)
def test_a_serial_number_is_spelt_with_and_without_the_zero_that_hex_or_der_may_put_before_it(value: int) -> None:
    bare = f"{value:X}"
    whole_bytes = value.to_bytes((value.bit_length() + 7) // 8 or 1).hex().upper()
    der = value.to_bytes(value.bit_length() // 8 + 1).hex().upper()

    assert set(spellings(serial_number(value))) == {bare, whole_bytes, der}


@given(numbers)
def test_every_spelling_is_of_the_same_serial_number(value: int) -> None:
    assert {from_spelling(each) for each in spellings(serial_number(value))} == {serial_number(value)}


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        (0, ("00", "0")),
        (0x7F, ("7F",)),
        (0x80, ("0080", "80")),
        (0xABC, ("0ABC", "ABC")),
        (0x936EACBE07F201DF, ("00936EACBE07F201DF", "936EACBE07F201DF")),
        (-1, ("00FF", "FF")),
        (-129, ("00FF7F", "FF7F")),
    ],
)
def test_these_are_spelt_so(value: int, spelt: tuple[str, ...]) -> None:
    assert spellings(serial_number(value)) == spelt
