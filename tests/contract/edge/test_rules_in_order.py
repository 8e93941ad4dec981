"""IP Access rules and custom rules: which comes first, which ends the others, and what the client is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from testbed.cloudflare.edge.firewall import Outcome
from testbed.cloudflare.state import AccessRule
from tests.contract.cloudflare_simulation.world import ACCOUNT, ZONE
from tests.contract.edge.clients import authority, get
from tests.contract.edge.world import HOSTNAME, EdgeWorld, guard_expression

ROOT = authority("Root")
HERE = f'http.host eq "{HOSTNAME}"'
ELSEWHERE = 'http.host eq "elsewhere.example.com"'
SKIP_RULES = {"action_parameters": {"ruleset": "current"}}


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([], 200),
        ([(HERE, "block", {})], 403),
        ([(ELSEWHERE, "block", {})], 200),
        ([(HERE, "block", {"enabled": False})], 200),
        ([(HERE, "log", {})], 200),
        ([(HERE, "log", {}), (HERE, "block", {})], 403),
        ([(HERE, "skip", SKIP_RULES), (HERE, "block", {})], 200),
        ([(HERE, "skip", {"action_parameters": {"phase": "current"}}), (HERE, "block", {})], 200),
        ([(HERE, "block", {}), (HERE, "skip", SKIP_RULES)], 403),
        ([(ELSEWHERE, "skip", SKIP_RULES), (HERE, "block", {})], 403),
        ([(HERE, "skip", {**SKIP_RULES, "enabled": False}), (HERE, "block", {})], 403),
        ([(HERE, "skip", {"action_parameters": {"phases": ["http_ratelimit"]}}), (HERE, "block", {})], 403),
        ([(HERE, "skip", {"action_parameters": {"products": ["waf"]}}), (HERE, "block", {})], 403),
        ([(HERE, "managed_challenge", {})], 403),
        ([(HERE, "js_challenge", {})], 403),
        ([(HERE, "challenge", {}), (HERE, "skip", SKIP_RULES)], 403),
    ],
)
def test_rules_are_taken_in_order(
    world: EdgeWorld, rules: Sequence[tuple[str, str, dict[str, object]]], status: int
) -> None:
    for expression, action, more in rules:
        world.rule(expression, action, **more)

    answer = world.site.get(HOSTNAME)

    assert answer.status_code == status


def test_an_earlier_skip_rule_of_somebody_else_opens_what_ours_guards(world: EdgeWorld) -> None:
    world.trust(ROOT)
    world.guard(ROOT)
    closed = world.site.get(HOSTNAME)
    world.cloudflare.simulation.add_foreign_rule(ZONE, expression=HERE, action="skip", first=True)

    opened = world.site.get(HOSTNAME)

    assert (closed.status_code, opened.status_code) == (403, 200)


def test_a_block_answers_as_its_rule_says(world: EdgeWorld) -> None:
    response = {"status_code": 418, "content_type": "application/json", "content": '{"why": "no certificate"}'}
    world.block(guard_expression(HOSTNAME), action_parameters={"response": response})

    answer = world.site.get(HOSTNAME)

    assert answer.status_code == 418
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"why": "no certificate"}


def test_the_verdict_names_the_rules_that_matched_and_the_one_that_decided(world: EdgeWorld) -> None:
    log = world.rule(HERE, "log")
    world.rule(ELSEWHERE, "log")
    block = world.block(HERE)

    decision = world.edge.visit(HOSTNAME).decision

    assert (decision.outcome, decision.rule_id, decision.matched) == (Outcome.BLOCKED, block, (log, block))


@pytest.mark.parametrize("scope", [ZONE, ACCOUNT])
@pytest.mark.parametrize(("target", "status"), [("127.0.0.7", 200), ("127.0.0.0/24", 200), ("127.0.0.8", 403)])
def test_an_allowed_address_bypasses_every_custom_rule(world: EdgeWorld, scope: str, target: str, status: int) -> None:
    world.guard()
    world.cloudflare.simulation.add_access_rule(scope, "whitelist", target)

    answer = world.site.get(HOSTNAME, source="127.0.0.7")

    assert answer.status_code == status


@pytest.mark.parametrize("target", ["AS64496", "DE"])
def test_an_access_rule_for_a_country_or_a_network_operator_matches_nobody(world: EdgeWorld, target: str) -> None:
    rules = (AccessRule("1" * 32, "block", target),)
    world.cloudflare.simulation.install(lambda state: state.with_access_rules(ZONE, rules), settled=True)

    assert world.site.get(HOSTNAME).status_code == 200


@pytest.mark.parametrize("mode", ["block", "challenge", "js_challenge", "managed_challenge"])
def test_an_address_that_is_kept_out_is_kept_out_before_any_rule(world: EdgeWorld, mode: str) -> None:
    world.rule("true", "skip", **SKIP_RULES)
    world.cloudflare.simulation.add_access_rule(ZONE, mode, "127.0.0.1")

    assert world.site.get(HOSTNAME).status_code == 403


@pytest.mark.parametrize(
    ("rules", "passed"),
    [
        ([(ZONE, "block", "127.0.0.0/16"), (ZONE, "whitelist", "127.0.0.1")], True),
        ([(ZONE, "whitelist", "127.0.0.1"), (ACCOUNT, "block", "127.0.0.1")], True),
        ([(ZONE, "whitelist", "127.0.0.0/16"), (ACCOUNT, "block", "127.0.0.1")], False),
    ],
)
def test_of_several_access_rules_the_narrowest_counts_and_the_zones_before_the_accounts(
    world: EdgeWorld, rules: Sequence[tuple[str, str, str]], passed: bool
) -> None:
    for scope, mode, target in rules:
        world.cloudflare.simulation.add_access_rule(scope, mode, target)

    assert (world.site.get(HOSTNAME).status_code == 200) is passed


@pytest.mark.parametrize(("mode", "target"), [("allow", "127.0.0.1"), ("block", "nowhere"), ("block", "127.0.0.1/8")])
def test_an_access_rule_that_makes_no_sense_is_refused(world: EdgeWorld, mode: str, target: str) -> None:
    with pytest.raises(ValueError, match=r"mode|network|host bits"):
        world.cloudflare.simulation.add_access_rule(ZONE, mode, target)


def test_one_connection_serves_many_requests_whatever_becomes_of_them(world: EdgeWorld) -> None:
    world.block('http.request.uri.path eq "/closed"')

    with world.site.client() as client:
        first = get(client, HOSTNAME)
        statuses = [
            client.request(method, path, headers={"host": HOSTNAME}, content=b"x" * 100_000).status_code
            for method in ("GET", "POST", "HEAD")
            for path in ("/", "/closed")
        ]

    assert first.status_code == 200
    assert statuses == [200, 403] * 3


def test_a_rule_that_looks_at_the_clock_is_asked_anew_each_time(world: EdgeWorld) -> None:
    later = int(world.cloudflare.clock()) + 10
    world.block(f"http.request.timestamp.sec ge {later}")

    before = world.edge.visit(HOSTNAME)
    world.cloudflare.clock.advance(10)
    after = world.edge.visit(HOSTNAME)

    assert (before.passed, after.passed) == (True, False)


def test_what_rules_decided_before_they_changed_is_forgotten(world: EdgeWorld) -> None:
    world.block(ELSEWHERE)
    before = world.edge.visit(HOSTNAME)
    world.block(HERE)

    after = world.edge.visit(HOSTNAME)

    assert (before.passed, after.passed) == (True, False)
