"""Which definitions of rules are accepted."""

from __future__ import annotations

import cloudflare
import pytest

from testbed.cloudflare.settings import Settings
from tests.contract.cloudflare_simulation.world import ACCOUNT, HOST, ZONE, World, code, make_world, pointer

RESPONSE = {"status_code": 403, "content_type": "text/plain", "content": "no"}


def padded(length: int) -> str:
    """A valid expression of exactly so many characters."""
    start, end = 'http.host eq "', '"'
    return start + "a" * (length - len(start) - len(end)) + end


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        pytest.param({"expression": HOST}, "/action", id="no action"),
        pytest.param({"action": "block"}, "/expression", id="no expression"),
        pytest.param({"action": "allow", "expression": HOST}, "/action", id="an action of the old rules"),
        pytest.param({"action": "block", "expression": HOST, "surprise": 1}, "/surprise", id="unknown field"),
        pytest.param({"action": "block", "expression": HOST, "id": "0" * 32}, "/id", id="an id of one's own"),
        pytest.param({"action": "block", "expression": HOST, "version": "1"}, "/version", id="a version"),
        pytest.param({"action": "block", "expression": HOST, "ref": ""}, "/ref", id="empty ref"),
        pytest.param({"action": "block", "expression": HOST, "ref": None}, "/ref", id="ref null"),
        pytest.param({"action": "block", "expression": HOST, "enabled": "yes"}, "/enabled", id="enabled no boolean"),
        pytest.param({"action": "block", "expression": HOST, "description": 1}, "/description", id="description"),
        pytest.param({"action": "block", "expression": ["ssl"]}, "/expression", id="expression no string"),
        pytest.param({"action": "skip", "expression": HOST}, "/action_parameters", id="skip without parameters"),
        pytest.param(
            {"action": "log", "expression": HOST, "action_parameters": {"response": RESPONSE}},
            "/action_parameters/response",
            id="a response for a log",
        ),
        pytest.param(
            {"action": "block", "expression": HOST, "action_parameters": {"answer": 1}},
            "/action_parameters/answer",
            id="unknown parameter",
        ),
        pytest.param(
            {"action": "block", "expression": HOST, "logging": {"enabled": 1}}, "/logging/enabled", id="logging"
        ),
    ],
)
def test_a_rule_of_the_wrong_form_is_refused(world: World, rule: object, where: str) -> None:
    world.foreign_rules("theirs")

    answer = world.raw().post(f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules", json=rule)

    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, where)
    assert world.refs() == ["theirs"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"status_code": 200}, "/status_code"),
        ({"status_code": 500}, "/status_code"),
        ({"status_code": "403"}, "/status_code"),
        ({"content_type": "image/png"}, "/content_type"),
        ({"content": None}, "/content"),
        ({"content": "x" * 2049}, "/content"),
        ({"extra": 1}, "/extra"),
    ],
)
def test_a_response_that_is_not_allowed_is_refused(world: World, change: dict[str, object], where: str) -> None:
    world.foreign_rules("theirs")
    rule = {"action": "block", "expression": HOST, "action_parameters": {"response": {**RESPONSE, **change}}}

    answer = world.raw().post(f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules", json=rule)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"]["pointer"] == f"/action_parameters/response{where}"


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "(ssl",
        "http.host",
        "no.such.field eq 1",
        'http.host in {"a", "b"}',
        'cf.tls_client_auth.cert_verified eq "yes"',
        "lower(ssl)",
    ],
)
def test_an_expression_that_cannot_be_parsed_is_refused(world: World, expression: str) -> None:
    world.foreign_rules("theirs")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=expression)

    assert (code(refused.value), pointer(refused.value)) == (20127, "/expression")


def test_an_expression_of_4096_characters_is_accepted(world: World) -> None:
    world.foreign_rules("theirs")

    world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=padded(4096))

    assert len(world.ruleset.rules[1].expression) == 4096


def test_an_expression_of_4097_characters_is_refused(world: World) -> None:
    world.foreign_rules("theirs")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=padded(4097))

    assert code(refused.value) == 20128


def test_a_bad_expression_is_refused_in_an_edit_too(world: World) -> None:
    (rule,) = world.foreign_rules("theirs")

    with pytest.raises(cloudflare.BadRequestError):
        world.client.rulesets.rules.edit(
            rule.id, ruleset_id=world.ruleset.id, zone_id=ZONE, action="block", expression="(ssl"
        )

    assert world.ruleset.rules == (rule,)


def test_a_ref_that_another_rule_has_is_refused(world: World) -> None:
    world.foreign_rules("theirs")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.rulesets.rules.create(
            world.ruleset.id, zone_id=ZONE, action="block", expression=HOST, ref="theirs"
        )

    assert code(refused.value) == 20116


@pytest.mark.parametrize(("plan", "limit"), [("free", 5), ("pro", 20), ("business", 100), ("enterprise", 1000)])
def test_a_zone_takes_as_many_rules_as_its_plan_allows(world: World, plan: str, limit: int) -> None:
    world.simulation.add_zone(ZONE, "example.com", ACCOUNT, plan=plan)
    world.foreign_rules(*map(str, range(limit - 1)))
    world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST, ref="last")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST)

    assert code(refused.value) == 20217
    assert len(world.ruleset.rules) == limit


def test_a_zone_with_too_many_rules_still_lets_them_be_edited_and_deleted() -> None:
    world = make_world(Settings(rules_by_plan={"enterprise": 1}))
    first, second = world.foreign_rules("first", "second")

    world.client.rulesets.rules.edit(
        first.id, ruleset_id=world.ruleset.id, zone_id=ZONE, action="block", expression="ssl", ref="first"
    )
    world.client.rulesets.rules.delete(second.id, ruleset_id=world.ruleset.id, zone_id=ZONE)

    assert [(rule.ref, rule.expression) for rule in world.ruleset.rules] == [("first", "ssl")]


def test_the_action_log_is_for_enterprise_plans(world: World) -> None:
    world.simulation.add_zone(ZONE, "example.com", ACCOUNT, plan="business")
    world.foreign_rules("theirs")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="log", expression=HOST)

    assert code(refused.value) == 20121
