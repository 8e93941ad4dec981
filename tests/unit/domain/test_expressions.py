"""What is written is read back; what cannot be read is said to be so, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.domain.expressions import (
    UnreadableExpressionError,
    claim_expression,
    enforcement_expression,
    named_in,
    read_claim,
    read_enforcement,
    read_revocation,
    revocation_expression,
)
from mtls_operator.domain.serial_numbers import serial_number

hostnames = st.frozensets(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){1,2}", fullmatch=True), min_size=1
)
issuers = st.none() | st.frozensets(st.from_regex(r"([0-9A-F]{2}){1,20}", fullmatch=True), min_size=1)
PINNED = enforcement_expression({"a.example.com", "b.example.com"}, {"AB12", "CD34"})
UNPINNED = enforcement_expression({"a.example.com"}, None)
TOLERANT = enforcement_expression({"b.example.com", "a.example.com"}, None, tolerant=True)
REVOKED = revocation_expression({"b.example.com", "a.example.com"}, "AB12", {"1", "80", "7F"})
CLAIM = claim_expression({"b.example.com", "a.example.com"})


@given(hostnames)
def test_a_claim_is_read_as_it_was_written(names: frozenset[str]) -> None:
    assert read_claim(claim_expression(names)) == names


@given(hostnames, issuers, st.booleans())
def test_an_enforcement_rule_is_read_as_it_was_written(
    names: frozenset[str], pinned: frozenset[str] | None, tolerant: bool
) -> None:
    assert read_enforcement(enforcement_expression(names, pinned, tolerant=tolerant)) == (names, pinned, tolerant)


@given(hostnames, issuers, st.booleans())
def test_the_names_of_a_rule_are_found_in_it_also_when_it_cannot_be_read(
    names: frozenset[str], pinned: frozenset[str] | None, tolerant: bool
) -> None:
    assert names <= named_in("not " + enforcement_expression(names, pinned, tolerant=tolerant))


def test_the_forms_are_those_of_the_marks_grammar() -> None:
    assert CLAIM == '(lower(http.host) in {"a.example.com" "b.example.com"})'
    assert UNPINNED == '(lower(http.host) in {"a.example.com"} and not cf.tls_client_auth.cert_verified)'
    assert TOLERANT == (
        r'(lower(http.host) matches "^(?:a\.example\.com|b\.example\.com)\.?(?::[0-9]+)?$"'
        " and not cf.tls_client_auth.cert_verified)"
    )
    assert PINNED == (
        '(lower(http.host) in {"a.example.com" "b.example.com"} and not (cf.tls_client_auth.cert_verified'
        ' and cf.tls_client_auth.cert_issuer_ski in {"AB12" "CD34"}))'
    )


UNREADABLE = {
    "nothing": "",
    "something else": '(http.request.uri.path eq "/")',
    "no hostnames": "(lower(http.host) in {})",
    "hostnames not sorted": '(lower(http.host) in {"b.example.com" "a.example.com"})',
    "a hostname twice": '(lower(http.host) in {"a.example.com" "a.example.com"})',
    "two spaces": '(lower(http.host) in {"a.example.com"  "b.example.com"})',
    "more behind": f'{CLAIM} or (http.host eq "x")',
    "more in front": f"(true) or {CLAIM}",
    "a name that no hostname has": '(lower(http.host) in {"a example"})',
}


@pytest.mark.parametrize("expression", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_this_version_does_not_write_is_unreadable_as_a_claim(expression: str) -> None:
    with pytest.raises((UnreadableExpressionError, ValueError)):
        read_claim(expression)


@pytest.mark.parametrize("expression", [PINNED, UNPINNED])
def test_an_enforcement_rule_is_no_claim(expression: str) -> None:
    with pytest.raises(UnreadableExpressionError):
        read_claim(expression)


@pytest.mark.parametrize(
    "expression",
    [
        *UNREADABLE.values(),
        CLAIM,
        PINNED.replace(' in {"AB12" "CD34"}', " in {}"),
        PINNED.replace('"AB12" "CD34"', '"CD34" "AB12"'),
        PINNED.replace("cert_verified", "cert_presented"),
        UNPINNED.replace("and not", "or not"),
        TOLERANT.replace("a\\.", "a."),
        TOLERANT.replace("(?:a\\.example\\.com|b", "(?:b\\.example\\.com|a"),
        TOLERANT.replace("^(?:a\\.example\\.com|b\\.example\\.com)", "^(?:)"),
    ],
)
def test_what_this_version_does_not_write_is_unreadable_as_enforcement(expression: str) -> None:
    with pytest.raises((UnreadableExpressionError, ValueError)):
        read_enforcement(expression)


@given(st.text(alphabet='ab."{} ()', max_size=40))
def test_a_claim_that_is_read_is_written_the_same(inner: str) -> None:
    expression = f"(lower(http.host) in {{{inner}}})"

    assert _read_back(expression) in {None, expression}


def _read_back(expression: str) -> str | None:
    try:
        return claim_expression(read_claim(expression))
    except ValueError:
        return None


def test_a_claim_without_hostnames_is_not_written() -> None:
    with pytest.raises(ValueError, match="needs a hostname"):
        claim_expression(())


def test_a_pinned_rule_without_issuers_is_not_written_because_it_would_block_everybody() -> None:
    with pytest.raises(ValueError, match="block every client"):
        enforcement_expression({"a.example.com"}, ())


def test_a_tolerant_rule_without_hostnames_is_not_written() -> None:
    with pytest.raises(ValueError, match="needs a hostname"):
        enforcement_expression((), None, tolerant=True)


@pytest.mark.parametrize("name", ['a"b', "a b", "a}", "", "ä.example.com"])
def test_a_name_that_could_end_its_quotes_is_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="not a hostname or key identifier"):
        claim_expression({name})


@given(
    hostnames,
    st.from_regex(r"([0-9A-F]{2}){1,20}", fullmatch=True),
    st.frozensets(st.integers(0, 2**160).map(serial_number), min_size=1),
    st.booleans(),
)
def test_a_rule_about_revoked_certificates_is_read_as_it_was_written(
    names: frozenset[str], issuer: str, serials: frozenset[str], tolerant: bool
) -> None:
    written = revocation_expression(names, issuer, serials, tolerant=tolerant)

    assert read_revocation(written) == (names, issuer, serials, tolerant)


def test_a_rule_about_revoked_certificates_names_every_spelling_sorted() -> None:
    assert REVOKED == (
        '(lower(http.host) in {"a.example.com" "b.example.com"} and cf.tls_client_auth.cert_issuer_ski in {"AB12"}'
        ' and cf.tls_client_auth.cert_serial in {"0080" "01" "1" "7F" "80"})'
    )


@pytest.mark.parametrize(
    "expression",
    [
        CLAIM,
        PINNED,
        REVOKED.replace('"1" ', ""),
        REVOKED.replace('"0080" "01"', '"01" "0080"'),
        REVOKED.replace('{"0080" "01" "1" "7F" "80"}', "{}"),
        REVOKED.replace('{"AB12"}', '{"AB12" "CD34"}'),
        REVOKED.replace(" and cf.tls_client_auth.cert_serial", " or cf.tls_client_auth.cert_serial"),
        f"{REVOKED} or true",
    ],
)
def test_what_this_version_does_not_write_is_unreadable_as_revocation(expression: str) -> None:
    with pytest.raises(UnreadableExpressionError):
        read_revocation(expression)


def test_a_rule_about_revoked_certificates_without_any_is_not_written() -> None:
    with pytest.raises(ValueError, match="needs a serial number"):
        revocation_expression({"a.example.com"}, "AB12", ())
