"""All rules that the operator writes, evaluated together, do what bindings wish: for every client at every name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from mtls_operator.domain.observed import BlockResponse
from testbed.cloudflare.edge.settings import Serials
from testbed.cloudflare.expressions import parse, typed
from tests.contract.rules.visits import Answer, Certificate, Fate, Visit, answered, expected, visits
from tests.contract.rules.wishes import Rules, Wish, wish_lists

A, B = "AA" * 20, "BB" * 20
REFUSED = BlockResponse(401, "application/json", "{}")
PINNED = Wish(frozenset({"api.example.com"}), frozenset({A}), response=REFUSED, revoked={A: frozenset({0x80})})
TOLERANT = Wish(frozenset({"api.example.com"}), None, response=REFUSED, tolerant=True)
ONLY_LOGGED = Wish(frozenset({"web.example.com"}), frozenset({B}), action="log")
BARE = Wish(frozenset({"shop.example.com"}), frozenset({B}), action="none")
GOOD = Certificate(A, 1)
PASSED, LOGGED, BLOCKED = Answer(Fate.PASSED), Answer(Fate.LOGGED), Answer(Fate.BLOCKED, REFUSED)

several = settings(max_examples=60)


@pytest.mark.parametrize(
    ("visit", "answer"),
    [
        (Visit("api.example.com", GOOD), PASSED),
        (Visit("API.example.com", GOOD), PASSED),
        (Visit("api.example.com"), BLOCKED),
        (Visit("Api.Example.com"), BLOCKED),
        (Visit("api.example.com:443"), PASSED),
        (Visit("api.example.com."), PASSED),
        (Visit("xapi.example.com"), PASSED),
        (Visit("api.example.com", Certificate(A, 1, verified=False)), BLOCKED),
        (Visit("api.example.com", Certificate(B, 1)), BLOCKED),
        (Visit("api.example.com", Certificate("", 1)), BLOCKED),
        (Visit("api.example.com", Certificate(A, 0x80)), BLOCKED),
        (Visit("api.example.com", Certificate(A, 0x80), Serials.DER), BLOCKED),
        (Visit("api.example.com", Certificate(A, 0x8000)), PASSED),
        (Visit("web.example.com", GOOD), LOGGED),
        (Visit("web.example.com", Certificate(B, 0x80)), PASSED),
        (Visit("shop.example.com"), PASSED),
    ],
)
def test_what_is_wished_is_worked_out_like_this(visit: Visit, answer: Answer) -> None:
    assert expected([PINNED, ONLY_LOGGED, BARE], visit) == answer


@pytest.mark.parametrize("host", ["api.example.com", "api.example.com.", "api.example.com:1", "Api.example.com.:65535"])
def test_a_tolerant_wish_is_about_a_name_with_a_port_and_a_dot(host: str) -> None:
    assert expected([TOLERANT], Visit(host)) == BLOCKED


@pytest.mark.parametrize("host", ["api.example.com..", "api.example.com:", "apixexample.com", "api.example.com:1.", ""])
def test_a_tolerant_wish_is_about_no_other_name(host: str) -> None:
    assert expected([TOLERANT], Visit(host)) == PASSED


@pytest.mark.parametrize(
    ("serial", "texts"),
    [
        (0x80, ("80", "0080", "80")),
        (0xABC, ("0ABC", "0ABC", "ABC")),
        (0, ("00", "00", "0")),
        (0x80 << 144, ("80" + "00" * 18, "0080" + "00" * 18, "80" + "00" * 18)),
    ],
)
def test_serial_numbers_are_spelt_as_the_edge_may_spell_them(serial: int, texts: tuple[str, ...]) -> None:
    fields = [Visit("", Certificate(A, serial), each).fields() for each in Serials]

    assert tuple(each["cf.tls_client_auth.cert_serial"] for each in fields) == texts


@several
@given(wish_lists())
def test_all_rules_together_do_what_is_wished_for_every_client_at_every_name(wishes: list[Wish]) -> None:
    bodies = Rules(wishes).bodies

    found = {visit: answered(bodies, visit) for visit in visits(wishes)}

    assert found == {visit: expected(wishes, visit) for visit in found}


@several
@given(wish_lists())
def test_claims_name_every_hostname_and_no_other_and_act_on_nothing(wishes: list[Wish]) -> None:
    claims = Rules(wishes).claims
    every = {name for wish in wishes for name in wish.hostnames}
    hosts = {visit.host for visit in visits(wishes)} | every

    named = {host for host in hosts if any(parse(each.expression).holds(typed({"http.host": host})) for each in claims)}

    assert named == {host for host in hosts if host.encode().lower().decode() in every}
    assert {(each.action, each.enabled) for each in claims} == {("log", False)}
