"""A zone whose plan has fewer rules than the revocations need: what everybody would get in without comes first."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from datetime import UTC, datetime

from testbed.cloudflare.settings import Settings
from testbed.cluster.virtual_time import EPOCH
from tests.certificates import Ca, crl_pem, make_ca, make_crl
from tests.contract.cluster.engine_world import HOST, World
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
INCOMPLETE = ("True", "RevocationIncomplete")


@functools.cache
def partners() -> Ca:
    return make_ca("partners", now=datetime.fromtimestamp(EPOCH, UTC))


def revoking(world: World, count: int) -> None:
    """A CA with so many revoked certificates, whose list is good for a month."""
    crl = make_crl(
        partners(), range(10**30, 10**30 + count), now=datetime.fromtimestamp(world.clock.now(), UTC), days=30
    )
    world.apply_authority("partners", revocation={"secretRef": {"name": "partners", "key": "crl"}})
    world.cluster.users.put_secret("shop", "partners", {"ca.crt": partners().pem, "crl": crl_pem(crl)})


def writes(world: World, begun: int) -> set[int | None]:
    """How the writes of rules since then were answered."""
    return {each.status for each in world.cloudflare.log[begun:] if each.method != "GET" and "/rules" in each.path}


@in_virtual_time
async def test_hostnames_are_covered_with_the_newest_revocations_that_there_is_room_for() -> None:
    world = World.begin(settings=replace(Settings(), rules_by_plan={"enterprise": 4}))
    async with world.running():
        revoking(world, 400)
        world.apply_binding("api", HOST)
        await until(lambda: world.condition(BINDING, "api", "Enforced") == INCOMPLETE)
        world.apply_second()
        await until(lambda: world.condition(BINDING, "second", "Enforced") == INCOMPLETE)
        covered = world.is_ready(BINDING, "api")
        await asyncio.sleep(HOUR)
        begun = len(world.cloudflare.log)
        await asyncio.sleep(6 * HOUR)

    assert covered
    assert world.rules().count("block") == 3
    assert writes(world, begun) == {400}
    assert world.cloudflare.monitor.finish() == []
