"""An installation that goes on where another one ended: under another ownerId, in a cluster built anew, or both.

What the earlier one has left at Cloudflare stays in force all the while, nothing is uploaded twice, and what is deleted
at last goes whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import pytest
import yaml

from mtls_operator.configuration import Configuration
from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.monitor.truth import covered
from testbed.cloudflare.state import Certificate
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, HOST, TOKEN, WINDOW, ZONE, World, authority_pem
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

HOUR: Final = 3600.0
EARLIER: Final = "cluster-a"
LATER: Final = "cluster-b"
"""The ownerId of an installation that succeeds under another one."""
Resources = Callable[[World, World], object]
"""How a cluster that was built anew gets the resources of the one that is gone."""


@dataclass
class Watch:
    """What of HOST was missing at Cloudflare after any request."""

    world: World
    gaps: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.world.cloudflare.on_entry.append(lambda entry: self._look(f"{entry.method} {entry.path}"))

    def _look(self, after: str) -> None:
        state = self.world.cloudflare.state
        if [*state.lists.values()] != [{HOST}]:
            self.gaps.append(f"off its list after {after}")
        if not any(HOST in names for names in covered(state, ZONE).values()):
            self.gaps.append(f"open after {after}")


@dataclass(frozen=True)
class Succession:
    """The cluster in which the earlier installation was, the one in which the later one is, and who that is."""

    before: World
    after: World
    owner: str

    def configuration(self, *, takes_over: bool) -> Configuration:
        gone = [{"ownerId": EARLIER, "clusterUID": uid(self.before)}] if takes_over else []
        document = CONFIGURATION.model_dump(by_alias=True, mode="json", exclude_unset=True)
        return Configuration.model_validate({**document, "ownerId": self.owner, "takeover": gone}, strict=False)

    @property
    def is_signed(self) -> bool:
        """Whether the later installation, and nobody else, has signed the rules."""
        return signatures(self.after) == {(self.owner, uid(self.after))}

    @property
    def is_done(self) -> bool:
        return self.is_signed and self.after.all_ready()

    @asynccontextmanager
    async def running(self, *, takes_over: bool = True) -> AsyncIterator[World]:
        """The later installation, until the block ends."""
        world = self.after
        configuration = self.configuration(takes_over=takes_over)
        async with running_operator(configuration, world.cluster, world.cloudflare, world.clock):
            yield world


def uid(world: World) -> str:
    """Of the cluster."""
    namespace = world.cluster.users.read("Namespace", "", "kube-system") or {}
    return str(namespace["metadata"]["uid"])


def signatures(world: World) -> set[tuple[str, str]]:
    """Who has signed the rules of the zone."""
    words = [rule.description.split(" ") for rule in world.cloudflare.state.rulesets[ZONE].rules]
    return {(each[2].removeprefix("owner="), each[3].removeprefix("cluster=")) for each in words}


def certificates_of(world: World) -> Mapping[str, Certificate]:
    """Of the account, by id."""
    return world.cloudflare.state.certificates[ACCOUNT]


def unsigned_rules(world: World) -> list[tuple[Any, ...]]:
    """All of the rules of the zone but who has signed them."""
    rules = world.cloudflare.state.rulesets[ZONE].rules
    return [
        (each.id, each.ref, each.expression, each.action, each.enabled, each.description.split(" ")[4:])
        for each in rules
    ]


def writes(world: World, begun: int) -> list[str]:
    """What was asked of Cloudflare since its log had so many entries, but for what only reads."""
    return [f"{each.method} {each.path}" for each in world.cloudflare.log[begun:] if each.method != "GET"]


def applied(_: World, later: World) -> None:
    """From Git: statuses are lost."""
    later.apply_both()


def restored(earlier: World, later: World) -> None:
    """From a backup: with finalizers and statuses."""
    later.apply_both()
    for kind in (CA, BINDING):
        for body in earlier.cluster.users.list_all(kind):
            metadata = body["metadata"]
            place = (kind, metadata["namespace"], metadata["name"])
            later.cluster.users.edit(*place, finalizers_of(metadata["finalizers"]))
            later.cluster.users.write_status(*place, body["status"])


def finalizers_of(finalizers: list[str]) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["metadata"].update(finalizers=finalizers)


async def left_by_an_earlier_one() -> World:
    """Everything in force, and its operator gone; LATER is told to succeed it."""
    world = World.begin(monitor=Monitor(window=WINDOW, takeovers={LATER: [EARLIER]}))
    async with world.running():
        world.apply_both()
        await until(world.all_ready)
    return world


async def under_another_name() -> Succession:
    world = await left_by_an_earlier_one()
    return succession(world, world, LATER)


async def rebuilt(resources: Resources, owner: str) -> Succession:
    earlier = await left_by_an_earlier_one()
    later = earlier.with_another_cluster()
    resources(earlier, later)
    return succession(earlier, later, owner)


def succession(before: World, after: World, owner: str) -> Succession:
    """The token is the later one's now."""
    after.cloudflare.add_token(TOKEN, owner=owner)
    return Succession(before, after, owner)


