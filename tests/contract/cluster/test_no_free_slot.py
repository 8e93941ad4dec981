"""A CA that waits for a free slot in its account says the same at each look, and goes on as soon as there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.cluster.engine_world import ACCOUNT, World, authority_pem
from tests.contract.cluster.world import CA
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
LOOKS = 6
Scene = Callable[[World], Any]


def occupy(world: World, slots: int) -> None:
    """Somebody else's CAs."""
    for number in range(slots):
        world.cloudflare.add_certificate(ACCOUNT, authority_pem(f"other-{number}"), name=f"other-{number}")


async def no_slot_for_a_new_ca(world: World) -> None:
    occupy(world, 5)
    world.apply_both()


async def fewer_slots_than_the_operator_is_told(world: World) -> None:
    """What Cloudflare answers to the upload is the only sign of it."""
    world.cloudflare.add_account(ACCOUNT, ca_limit=3)
    occupy(world, 3)
    world.apply_both()


async def no_slot_for_a_rotation(world: World) -> None:
    occupy(world, 4)
    world.apply_both()
    await until(world.all_ready)
    world.cluster.users.put_secret("shop", "partners", {"ca.crt": authority_pem("successors")})


def quota(world: World) -> tuple[str, str]:
    return world.condition(CA, "partners", "QuotaAvailable")


def told(world: World) -> list[dict[str, Any]]:
    """What the CA says in its status, but for which request to look again it has heard of."""
    status = {**world.status(CA, "partners"), "lastHandledReconcileAt": None}
    return [status, *world.status(CA, "partners")["conditions"]]


def uploads(world: World) -> int:
    """Those that Cloudflare took."""
    paths = (each.path for each in world.cloudflare.log if (each.method, each.status) == ("POST", 200))
    return sum(path.endswith("/mtls_certificates") for path in paths)


async def look(world: World, token: str) -> None:
    """Ask for a look at Cloudflare, and wait until it is over."""
    world.cluster.users.annotate(CA, "shop", "partners", {"apishield-mtls.io/reconcile-requested-at": token})
    await until(lambda: world.status(CA, "partners").get("lastHandledReconcileAt") == token)
    await asyncio.sleep(60)


every_scene = pytest.mark.parametrize(
    "scene", [no_slot_for_a_new_ca, fewer_slots_than_the_operator_is_told, no_slot_for_a_rotation]
)


@every_scene
@in_virtual_time
async def test_a_ca_that_waits_for_a_slot_says_the_same_at_each_look_and_to_the_next_process(scene: Scene) -> None:
    world = World.begin()
    async with world.running():
        await scene(world)
        await until(lambda: quota(world) == ("False", "QuotaExhausted"))
        await asyncio.sleep(HOUR)
        said, begun = told(world), len(world.cluster.log)
        await asyncio.sleep(2 * HOUR)
        by_itself = world.written(begun)
        begun = len(world.cluster.log)
        for number in range(LOOKS):
            await look(world, f"look {number}")
        asked_to = world.written(begun)
        said_then, begun = told(world), len(world.cluster.log)
    async with world.running():
        await asyncio.sleep(HOUR)

    assert by_itself == []
    # The acknowledgement of each request, and nothing more.
    assert len(asked_to) == LOOKS
    assert said_then == said == told(world)
    assert world.written(begun) == []
    assert quota(world) == ("False", "QuotaExhausted")


@every_scene
@in_virtual_time
async def test_a_ca_that_waits_for_a_slot_takes_the_first_that_is_free(scene: Scene) -> None:
    world = World.begin()
    async with world.running():
        await scene(world)
        await until(lambda: quota(world) == ("False", "QuotaExhausted"))
        before = uploads(world)
        other = next(
            each for each, held in world.cloudflare.state.certificates[ACCOUNT].items() if "other" in held.name
        )
        world.cloudflare.install(lambda state: state.without_certificate(ACCOUNT, other), settled=False)
        await until(lambda: quota(world)[0] == "True")
        await until(lambda: world.condition(CA, "partners")[1] != "QuotaExhausted")

    assert uploads(world) == before + 1
    assert world.cloudflare.monitor.finish() == []
