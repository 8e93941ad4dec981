"""A certificate that stays when its CA goes is found by whoever wants it next, also where listings are old."""

from __future__ import annotations

import asyncio

import pytest

from testbed.cloudflare.faults import Call, Cut, Fault, Match, Moment
from testbed.cloudflare.messages import Request
from testbed.cloudflare.settings import Consistency, Kind, Settings, Staleness
from tests.contract.cluster.engine_world import ACCOUNT, World
from tests.contract.cluster.world import BINDING, CA
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


@pytest.mark.parametrize("of", [CA, BINDING], ids=["CA first", "binding first"])
@in_virtual_time
async def test_a_ca_that_lost_its_status_and_is_deleted_takes_its_certificate_along(of: str) -> None:
    world = World.begin()
    async with world.running():
        world.apply_both()
        await until(world.all_ready)
    world.cluster.users.write_status(CA, "shop", "partners", None)
    world.cluster.users.delete(CA, "shop", "partners")
    async with world.running():
        await asyncio.sleep(600.0 if of == CA else 0.0)
        world.cluster.users.delete(BINDING, "shop", "api")
        await until(world.all_gone)

    assert world.cloudflare.state.certificates[ACCOUNT] == {}
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_what_may_be_deleted_by_a_request_without_an_answer_is_relied_on_by_nobody() -> None:
    world = World.begin(settings=Settings(consistency=Consistency(Staleness.EXACT, {Kind.CERTIFICATES: 60.0})))

    def come_with_a_twin(_index: int, _request: Request) -> None:
        world.apply_authority("twin", source={"secretRef": {"name": "partners"}})

    async with world.running():
        world.apply_authority("partners")
        await until(lambda: world.is_ready(CA, "partners"))
        await asyncio.sleep(600.0)
        world.cloudflare.faults.add(Fault(Cut(Moment.AFTER), Match("DELETE")))
        world.cloudflare.faults.add(Fault(Call(come_with_a_twin), Match("DELETE")))
        world.cluster.users.delete(CA, "shop", "partners")
        await until(lambda: world.is_ready(CA, "twin"))

        assert [*world.cloudflare.state.certificates[ACCOUNT]] == [world.status(CA, "twin")["certificateId"]]
    assert world.cloudflare.monitor.finish() == []
