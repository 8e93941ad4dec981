"""Somebody keeps undoing our rules: the binding says so, and the rules are put right each time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from testbed.cloudflare.state import Rule
from tests.contract.cluster.engine_world import ZONE, World
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
Change = Callable[[tuple[Rule, ...]], tuple[Rule, ...]]


def disabled(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(replace(each, enabled=False) for each in rules)


def deleted(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(each for each in rules if each.action != "block")


def undo(world: World, change: Change, number: int) -> None:
    """Somebody changes the rules of the zone, and somebody asks for a look."""
    present = world.cloudflare.state.rulesets[ZONE]
    changed = replace(present, rules=change(present.rules), version=present.version + 1)
    world.cloudflare.install(lambda state: state.with_ruleset(ZONE, changed), settled=True)
    world.cluster.users.annotate(BINDING, "shop", "api", {"apishield-mtls.io/reconcile-requested-at": str(number)})


@pytest.mark.parametrize("change", [disabled, deleted])
@in_virtual_time
async def test_who_keeps_undoing_our_rules_is_a_conflict_that_is_counted_and_told_until_they_stay(
    change: Change,
) -> None:
    world = World.begin()
    said = []
    async with world.running() as operator:
        world.apply_both()
        await until(world.all_ready)
        await asyncio.sleep(HOUR)
        for number in range(4):
            undo(world, change, number)
            await asyncio.sleep(240.0)
            said.append(world.condition(BINDING, "api"))
        words, rules = world.message(BINDING, "api"), world.rules()
        repaired = operator.metrics.registry.get_sample_value("cfmtls_repairs_total", {"kind": "rule"})
        await asyncio.sleep(HOUR)

    assert said == [("True", "Reconciled")] * 2 + [("False", "ManagementConflict")] * 2
    assert "keeps changing or removing our rules for api.example.com" in words
    assert "block" in rules
    assert repaired is not None
    assert repaired >= 4.0
    assert world.all_ready()
