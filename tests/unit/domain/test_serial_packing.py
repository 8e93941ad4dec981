"""Thousands of serial numbers in few rules, each change a single write, and newest first where they do not all fit."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtls_operator.domain.expressions import MAX_LENGTH, read_revocation, revocation_expression
from mtls_operator.domain.revoked import RevokedSerials
from mtls_operator.domain.rule_groups import Group, RemoveRule
from mtls_operator.domain.serial_numbers import serial_number
from mtls_operator.domain.serial_packing import Chunks, Wanted, additions, fitting, rules_needed, surplus
from mtls_operator.domain.zone_view import RevocationKey

ISSUER, OTHER = "AA01" * 10, "BB02" * 10
KEY = RevocationKey(frozenset({"api.example.com"}), ISSUER, "block")
WIDER = replace(KEY, hostnames=frozenset({"api.example.com", "www.example.com"}))
MANY = 1000
Rules = Sequence[Group[RevocationKey]]


def numbered(count: int, first: int = 0) -> list[str]:
    """Serial numbers of 20 bytes, half of them with two spellings."""
    rng = random.Random(7)
    drawn = [serial_number(rng.getrandbits(159)) for _ in range(first + count)]
    return drawn[first:]


def in_order(serials: Sequence[str]) -> RevokedSerials:
    """A list of which the first was revoked last."""
    return RevokedSerials(tuple((float(-index), serial) for index, serial in enumerate(serials)))


def step(rules: Rules, wanted: Wanted, most: int = MANY) -> tuple[Rules, int]:
    """The rules after everything was written, and how many writes that took."""
    present, writes = list(rules), 0
    while todo := [*additions(present, wanted, most)] or surplus(present, wanted, most):
        edit = todo[0]
        writes += 1
        assert writes < 10_000
        if isinstance(edit, RemoveRule):
            present = [each for each in present if each.rule_id != edit.rule_id]
        elif edit.rule_id is None:
            present.append(replace(edit, rule_id=f"rule-{writes}-{len(present)}"))
        else:
            present = [edit if each.rule_id == edit.rule_id else each for each in present]
    return present, writes


def held(rules: Rules, key: RevocationKey = KEY) -> list[str]:
    return sorted(serial for rule in rules if rule.key == key for serial in rule.hostnames)


def expression_of(rule: Group[RevocationKey]) -> str:
    key = rule.key
    return revocation_expression(key.hostnames, key.issuer, rule.hostnames, tolerant=key.tolerant)


keys = st.builds(
    RevocationKey,
    st.frozensets(st.from_regex(r"[a-z]{1,60}(\.[a-z]{1,60}){0,3}\.com", fullmatch=True), min_size=1, max_size=8),
    st.sampled_from([ISSUER, "AB", "F" * 128]),
    st.just("block"),
    tolerant=st.booleans(),
)
serial_sets = st.frozensets(st.integers(0, 2**160 - 1).map(serial_number), min_size=1, max_size=400)


@settings(max_examples=60)
@given(keys, serial_sets)
def test_every_rule_fits_and_reads_back_and_together_they_hold_everything_once(
    key: RevocationKey, serials: frozenset[str]
) -> None:
    rules, writes = step([], {key: serials})

    assert max(len(expression_of(rule)) for rule in rules) <= MAX_LENGTH
    assert [read_revocation(expression_of(rule))[2] for rule in rules] == [rule.hostnames for rule in rules]
    assert held(rules, key) == sorted(serials)
    assert writes == len(rules) <= rules_needed(key, serials)


@settings(max_examples=40)
@given(st.lists(st.frozensets(st.sampled_from(numbered(300))), min_size=2, max_size=6))
def test_however_they_come_and_go_there_are_never_more_rules_than_needed_for_the_most(
    history: list[frozenset[str]],
) -> None:
    rules: Rules = []
    for serials in history:
        rules, _ = step(rules, {KEY: serials} if serials else {})
        assert held(rules) == sorted(serials)
        assert len(rules) <= max(rules_needed(KEY, each) for each in history)


def test_a_rule_with_the_longest_hostnames_is_as_long_as_it_may_be_and_no_longer() -> None:
    longest = frozenset(f"{index}{'a' * 61}.{'b' * 63}.{'c' * 63}.{'d' * 58}.com" for index in range(1, 6))
    key = replace(KEY, hostnames=longest, issuer="F" * 128)

    rules, _ = step([], {key: frozenset(numbered(500))})

    lengths = [len(expression_of(rule)) for rule in rules]
    assert max(lengths) <= MAX_LENGTH
    assert sorted(lengths)[1] > MAX_LENGTH - 100


def test_one_new_serial_is_one_write() -> None:
    before, after = numbered(5000), numbered(5001)
    rules, _ = step([], {KEY: frozenset(before)})

    assert step(rules, {KEY: frozenset(after)})[1] == 1


def test_a_serial_that_goes_is_one_write() -> None:
    rules, _ = step([], {KEY: frozenset(numbered(500))})

    after, writes = step(rules, {KEY: frozenset(numbered(499, first=1))})

    assert (writes, len(after)) == (1, len(rules))


def test_one_that_comes_where_another_goes_is_one_write() -> None:
    rules, _ = step([], {KEY: frozenset(numbered(20))})

    assert step(rules, {KEY: frozenset(numbered(20, first=1))})[1] == 1


def test_the_last_one_takes_its_rule_with_it() -> None:
    rules, _ = step([], {KEY: frozenset(numbered(1))})

    assert step(rules, {}) == ([], 1)


def test_another_hostname_is_written_into_each_rule_in_place() -> None:
    serials = frozenset(numbered(300))
    rules, _ = step([], {KEY: serials})

    after, writes = step(rules, {WIDER: serials})

    assert [rule.rule_id for rule in after][: len(rules)] == [rule.rule_id for rule in rules]
    assert writes <= len(rules) + 2
    assert held(after, WIDER) == sorted(serials)


def test_a_hostname_that_nobody_wants_any_more_leaves_in_place_and_a_serial_with_it() -> None:
    rules, _ = step([], {WIDER: frozenset(numbered(20))})

    after, writes = step(rules, {KEY: frozenset(numbered(19, first=1))})

    assert (writes, held(after)) == (1, sorted(numbered(19, first=1)))


def test_a_hostname_that_goes_to_another_group_is_there_before_it_leaves_the_first() -> None:
    serials = frozenset(numbered(20))
    rules, _ = step([], {WIDER: serials})
    moved = replace(KEY, hostnames=frozenset({"www.example.com"}), action="log")

    first = additions(rules, {KEY: serials, moved: serials}, MANY)
    after, _ = step(rules, {KEY: serials, moved: serials})

    assert [rule.rule_id for rule in first] == [None, None]
    assert (held(after), held(after, moved), len(after)) == (sorted(serials), sorted(serials), 2)


def test_a_serial_that_another_group_still_wants_for_the_hostname_is_not_dropped_on_the_way() -> None:
    logged = replace(KEY, action="log")
    rules: Rules = [Group(replace(KEY, enabled=False), frozenset({"1", "2"}), "rule")]

    first = additions(rules, {KEY: frozenset({"1"}), logged: frozenset({"2"})}, MANY)

    assert [rule.rule_id for rule in first] == [None, None]


def test_a_rule_of_one_issuer_never_becomes_one_of_another() -> None:
    rules: Rules = [Group(KEY, frozenset({"1"}), "rule")]

    after, _ = step(rules, {replace(KEY, issuer=OTHER): frozenset({"1"})})

    assert [rule.rule_id for rule in after] != ["rule"]


def test_a_rule_that_would_be_too_long_with_another_hostname_is_made_anew() -> None:
    rules, _ = step([], {KEY: frozenset(numbered(75))})
    longer = replace(KEY, hostnames=frozenset({"api.example.com", f"{'a' * 60}.{'b' * 60}.{'c' * 60}.example.com"}))

    after, _ = step(rules, {longer: frozenset(numbered(75))})

    assert max(len(expression_of(rule)) for rule in after) <= MAX_LENGTH
    assert held(after, longer) == sorted(numbered(75))


def test_all_fit_where_there_is_room() -> None:
    lists = {KEY: in_order(numbered(100)), replace(KEY, issuer=OTHER): RevokedSerials()}

    assert fitting(lists, 4) == {key: each.serials for key, each in lists.items()}


def test_the_newest_of_all_issuers_fit_first() -> None:
    other = replace(KEY, issuer=OTHER)
    lists = {KEY: in_order(numbered(500)), other: in_order(numbered(500))}

    fitted = fitting(lists, 4)

    assert sum(rules_needed(key, serials) for key, serials in fitted.items()) <= 4
    assert fitted[KEY] == fitted[other] == frozenset(numbered(500)[: len(fitted[KEY])])
    assert len(fitted[KEY]) > 100


def test_a_revocation_is_in_every_group_that_wants_it_or_in_none() -> None:
    logged = replace(WIDER, action="log")
    lists = {KEY: in_order(numbered(500)), logged: in_order(numbered(500))}

    fitted = fitting(lists, 5)

    assert fitted[KEY] == fitted[logged]


def test_without_any_room_nothing_fits() -> None:
    assert fitting({KEY: in_order(numbered(3))}, -1) == {KEY: frozenset()}


def test_at_the_limit_a_newer_one_takes_the_place_of_the_oldest_by_one_write() -> None:
    serials = numbered(500)
    kept = fitting({KEY: in_order(serials[1:])}, 3)
    rules, _ = step([], kept, most=3)

    after, writes = step(rules, fitting({KEY: in_order(serials)}, 3), most=3)

    assert writes <= 2
    assert serials[0] in held(after)
    assert len(after) == len(rules) == 3


def test_where_there_may_be_fewer_rules_they_are_packed_closer() -> None:
    rules, _ = step([], {KEY: frozenset(numbered(500))})
    left = {KEY: frozenset(numbered(500)[::4])}
    sparse, _ = step(rules, left)

    after, _ = step(sparse, left, most=3)

    assert (len(sparse), len(after) <= 3) == (len(rules), True)
    assert held(after) == sorted(left[KEY])


@pytest.mark.parametrize("tolerant", [False, True])
def test_hostnames_are_cut_into_chunks_that_leave_room(tolerant: bool) -> None:
    hostnames = frozenset(f"host-{index}.example.com" for index in range(500))

    chunks = Chunks(tolerant).of(hostnames, [])

    lengths = [
        len(revocation_expression(each, ISSUER, ["1"], tolerant=tolerant))
        - len(revocation_expression(["a"], ISSUER, ["1"], tolerant=tolerant))
        for each in chunks
    ]
    assert sorted(name for each in chunks for name in each) == sorted(hostnames)
    assert 1_400 < max(lengths) <= 1_500


def test_a_hostname_stays_in_its_chunk_and_a_new_one_goes_where_there_is_room() -> None:
    hostnames = frozenset(f"host-{index}.example.com" for index in range(200))
    chunks = Chunks(tolerant=False).of(hostnames, [])

    after = Chunks(tolerant=False).of(hostnames - {"host-0.example.com"} | {"a.example.com"}, chunks)

    assert len(set(chunks) & set(after)) == len(chunks) - 1


def test_of_chunks_that_overlap_the_larger_one_keeps_its_hostnames() -> None:
    one, both = frozenset({"a.example.com"}), frozenset({"a.example.com", "b.example.com"})

    assert Chunks(tolerant=False).of(both, [one, both]) == [both]


def test_a_chunk_that_is_too_long_now_is_cut_anew() -> None:
    exact = frozenset(f"a.b.c.d.e.f.g.h.i.j.k.host-{index}.example.com" for index in range(33))

    assert Chunks(tolerant=False).of(exact, [exact]) == [exact]
    assert len(Chunks(tolerant=True).of(exact, [exact])) == 2


def test_ten_thousand_serials_are_planned_for_quickly() -> None:
    wanted = {KEY: frozenset(numbered(10_000))}
    begun = time.process_time()

    planned = additions([], wanted, MANY)

    assert len(planned) > 100
    assert time.process_time() - begun < 5.0


def test_a_serial_number_that_no_rule_could_hold_is_left_out_and_costs_the_others_nothing() -> None:
    freak, ordinary = "1" * 4000, numbered(500)
    rules = rules_needed(KEY, ordinary)

    fitted = fitting({KEY: in_order([freak, *ordinary])}, rules)

    assert fitted == {KEY: frozenset(ordinary)}
