"""Who is good and who is bad while certificates are exchanged follows from statuses, and from nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from testbed.chaos.authorities import fingerprint_of, pem_of
from testbed.chaos.ending import converge
from testbed.chaos.visitors import Visitors
from testbed.chaos.world import ACCOUNT, CA, Body, World
from testbed.cluster.objects import ObjectKey
from tests.contract.chaos.ready_binding import (
    API,
    accept,
    associate,
    moving,
    overlapping,
    rotate,
    set_up,
    widened,
)
from tests.virtual_time import in_virtual_time


@pytest.mark.parametrize("strategy", ["Bundle", "SideBySide"])
@pytest.mark.parametrize("version", [0, 1], ids=["of the previous CA", "of the new CA"])
@in_virtual_time
async def test_in_an_overlap_clients_of_both_cas_are_good(version: int, strategy: str) -> None:
    world = await set_up()
    users = world.sites[0].cluster.users
    users.edit(CA, "shop", "red", lambda body: body["spec"]["rotation"].update(strategy=strategy))
    visitors = Visitors(world)
    await rotate(world, so_far=overlapping)
    assert visitors.found == []

    accept(world, 1 - version)

    subject = ("Red", "Red Two")[version]
    assert [f"was closed to a client of '{subject}'" in each for each in visitors.found] == [True]


@pytest.mark.parametrize(("so_far", "good"), [(moving, False), (widened, True)], ids=["on its way", "Ready"])
@in_virtual_time
async def test_clients_of_the_new_ca_are_good_as_soon_as_the_binding_is_ready_with_it(
    so_far: Callable[[Body, Body], bool], *, good: bool
) -> None:
    world = await set_up()
    visitors = Visitors(world)
    await rotate(world, so_far=so_far)
    assert visitors.found == []

    accept(world, 0)

    assert ["was closed to a client of 'Red Two'" in each for each in visitors.finish()] == [True] * good


@in_virtual_time
async def test_clients_of_a_ca_that_is_aimed_at_may_get_in_before_that_is_said() -> None:
    world = await set_up()
    visitors = Visitors(world)
    rotation = {"phase": "Widening", "target": [fingerprint_of("Red Two")]}
    world.sites[0].cluster.store.update_status(
        ObjectKey(CA, "shop", "red"), lambda body: {**body, "status": {**body["status"], "rotation": rotation}}
    )

    associate(world, world.cloudflare.add_certificate(ACCOUNT, pem_of("red", 1), settled=False), API)
    accept(world, 0, 1)

    assert visitors.finish() == []


@in_virtual_time
async def test_when_the_overlap_is_over_clients_of_the_previous_ca_are_promised_nothing() -> None:
    world = await set_up()
    await rotate(world, so_far=overlapping)
    visitors = Visitors(world)
    await asyncio.sleep(world.setting.overlap + 1.0)

    accept(world, 1)

    assert visitors.finish() == []


@in_virtual_time
async def test_when_a_rotation_has_ended_clients_of_the_previous_ca_are_bad() -> None:
    world = await set_up()
    await rotate(world, so_far=None)
    visitors = Visitors(world)
    assert await converge(world) == []
    world.kill_operator(world.sites[0])
    associate(world, _upload_by_hand(world), API)
    assert visitors.found == []

    accept(world, 0, 1)

    assert ["was open to a client of 'Red'" in each for each in visitors.found] == [True]


def _upload_by_hand(world: World) -> str:
    return world.cloudflare.add_certificate(ACCOUNT, pem_of("red", 0), name="theirs", settled=False)
