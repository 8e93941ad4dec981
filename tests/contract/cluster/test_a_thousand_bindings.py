"""What a thousand bindings over ten zones and two CAs cost at Cloudflare and at the API server. Calls are counted."""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mtls_operator.domain.resync import SHORTEST_SECONDS
from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.journal import LogEntry
from testbed.cluster.virtual_time import run
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, WINDOW, World
from tests.contract.cluster.world import BINDING
from tests.virtual_time import until

ZONES: Final = tuple(f"zone-{number}.example" for number in range(10))
AUTHORITIES: Final = ("blue", "green")
BINDINGS: Final = 1000
_BEGUN: Final = 1.5 * WINDOW
"""Seconds after which a new process has done what it does at its start, and has not begun the first resync yet."""
_ROUND: Final = SHORTEST_SECONDS
"""Seconds in which all that a token reaches is looked at once, where it is so little."""

OF_AN_ACCOUNT: Final = 1 + len(AUTHORITIES)
"""One listing, and an upload for each CA."""
OF_A_ZONE: Final = 3
"""Its look-up; the rules before the claims and after settling."""
OF_A_LIST: Final = 7
"""Claim, list, PUT, list until seen, list after settling, claim held, rule."""
MINIMUM: Final = OF_AN_ACCOUNT + len(ZONES) * (OF_A_ZONE + len(AUTHORITIES) * OF_A_LIST)


@dataclass
class Course:
    """What was asked of Cloudflare until all bindings were ready, what by the next process at its start and what in
    its first resync, and what that one wrote to the cluster."""

    world: World
    set_up: list[LogEntry] = field(default_factory=list)
    restart: list[LogEntry] = field(default_factory=list)
    resync: list[LogEntry] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


@functools.cache
def course() -> Course:
    return run(_course())


async def _course() -> Course:
    course = Course(_world())
    world = course.world
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        # While statuses are written accounts are looked at again and again, which costs this test most of its time.
        process.client.latency = (0.0, 0.001)
        _apply_all(world)
        await until(lambda: all(world.is_ready(BINDING, name_of(number)) for number in range(BINDINGS)))
    course.set_up, begun = list(world.cloudflare.log), len(world.cluster.log)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await asyncio.sleep(_BEGUN)
        course.restart = world.cloudflare.log[len(course.set_up) :]
        await asyncio.sleep(_ROUND)
    course.resync = world.cloudflare.log[len(course.set_up) + len(course.restart) :]
    course.written = world.written(begun)
    return course


def _world() -> World:
    world = World.begin()
    for number, name in enumerate(ZONES):
        world.cloudflare.add_zone(f"{number:032x}", name, ACCOUNT)
    return world


def _apply_all(world: World) -> None:
    """In the order in which one `kubectl apply` might send them: all CAs first, and neighbours in different zones."""
    for authority in AUTHORITIES:
        world.apply_authority(authority)
    for number in range(BINDINGS):
        zone = ZONES[number % len(ZONES)]
        authority = AUTHORITIES[number // len(ZONES) % len(AUTHORITIES)]
        world.apply_binding(name_of(number), f"h{number}.{zone}", authority=authority, zone=zone)


def name_of(number: int) -> str:
    return f"b{number:04}"


def writes(calls: Iterable[LogEntry]) -> list[str]:
    return [f"{each.method} {each.path}" for each in calls if each.method != "GET"]


def association_writes(calls: Iterable[LogEntry]) -> Counter[str]:
    """How often each list was written, by its zone and certificate."""
    puts = (each for each in calls if each.method == "PUT" and each.path.endswith("/hostname_associations"))
    return Counter(f"{each.path} {each.request_body.split('mtls_certificate_id')[1][:50]}" for each in puts)


def test_a_thousand_bindings_are_all_in_force() -> None:
    state = course().world.cloudflare.state

    assert len(state.lists) == len(ZONES) * len(AUTHORITIES)
    assert sum(map(len, state.lists.values())) == BINDINGS
    assert course().world.cloudflare.monitor.finish() == []


def test_each_list_is_written_once() -> None:
    assert set(association_writes(course().set_up).values()) == {1}


def test_the_calls_are_at_most_half_as_many_again_as_the_protocol_needs() -> None:
    assert MINIMUM <= len(course().set_up) <= 1.5 * MINIMUM


def test_a_new_process_writes_nothing_to_cloudflare_nor_to_the_cluster() -> None:
    assert writes(course().restart) == []
    assert writes(course().resync) == []
    assert course().written == []


def test_a_new_process_reads_the_rules_of_each_zone_and_nothing_else() -> None:
    read = Counter(each.path for each in course().restart)

    assert len(read) == len(ZONES)
    assert {path.rsplit("/", 1)[1] for path in read} == {"entrypoint"}
    assert max(read.values()) <= 2


def test_a_resync_reads_the_rules_of_each_zone_and_each_list_once() -> None:
    of_zones = [each for each in course().resync if "/zones/" in each.path]
    read = Counter((each.path, each.query) for each in of_zones)

    assert Counter(each.path.rsplit("/", 1)[1] for each in of_zones) == {
        "entrypoint": len(ZONES),
        "hostname_associations": len(ZONES) * len(AUTHORITIES),
    }
    assert set(read.values()) == {1}
