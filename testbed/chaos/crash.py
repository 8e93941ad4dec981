"""A death at every boundary: each scenario, killed before and after each single request to either side.

A scenario is played once alive, which tells its requests. Then it is played again for each of them and both moments:
the process dies there, another one starts a second later, and everything has to become as it should be, safely. The
same seed gives the same requests up to the death, so that each boundary is really met; one that is not is not covered.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from testbed.chaos import acts, dashboard, secret_acts
from testbed.chaos.act import Act
from testbed.chaos.acts import ApplyAuthority, ApplyBinding
from testbed.chaos.clients import REVOCABLE
from testbed.chaos.expectation import complaints
from testbed.chaos.loop import LivelockError, run
from testbed.chaos.play import defects_of_the_operator
from testbed.chaos.visitors import Visitors
from testbed.chaos.world import BINDING, CA, WINDOW, Setting, World
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.faults import Moment
from testbed.cluster.virtual_time import DeadlockError

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 2 * 3600.0
_DOWN_SECONDS = 1.0
_QUIET_SECONDS = 2 * WINDOW
"""So long visitors go on asking after all is well: no data centre is later, and what was done is read back."""

Each = Callable[[Callable[[int | None], "Result"], Iterable[int]], Iterable["Result"]]
"""How the runs are spread: `map`, or that of a pool."""
Boundary = tuple[int, str, Moment]
"""The how manieth request it is, what it asks for, and the moment."""

_EDGE: Final = EdgeSettings(lists_delay=85.0, rules_delay=60.0)
"""Of its data centres those are asked that are as late as this, and one that knows everything at once."""
_BINDING: Final = ApplyBinding(
    at=0,
    namespace="shop",
    name="one",
    bundle="red",
    authority_namespace="shop",
    zone="example.com",
    hostnames=("api.example.com", "www.example.com"),
)
_SET_UP: Final = (ApplyAuthority(at=0, namespace="shop", bundle="red"), _BINDING)
_DROP_BINDING = acts.DeleteBinding(at=0, namespace="shop", name="one")
_DROP_AUTHORITY = acts.DeleteAuthority(at=0, namespace="shop", bundle="red")
_MOVE: Final = (
    ApplyAuthority(at=0, namespace="shop", bundle="blue"),
    replace(_BINDING, bundle="blue"),
)
_RETAIN: Final = tuple(
    acts.SetPolicy(at=0, kind=kind, namespace="shop", name=name, policy="deletionPolicy", value="Retain")
    for kind, name in ((BINDING, "one"), (CA, "red"))
)
_STOLEN, _LEFT = REVOCABLE["Red"]
_LISTED: Final = (
    secret_acts.Revoke(at=0, namespace="shop", bundle="red", clients=(_STOLEN,)),
    ApplyAuthority(at=0, namespace="shop", bundle="red", revokes=True),
)
"""One client is revoked from the beginning: whatever else changes, it has to be kept out of what is blocked."""
_SET_UP_LISTED: Final = (*_LISTED, _BINDING)
_LOGGED: Final = replace(_BINDING, action="Log")
_UNPINNED: Final = replace(_BINDING, pinned=False)
_BRANCHED: Final = replace(_BINDING, branches=("Red",))
_REVOKE_ANOTHER: Final = secret_acts.Revoke(at=0, namespace="shop", bundle="red", clients=(_STOLEN, _LEFT))
_ROTATE: Final = secret_acts.ChangeSource(at=0, namespace="shop", bundle="red", version=1)


@dataclass(frozen=True)
class Scenario:
    """`before` is done first, and settles after each part; during what follows from `acts` the operator dies."""

    name: str
    before: Sequence[Sequence[Act]]
    acts: Sequence[Act]


SCENARIOS: Final = (
    Scenario("set-up", (), _SET_UP),
    Scenario(
        "hostname change",
        [_SET_UP],
        [
            acts.EditHostnames(
                at=0,
                namespace="shop",
                name="one",
                bundle="red",
                zone="example.com",
                hostnames=("m.example.com", "www.example.com"),
            )
        ],
    ),
    Scenario("deletion, binding first", [_SET_UP], [_DROP_BINDING, _DROP_AUTHORITY]),
    Scenario("deletion, CA first", [_SET_UP], [_DROP_AUTHORITY, _DROP_BINDING]),
    Scenario(
        "adoption",
        [
            [
                dashboard.DashboardUpload(at=0, bundle="red"),
                dashboard.DashboardHostname(at=0, zone="example.com", bundle="red", hostname="api.example.com"),
                dashboard.DashboardHostname(at=0, zone="example.com", bundle="red", hostname="old.example.com"),
                dashboard.DashboardRule(at=0, zone="example.com", first=True),
            ]
        ],
        _SET_UP,
    ),
    Scenario("namespace deletion", [_SET_UP], [acts.DeleteNamespace(at=0, namespace="shop")]),
    Scenario("move to another CA", [_SET_UP], _MOVE),
    Scenario("deletion, retained", [_SET_UP, _RETAIN], [_DROP_BINDING, _DROP_AUTHORITY]),
    Scenario("adoption of what was retained", [_SET_UP, _RETAIN, [_DROP_BINDING, _DROP_AUTHORITY]], _SET_UP),
    Scenario("rotation", [_SET_UP], [_ROTATE]),
    Scenario("action, Block to Log", [_SET_UP_LISTED], [_LOGGED]),
    Scenario("action, Log to Block", [_SET_UP_LISTED, [_LOGGED]], [_BINDING]),
    Scenario("issuers pinned no more", [_SET_UP_LISTED], [_UNPINNED]),
    Scenario("issuers pinned again", [_SET_UP_LISTED, [_UNPINNED]], [_BINDING]),
    Scenario("an issuer more", [_SET_UP_LISTED], [_BRANCHED]),
    Scenario("an issuer less", [_SET_UP_LISTED, [_BRANCHED]], [_BINDING]),
    Scenario("one more revoked", [_SET_UP_LISTED], [_REVOKE_ANOTHER]),
    Scenario("one revoked no more", [_SET_UP_LISTED, [_REVOKE_ANOTHER]], [_LISTED[0]]),
    Scenario("another response", [_SET_UP_LISTED], [replace(_BINDING, status_code=418)]),
)


@dataclass
class Result:
    """What came of one run. `met`: the boundaries that it came to, up to its death."""

    met: list[Boundary] = field(default_factory=list)
    died: bool = False
    wrong: list[str] = field(default_factory=list)


def main(chosen: Sequence[Scenario] = SCENARIOS, say: Callable[[str], object] = print, jobs: int = 1) -> int:
    """Play every scenario at every boundary, so many at a time; 1 if any failed or was not met."""
    if jobs == 1:
        return _play_all(chosen, say, map)
    with multiprocessing.Pool(jobs) as pool:
        return _play_all(chosen, say, pool.imap)


def _play_all(chosen: Sequence[Scenario], say: Callable[[str], object], each: Each) -> int:
    boundaries = covered = failed = 0
    say(f"{'scenario':<30}{'requests':>9}{'boundaries':>12}{'covered':>9}{'failed':>8}")
    for scenario in chosen:
        alive = play(scenario, None)
        if alive.wrong:
            say(f"{scenario.name}: fails without any death: {alive.wrong}")
            failed += 1
        results = [*zip(alive.met, each(partial(play, scenario), range(len(alive.met))), strict=True)]
        met = [result for boundary, result in results if result.died and result.met[-1] == boundary]
        wrong = [(boundary, result) for boundary, result in results if result.wrong]
        say(f"{scenario.name:<30}{len(results) // 2:>9}{len(results):>12}{len(met):>9}{len(wrong):>8}")
        for (number, what, moment), result in wrong:
            say(f"  died {moment.value} request {number}, {what}: {'; '.join(result.wrong[:3])}")
        boundaries, covered, failed = boundaries + len(results), covered + len(met), failed + len(wrong)
    say(json.dumps({"boundaries": boundaries, "covered": covered, "failed": failed}))
    return 0 if covered == boundaries and not failed else 1


def play(scenario: Scenario, death: int | None) -> Result:
    """Play a scenario; the process dies at the boundary of this index, None: it lives."""
    result = Result()
    with defects_of_the_operator() as defects:
        try:
            run(_play(scenario, death, result))
        except (LivelockError, DeadlockError) as stuck:
            result.wrong.append(str(stuck))
        result.wrong += defects
    return result


async def _play(scenario: Scenario, death: int | None, result: Result) -> None:
    world = World.begin(Setting(seed=1, staleness=WINDOW, latency=0.05, edge=_EDGE))
    visitors = Visitors(world)
    site = world.sites[0]
    world.run_operator(site)
    for phase in scenario.before:
        for act in phase:
            act.perform(world)
        result.wrong += [f"before: {each}" for each in await _settled(world)]
    _set_trap(world, death, result)
    for act in scenario.acts:
        act.perform(world)
    result.wrong += await _settled(world)
    if site.process is not None:
        await site.process.kill()
    result.wrong += map(str, world.cloudflare.monitor.finish())
    result.wrong += visitors.finish()


def _set_trap(world: World, death: int | None, result: Result) -> None:
    site, first = world.sites[0], world.sites[0].process

    def note(what: str, moment: Moment) -> None:
        if result.died:
            return
        number = sum(1 for _, _, earlier in result.met if earlier is moment)
        result.met.append((number, what, moment))
        if len(result.met) - 1 == death:
            result.died = True
            world.kill_operator(site, _DOWN_SECONDS)

    if first is not None:
        first.boundaries.append(note)


async def _settled(world: World) -> list[str]:
    """Wait until all is as it should be, and some time more; what is wrong then, or after all patience."""
    deadline = world.clock.now() + _PATIENCE_SECONDS
    while world.clock.now() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        if world.sites[0].process is not None and next(complaints(world), None) is None:
            await asyncio.sleep(_QUIET_SECONDS)
            break
    return list(complaints(world))
