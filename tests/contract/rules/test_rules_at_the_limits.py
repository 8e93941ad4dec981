"""No expression is longer than Cloudflare takes, whatever the names, identifiers and serial numbers; and all parse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from testbed.cloudflare.expressions import parse
from tests.contract.rules.visits import Certificate, Fate, Visit, answered
from tests.contract.rules.wishes import (
    LONGEST_HOSTNAME,
    LONGEST_IDENTIFIER,
    SERIALS_AT_THE_LIMITS,
    Rules,
    Wish,
    stretched,
    wish_lists,
)

MOST = 4096
ISSUER = "AB" * 20
LONGEST = frozenset(stretched(f"h{number}", LONGEST_HOSTNAME) for number in range(50))
kinds = pytest.mark.parametrize("tolerant", [False, True], ids=["exact", "tolerant"])


def sizes(rules: Rules, word: str) -> list[int]:
    """How many bytes the expressions of one kind of rule have, the shortest first."""
    return sorted(len(body.expression.encode()) for body in rules.ours if f" {word} " in body.description)


@settings(max_examples=80)
@given(wish_lists())
def test_every_expression_is_short_enough_and_parses_and_is_read_as_it_is_written(wishes: list[Wish]) -> None:
    expressions = Rules(wishes).expressions

    parsed = [parse(each) for each in expressions]

    assert max(len(each.encode()) for each in expressions) <= MOST
    assert [parse(str(each)) for each in parsed] == parsed


def test_the_longest_hostnames_are_as_long_as_dns_allows() -> None:
    labels = [label for name in LONGEST for label in name.split(".")]

    assert ({len(name) for name in LONGEST}, max(map(len, labels))) == ({253}, 63)


@kinds
@pytest.mark.parametrize("accepted", [None, frozenset({ISSUER})], ids=["any", "pinned"])
def test_the_longest_hostnames_fill_rules_as_far_as_they_may(
    accepted: frozenset[str] | None, *, tolerant: bool
) -> None:
    rules = Rules([Wish(LONGEST, accepted, tolerant=tolerant)])

    room = LONGEST_HOSTNAME + 10
    for word in ("claim", "enforce"):
        _, *full = sizes(rules, word)
        assert MOST - room < min(full) <= max(full) <= MOST
    for name in LONGEST:
        assert answered(rules.bodies, Visit(name)).fate is Fate.BLOCKED
        assert answered(rules.bodies, Visit(name, Certificate(ISSUER, 1))).fate is Fate.PASSED


@kinds
def test_the_longest_hostname_has_room_for_most_issuers_of_the_longest_identifiers(*, tolerant: bool) -> None:
    (hostname, *_) = LONGEST
    # 253 characters, dots that are escaped among them, and 150 of the form are left.
    accepted = frozenset(f"{number:0{2 * LONGEST_IDENTIFIER}X}" for number in range(28))

    rules = Rules([Wish(frozenset({hostname}), accepted, tolerant=tolerant)])

    (size,) = sizes(rules, "enforce")
    assert MOST - 2 * LONGEST_IDENTIFIER - 3 < size <= MOST
    found = {answered(rules.bodies, Visit(hostname, Certificate(each, 1))).fate for each in accepted}
    assert found == {Fate.PASSED}


@pytest.mark.parametrize("size", [1, 8, 19, 20, 21, 32, LONGEST_IDENTIFIER])
def test_an_issuer_is_accepted_by_its_whole_identifier_however_long(size: int) -> None:
    issuer = "0F" * size

    bodies = Rules([Wish(frozenset({"api.example.com"}), frozenset({issuer}))]).bodies

    others = (f"{issuer}00", f"00{issuer}", issuer[2:], issuer[:-2], issuer.lower(), issuer[1:], "")
    fates = {each: answered(bodies, Visit("api.example.com", Certificate(each, 1))).fate for each in (issuer, *others)}
    assert fates == {issuer: Fate.PASSED} | dict.fromkeys(others, Fate.BLOCKED)


@kinds
def test_serial_numbers_at_the_limits_have_room_beside_the_longest_names(*, tolerant: bool) -> None:
    issuer, some = "F" * 2 * LONGEST_IDENTIFIER, frozenset(sorted(LONGEST)[:12])
    revoked = {issuer: frozenset(range(1, 500)) | frozenset(SERIALS_AT_THE_LIMITS)}

    rules = Rules([Wish(some, frozenset({issuer}), revoked=revoked, tolerant=tolerant)])

    assert max(sizes(rules, "revoke")) <= MOST
    fates = {
        answered(rules.bodies, Visit(name, Certificate(issuer, serial))).fate
        for name in some
        for serial in (*SERIALS_AT_THE_LIMITS, 499)
    }
    assert fates == {Fate.BLOCKED}
    assert answered(rules.bodies, Visit(min(some), Certificate(issuer, 501))).fate is Fate.PASSED


@kinds
def test_what_is_in_force_stays_where_no_rule_has_room_for_old_and_new_issuers(*, tolerant: bool) -> None:
    old, new = (
        frozenset(f"{number:0{2 * LONGEST_IDENTIFIER}X}" for number in range(first, first + 20)) for first in (0, 50)
    )
    before = Wish(frozenset({"api.example.com"}), old, tolerant=tolerant)
    rules = Rules([before])
    good = [Certificate(issuer, 1) for issuer in old]

    rules.fulfil([replace(before, accepted=new)])

    assert max(map(len, rules.expressions)) <= MOST
    assert answered(rules.bodies, Visit("api.example.com")).fate is Fate.BLOCKED
    assert {answered(rules.bodies, Visit("api.example.com", each)).fate for each in good} == {Fate.PASSED}
