"""A certificate that stays when its CA goes is found by whoever wants it next, also where listings are old."""

from __future__ import annotations

import pytest

from testbed.cloudflare.settings import Consistency, Kind, Settings, Staleness
from tests.contract.cluster.engine_world import ACCOUNT, World
from tests.contract.cluster.world import CA
from tests.virtual_time import in_virtual_time, until


@pytest.mark.parametrize("fields", [{"deletionPolicy": "Retain"}, {}], ids=["retained", "left as an orphan"])
@in_virtual_time
async def test_what_was_left_a_moment_ago_is_not_uploaded_again_before_a_listing_can_show_it(
    fields: dict[str, str],
) -> None:
    world = World.begin(settings=Settings(consistency=Consistency(Staleness.EXACT, {Kind.CERTIFICATES: 60.0})))
    async with world.running():
        world.apply_authority("partners", **fields)
        await until(lambda: world.is_ready(CA, "partners"))
    if not fields:
        world.cluster.users.annotate(CA, "shop", "partners", {"apishield-mtls.io/force-orphan": "true"})
    async with world.running():
        world.cluster.users.delete(CA, "shop", "partners")
        await until(world.all_gone)
        world.apply_authority("partners")
        await until(lambda: world.is_ready(CA, "partners"))

    assert len(world.cloudflare.state.certificates[ACCOUNT]) == 1
    assert world.cloudflare.monitor.finish() == []
