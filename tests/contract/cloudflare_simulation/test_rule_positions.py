"""Where a rule goes."""

from __future__ import annotations

import pytest

from testbed.cloudflare.state import Rule
from tests.contract.cloudflare_simulation.world import HOST, ZONE, World

UNKNOWN = "0" * 32


@pytest.fixture
def rules(world: World) -> tuple[Rule, ...]:
    """Three rules that are there already: one, two, three."""
    return world.foreign_rules("one", "two", "three")


@pytest.mark.parametrize(
    ("position", "order"),
    [
        ({"index": 1}, ["new", "one", "two", "three"]),
        ({"index": 2}, ["one", "new", "two", "three"]),
        ({"index": 4}, ["one", "two", "three", "new"]),
        ({"before": ""}, ["new", "one", "two", "three"]),
        ({"after": ""}, ["one", "two", "three", "new"]),
    ],
)
def test_a_new_rule_goes_where_its_position_says(
    world: World, rules: tuple[Rule, ...], position: object, order: list[str]
) -> None:
    _create(world, position)

    assert world.refs() == order


def test_a_new_rule_goes_before_another(world: World, rules: tuple[Rule, ...]) -> None:
    _create(world, {"before": rules[1].id})

    assert world.refs() == ["one", "new", "two", "three"]


def test_a_new_rule_goes_after_another(world: World, rules: tuple[Rule, ...]) -> None:
    _create(world, {"after": rules[1].id})

    assert world.refs() == ["one", "two", "new", "three"]


@pytest.mark.parametrize(
    ("position", "order"),
    [({"index": 3}, ["two", "three", "one"]), ({"index": 2}, ["two", "one", "three"])],
)
def test_an_edit_counts_the_index_without_the_rule_itself(
    world: World, rules: tuple[Rule, ...], position: object, order: list[str]
) -> None:
    body = {"action": "block", "expression": HOST, "ref": "one", "position": position}

    world.raw().patch(f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules/{rules[0].id}", json=body)

    assert world.refs() == order


@pytest.mark.parametrize(
    "position",
    [
        {},
        None,
        [],
        {"index": 0},
        {"index": 5},
        {"index": "1"},
        {"index": True},
        {"before": UNKNOWN},
        {"after": UNKNOWN},
        {"before": "", "after": ""},
        {"first": True},
    ],
)
def test_a_position_that_does_not_exist_is_refused(world: World, rules: tuple[Rule, ...], position: object) -> None:
    status = _create(world, position)

    assert (status, world.refs()) == (400, ["one", "two", "three"])


def _create(world: World, position: object) -> int:
    body = {"action": "block", "expression": HOST, "ref": "new", "position": position}
    return world.raw().post(f"/zones/{ZONE}/rulesets/{world.ruleset.id}/rules", json=body).status_code
