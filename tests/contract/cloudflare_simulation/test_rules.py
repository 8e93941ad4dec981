"""The custom rules of a zone, one by one."""

from __future__ import annotations

import cloudflare
import pytest

from testbed.cloudflare.settings import Settings
from tests.contract.cloudflare_simulation.world import HOST, OTHER_ZONE, PHASE, ZONE, World, code, make_world

UNKNOWN = "0" * 32


def test_a_zone_has_no_entry_point_until_one_is_created(world: World) -> None:
    with pytest.raises(cloudflare.NotFoundError) as refused:
        world.client.rulesets.phases.get(PHASE, zone_id=ZONE)

    assert code(refused.value) == 10003


def test_a_created_ruleset_is_the_entry_point(world: World) -> None:
    rule = {"action": "block", "expression": HOST, "ref": "mine", "description": "why"}
    world.client.rulesets.create(zone_id=ZONE, kind="zone", name="default", phase=PHASE, extra_body={"rules": [rule]})

    seen = world.client.rulesets.phases.get(PHASE, zone_id=ZONE)

    assert (seen.kind, seen.phase, seen.version, seen.name) == ("zone", PHASE, "1", "default")
    assert [(item.ref, item.action, item.enabled, item.version) for item in seen.rules] == [
        ("mine", "block", True, "1")
    ]


def test_a_second_ruleset_for_the_phase_is_refused(world: World) -> None:
    world.foreign_rules("theirs")

    with pytest.raises(cloudflare.BadRequestError) as refused:
        world.client.rulesets.create(zone_id=ZONE, kind="zone", name="again", phase=PHASE, rules=[])

    assert code(refused.value) == 20003
    assert world.refs() == ["theirs"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "kind": "zone", "phase": "http_ratelimit", "rules": []},
        {"name": "x", "kind": "root", "phase": PHASE, "rules": []},
        {"kind": "zone", "phase": PHASE, "rules": []},
        {"name": "x", "kind": "zone", "phase": PHASE, "rules": [], "surprise": 1},
        {"name": "x", "kind": "zone", "phase": PHASE, "rules": {}},
        {"name": "x", "kind": "zone", "phase": PHASE, "rules": [{"action": "block"}]},
    ],
)
def test_a_ruleset_of_the_wrong_form_is_refused(world: World, body: object) -> None:
    answer = world.raw().post(f"/zones/{ZONE}/rulesets", json=body)

    assert answer.status_code == 400
    assert world.simulation.state.rulesets == {}


def test_a_ruleset_is_read_by_its_id(world: World) -> None:
    world.foreign_rules("theirs")

    seen = world.client.rulesets.get(world.ruleset.id, zone_id=ZONE)

    assert [rule.ref for rule in seen.rules] == ["theirs"]


def test_a_ruleset_of_another_zone_is_not_found(world: World) -> None:
    world.foreign_rules("theirs")

    with pytest.raises(cloudflare.NotFoundError) as refused:
        world.client.rulesets.get(world.ruleset.id, zone_id=OTHER_ZONE)

    assert code(refused.value) == 10001


def test_a_ruleset_without_rules_is_answered_without_the_field(world: World) -> None:
    world.client.rulesets.create(zone_id=ZONE, kind="zone", name="default", phase=PHASE, rules=[])

    answer = world.raw().get(f"/zones/{ZONE}/rulesets/phases/{PHASE}/entrypoint")

    assert "rules" not in answer.json()["result"]


def test_a_ruleset_without_rules_can_be_answered_with_an_empty_list() -> None:
    world = make_world(Settings(omit_empty_rules=False))
    world.client.rulesets.create(zone_id=ZONE, kind="zone", name="default", phase=PHASE, rules=[])

    assert world.client.rulesets.phases.get(PHASE, zone_id=ZONE).rules == []


def test_creating_a_rule_answers_the_whole_ruleset_in_its_next_version(world: World) -> None:
    world.foreign_rules("theirs")

    answer = world.raw().post(
        f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules", json={"action": "block", "expression": HOST, "ref": "ours"}
    )

    result = answer.json()["result"]
    assert result["version"] == "2"
    assert [rule["ref"] for rule in result["rules"]] == ["theirs", "ours"]


def test_the_ref_of_a_rule_is_its_id_when_left_out(world: World) -> None:
    world.foreign_rules("theirs")

    world.client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST)

    created = world.ruleset.rules[1]
    assert created.ref == created.id