EVERY: Final[Mapping[str, Callable[[], Awaitable[Succession]]]] = {
    "another name": under_another_name,
    "another name, cluster rebuilt from Git": partial(rebuilt, applied, LATER),
    "another name, cluster restored": partial(rebuilt, restored, LATER),
    "cluster rebuilt from Git": partial(rebuilt, applied, EARLIER),
    "cluster restored": partial(rebuilt, restored, EARLIER),
}
every_succession = pytest.mark.parametrize("succeed", EVERY.values(), ids=EVERY.keys())
every_namesake = pytest.mark.parametrize("resources", [applied, restored])


@every_succession
@in_virtual_time
async def test_what_an_earlier_installation_left_becomes_the_later_ones_without_a_gap(
    succeed: Callable[[], Awaitable[Succession]],
) -> None:
    scene = await succeed()
    certificates, watch = certificates_of(scene.after), Watch(scene.after)
    watch.begin()
    async with scene.running() as world:
        await until(lambda: scene.is_done)
        await asyncio.sleep(HOUR)

    assert scene.is_done
    assert watch.gaps == []
    assert world.rules() == ["block", "log"]
    assert certificates_of(world) == certificates
    assert world.cloudflare.monitor.finish() == []


@every_succession
@in_virtual_time
async def test_what_was_taken_over_is_signed_in_place_and_otherwise_unchanged(
    succeed: Callable[[], Awaitable[Succession]],
) -> None:
    scene = await succeed()
    before = unsigned_rules(scene.after)
    async with scene.running() as world:
        await until(lambda: scene.is_done)

    assert unsigned_rules(world) == before


@every_succession
@in_virtual_time
async def test_what_was_taken_over_goes_whole_when_everything_is_deleted(
    succeed: Callable[[], Awaitable[Succession]],
) -> None:
    scene = await succeed()
    async with scene.running() as world:
        await until(lambda: scene.is_done)
        world.delete_both()
        await until(world.all_gone)

    assert world.rules() == []
    assert world.cloudflare.state.lists == {}
    assert certificates_of(world) == {}
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_who_waits_for_an_installation_that_is_gone_says_what_to_list() -> None:
    scene = await rebuilt(applied, LATER)
    async with scene.running(takes_over=False) as world:
        await until(world.all_ready)
        world.cluster.users.put_secret("shop", "partners", {"ca.crt": authority_pem("renewed")})
        await until(lambda: world.condition(BINDING, "api")[1] == "WaitingForOthers")
        await asyncio.sleep(HOUR)
        told, before = world.message(BINDING, "api"), world.condition(BINDING, "api")
    listed = yaml.safe_load(told[told.index("{") : told.rindex("}") + 1])
    async with scene.running() as world:
        await until(lambda: scene.is_signed and world.is_ready(BINDING, "api"))

    assert before == ("False", "WaitingForOthers")
    assert listed == {"ownerId": EARLIER, "clusterUID": uid(scene.before)}
    assert world.cloudflare.monitor.finish() == []


@every_namesake
@in_virtual_time
async def test_the_ownerid_of_another_cluster_is_a_conflict_and_nothing_is_written(resources: Resources) -> None:
    scene = await rebuilt(resources, EARLIER)
    begun = len(scene.after.cloudflare.log)
    async with scene.running(takes_over=False) as world:
        await until(lambda: world.condition(BINDING, "api")[1] == "ManagementConflict")
        await asyncio.sleep(HOUR)

    assert world.condition(BINDING, "api") == ("False", "ManagementConflict")
    assert uid(scene.before) in world.message(BINDING, "api")
    assert writes(world, begun) == []


@every_namesake
@in_virtual_time
async def test_a_conflict_over_an_ownerid_ends_when_the_other_cluster_is_said_to_be_gone(resources: Resources) -> None:
    scene = await rebuilt(resources, EARLIER)
    async with scene.running(takes_over=False) as world:
        await until(lambda: world.condition(BINDING, "api")[1] == "ManagementConflict")
    async with scene.running():
        await until(lambda: scene.is_done)

    assert world.rules() == ["block", "log"]
    assert world.cloudflare.monitor.finish() == []
