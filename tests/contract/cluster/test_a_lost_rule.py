"""Somebody takes our rule away, and it cannot be put back: nothing says that the hostname is covered."""

from __future__ import annotations

from dataclasses import replace

from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.faults import AnswerStatus, Fault, Match
from tests.contract.cluster.engine_world import CONFIGURATION, ZONE, World
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until


def take_the_rule_away(world: World) -> None:
    ruleset = world.cloudflare.state.rulesets[ZONE]
    left = replace(ruleset, rules=tuple(rule for rule in ruleset.rules if rule.action != "block"))
    world.cloudflare.install(lambda state: state.with_ruleset(ZONE, left), settled=True)


@in_virtual_time
async def test_as_long_as_a_rule_that_somebody_removed_is_not_back_the_binding_says_so() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        world.cloudflare.faults.add(Fault(AnswerStatus(503), Match("POST"), times=None))
        take_the_rule_away(world)

        await until(lambda: world.condition(BINDING, "api", "Enforced") == ("False", "RuleAltered"))
        ready = world.condition(BINDING, "api")
        world.cloudflare.faults.clear()
        await until(world.all_ready)

    assert ready[0] == "False"
    assert world.condition(BINDING, "api", "Enforced") == ("True", "Enforced")
