"""Zones that belong to another account."""

from __future__ import annotations

import asyncio

from tests.contract.cluster.engine_world import HOST, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

ELSEWHERE = "e" * 32


def look_ups(world: World) -> list[str]:
    """The paths that were asked for zones."""
    return [each.path for each in world.cloudflare.log if each.path.rsplit("/", 1)[0].endswith(("/v4", "/zones"))]


@in_virtual_time
async def test_a_binding_that_moves_to_a_ca_of_another_account_says_so_and_keeps_what_it_has() -> None:
    world = World.begin()
    world.cloudflare.add_account(ELSEWHERE)
    async with world.running():
        world.apply_both()
        await until(world.all_ready)
        before = world.rules()
        world.apply_authority("elsewhere", accountId=ELSEWHERE)
        await until(lambda: world.is_ready(CA, "elsewhere"))
        world.apply_binding("api", HOST, authority="elsewhere")
        await until(lambda: world.condition(BINDING, "api") == ("False", "ZoneNotInAccount"))
        await asyncio.sleep(3600.0)
        asked = len(look_ups(world))
    async with world.running():
        await asyncio.sleep(3600.0)
        said = world.condition(BINDING, "api")

    assert said == ("False", "ZoneNotInAccount")
    assert world.rules() == before
    assert len(look_ups(world)) == asked == 1