def test_a_block_keeps_its_response(world: World) -> None:
    world.foreign_rules("theirs")
    parameters = {"response": {"status_code": 403, "content_type": "text/plain", "content": "no"}}

    world.raw().post(
        f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules",
        json={"action": "block", "expression": HOST, "action_parameters": parameters},
    )

    assert world.ruleset.rules[1].action_parameters == parameters


def test_editing_a_rule_makes_a_new_version_of_it_and_of_the_ruleset(world: World) -> None:
    (rule,) = world.foreign_rules("theirs")
    world.clock.advance(5)

    world.client.rulesets.rules.edit(
        rule.id, ruleset_id=world.ruleset.id, zone_id=ZONE, action="log", expression="ssl", ref="theirs", enabled=False
    )

    changed = world.ruleset.rules[0]
    assert (world.ruleset.version, changed.version, changed.id) == (2, 2, rule.id)
    assert (changed.action, changed.expression, changed.enabled) == ("log", "ssl", False)
    assert changed.last_updated == world.ruleset.last_updated == world.clock()


def test_fields_left_out_of_an_edit_are_lost(world: World) -> None:
    rule = world.simulation.add_foreign_rule(
        ZONE, expression=HOST, ref="theirs", description="important", enabled=False
    )

    world.client.rulesets.rules.edit(
        rule.id, ruleset_id=world.ruleset.id, zone_id=ZONE, action="block", expression=HOST
    )

    changed = world.ruleset.rules[0]
    assert (changed.ref, changed.description, changed.enabled) == (rule.id, "", True)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"enabled": False},
        {"action": "block"},
        {"expression": HOST},
        {"action": "block", "expression": HOST, "id": UNKNOWN},
    ],
)
def test_an_edit_without_a_whole_definition_or_of_another_rule_is_refused(world: World, body: object) -> None:
    (rule,) = world.foreign_rules("theirs")

    answer = world.raw().patch(f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules/{rule.id}", json=body)

    assert answer.status_code == 400
    assert world.ruleset.rules == (rule,)


def test_an_edit_with_only_a_position_moves_the_rule_unchanged(world: World) -> None:
    first, _ = world.foreign_rules("first", "second")

    answer = world.raw().patch(
        f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules/{first.id}", json={"position": {"after": ""}}
    )

    assert answer.status_code == 200
    assert world.refs() == ["second", "first"]
    assert world.ruleset.rules[1] == first


def test_a_deleted_rule_is_gone_and_the_others_stay(world: World) -> None:
    first, _ = world.foreign_rules("first", "second")

    world.client.rulesets.rules.delete(first.id, ruleset_id=world.ruleset.id, zone_id=ZONE)

    assert (world.refs(), world.ruleset.version) == (["second"], 3)


def test_the_answer_to_a_deletion_is_the_whole_ruleset(world: World) -> None:
    first, _ = world.foreign_rules("first", "second")

    answer = world.raw().delete(f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules/{first.id}")

    assert [rule["ref"] for rule in answer.json()["result"]["rules"]] == ["second"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_unknown_rule_is_not_found(world: World, method: str) -> None:
    world.foreign_rules("theirs")

    answer = world.raw().request(method, f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules/{UNKNOWN}", json={})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 10002)


def test_an_unknown_ruleset_takes_no_rules(world: World) -> None:
    with pytest.raises(cloudflare.NotFoundError):
        world.client.rulesets.rules.create(UNKNOWN, zone_id=ZONE, action="block", expression=HOST)


def test_replacing_the_entry_point_replaces_the_rules_of_everybody(world: World) -> None:
    first, _ = world.foreign_rules("first", "second")
    kept = {"id": first.id, "ref": "first", "action": "log", "expression": HOST}
    new = {"ref": "third", "action": "block", "expression": HOST}

    world.client.rulesets.phases.update(PHASE, zone_id=ZONE, rules=[], extra_body={"rules": [kept, new]})

    assert world.refs() == ["first", "third"]
    assert (world.ruleset.version, world.ruleset.rules[0].version) == (3, 2)


def test_replacing_an_entry_point_that_is_not_there_creates_it(world: World) -> None:
    world.client.rulesets.phases.update(PHASE, zone_id=ZONE, rules=[])

    assert (world.ruleset.version, world.ruleset.rules) == (1, ())
