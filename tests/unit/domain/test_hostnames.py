"""What lies inside a zone, and what a pattern permits."""

from __future__ import annotations

import pytest

from mtls_operator.domain.hostnames import is_hostname, is_inside_zone, is_permitted


@pytest.mark.parametrize("hostname", ["example.com", "api.example.com", "a.b.example.com"])
def test_the_apex_and_what_is_below_it_are_inside_the_zone(hostname: str) -> None:
    assert is_inside_zone(hostname, "example.com")


@pytest.mark.parametrize("hostname", ["badexample.com", "com", "example.com.evil.net", "example.org"])
def test_what_only_looks_alike_is_outside_the_zone(hostname: str) -> None:
    assert not is_inside_zone(hostname, "example.com")


@pytest.mark.parametrize("hostname", ["api.example.com", "a.b.example.com"])
def test_a_wildcard_stands_for_one_or_more_labels(hostname: str) -> None:
    assert is_permitted(hostname, ["*.example.com"])


@pytest.mark.parametrize("hostname", ["example.com", "badexample.com", ".example.com", "api.example.org"])
def test_a_wildcard_stands_for_neither_the_apex_nor_another_name(hostname: str) -> None:
    assert not is_permitted(hostname, ["*.example.com"])


def test_a_name_permits_itself_alone() -> None:
    assert is_permitted("api.example.com", ["www.example.com", "api.example.com"])
    assert not is_permitted("v1.api.example.com", ["api.example.com"])


def test_no_pattern_permits_nothing() -> None:
    assert not is_permitted("api.example.com", [])


@pytest.mark.parametrize("text", ["a", "example.com", "xn--bcher-kva.example", "a-b.c9"])
def test_letters_digits_hyphens_and_dots_make_a_hostname(text: str) -> None:
    assert is_hostname(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A.example.com", 'a".example.com', "a b", "a\n", "a" * 254])
def test_what_could_end_a_quoted_string_is_no_hostname(text: str) -> None:
    assert not is_hostname(text)
