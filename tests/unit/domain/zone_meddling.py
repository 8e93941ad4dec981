"""Somebody who changes at Cloudflare what is ours: lists, rules, their order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mtls_operator.domain.marks import Claim, Enforcement, Mark
from mtls_operator.domain.observed import Rule, RuleBody, Ruleset
from tests.unit.domain.virtual_time import Body

if TYPE_CHECKING:
    from tests.unit.domain.zone_world import World

EXCUSED_SECONDS = 2_000.0
"""Longer than a look takes to come, to be carried out against failing calls, and to settle."""


def meddle(world: World) -> Body:
    """A few times: take a hostname of ours off a list, or spoil a rule of ours."""
    for _ in range(world.rng.randint(1, 4)):
        yield world.rng.uniform(0, 1_500)
        if world.is_quiet:
            return
        world.watch.excuse(EXCUSED_SECONDS)
        dice = world.rng.random()
        if dice < 0.4:
            _take_off(world)
        elif dice < 0.5:
            _replace_all(world)
        else:
            _spoil(world)


def _take_off(world: World) -> None:
    certificate = world.rng.choice(world.certificates)
    ours = sorted(world.zone.lists[certificate].now & {name for _, name in world.ever_wanted})
    if ours:
        world.zone.put_list(certificate, world.zone.lists[certificate].now - {world.rng.choice(ours)})


def _replace_all(world: World) -> None:
    """Somebody puts a ruleset of their own in the place of the whole one."""
    if world.zone.ruleset.now is not None:
        world.zone.set_rules(tuple(rule for rule, mark in world.watch.marks() if mark is None))


def _spoil(world: World) -> None:
    ruleset = world.zone.ruleset.now
    owners = {operator.cluster.installation for operator in world.operators}
    ours = [
        (rule, mark)
        for rule, mark in world.watch.marks()
        if isinstance(mark, Claim | Enforcement) and mark.installation in owners
    ]
    if ruleset is not None and ours:
        rule, mark = world.rng.choice(ours)
        world.zone.set_rules(_spoilt(world, ruleset, rule, mark))


def _spoilt(world: World, ruleset: Ruleset, rule: Rule, mark: Mark) -> tuple[Rule, ...]:
    others = tuple(each for each in ruleset.rules if each.id != rule.id)
    way = world.rng.choice(["delete", "move", "enable", "act", "rewrite"])
    if way == "delete":
        return others
    if way == "move":
        return (*others, rule) if isinstance(mark, Enforcement) else others
    spoilt = replace(rule, body=_changed(way, rule.body))
    return tuple(spoilt if each.id == rule.id else each for each in ruleset.rules)


def _changed(way: str, body: RuleBody) -> RuleBody:
    if way == "enable":
        return replace(body, enabled=not body.enabled)
    if way == "act":
        return replace(body, action="log" if body.action == "block" else "block", response=None)
    return replace(body, expression=f'{body.expression} or http.host eq "tested.example.com"')
