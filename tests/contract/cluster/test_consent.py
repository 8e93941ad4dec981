"""Whose token is used for what, when consent is withdrawn or was never given."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from testbed.chaos.operator_process import OperatorProcess, running_operator
from tests.contract.cluster.engine_world import CONFIGURATION, HOST, TOKEN, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

OF_THE_SHOP = TOKEN.replace("virtual", "ofthe-shop")
READS = {"credentialsRef": {"name": "own", "key": "token"}}
FOR_NOBODY = CONFIGURATION.model_copy(
    update={"operator_credentials": CONFIGURATION.operator_credentials.model_copy(update={"allowed": ()})}
)


def begun() -> World:
    """The operator's own token serves nobody, and namespace `shop` has one of its own."""
    world = World.begin()
    world.cloudflare.add_token(OF_THE_SHOP, owner="cluster-a")
    world.cluster.users.put_secret("shop", "own", {"token": OF_THE_SHOP})
    world.apply_authority("partners", **READS)
    world.apply_binding("api", HOST)
    return world


def running(world: World) -> AbstractAsyncContextManager[OperatorProcess]:
    return running_operator(FOR_NOBODY, world.cluster, world.cloudflare, world.clock)


def drop_the_token(world: World) -> None:
    """The CA names no token any more."""
    world.cluster.users.edit(CA, "shop", "partners", lambda body: body["spec"].pop("credentialsRef"))


def name_the_token(world: World) -> None:
    """The binding names one itself."""
    world.cluster.users.edit(BINDING, "shop", "api", lambda body: body["spec"].update(READS))


def says(world: World, reason: str) -> bool:
    return world.condition(BINDING, "api") == ("False", reason)


@in_virtual_time
async def test_a_token_that_serves_nobody_is_not_used_and_the_way_out_is_one_of_its_own() -> None:
    world = begun()
    async with running(world):
        await until(world.all_ready)
        drop_the_token(world)
        await until(lambda: says(world, "RefNotPermitted"))
        calls = len(world.cloudflare.log)
        world.cluster.users.delete(BINDING, "shop", "api")
        await until(lambda: says(world, "DeletionBlocked"))
        await asyncio.sleep(3600.0)
        meanwhile, message = world.cloudflare.log[calls:], world.message(BINDING, "api")
        name_the_token(world)
        await until(lambda: world.cluster.users.read(BINDING, "shop", "api") is None)

    assert [each.path for each in meanwhile] == []
    assert "spec.credentialsRef" in message
    assert world.cloudflare.monitor is not None
    assert world.cloudflare.monitor.violations == []
