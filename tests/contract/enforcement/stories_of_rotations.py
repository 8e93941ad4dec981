"""CAs are rotated, and the operator goes in the midst of it."""

from __future__ import annotations

import asyncio

from testbed.cloudflare.edge.settings import SeveralCas
from tests.contract.enforcement.cases import (
    ALWAYS,
    API,
    BAD,
    EDGES,
    FINE,
    GAINS,
    LINGERS,
    WEB,
    about_to_be_replaced,
    bound,
    case,
)
from tests.contract.enforcement.people import (
    FIRST,
    GOOD,
    GOOD_SECOND,
    GOOD_THIRD,
    SECOND,
    THIRD,
)
from tests.contract.enforcement.stage import NAMESPACE, OVERLAP, Stage


@case()
async def a_ca_is_rotated(stage: Stage) -> None:
    await about_to_be_replaced(stage)
    stage.authority("partners", SECOND)
    await stage.ready()


@case({name: edge for name, edge in EDGES.items() if edge.several_cas is SeveralCas.ALL})
async def a_ca_is_rotated_side_by_side(stage: Stage) -> None:
    stage.authority("partners", FIRST, rotation={"strategy": "SideBySide"})
    stage.binding("api", API)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.authority("partners", SECOND, rotation={"strategy": "SideBySide"})
    await stage.ready()


@case()
async def a_ca_joins_a_bundle(stage: Stage) -> None:
    await bound(stage)
    stage.expect(API, {"of the new root": (GOOD_SECOND, GAINS)})
    stage.changes()
    stage.authority("partners", FIRST, SECOND)
    await stage.ready()


@case()
async def a_ca_leaves_a_bundle(stage: Stage) -> None:
    stage.authority("partners", FIRST, SECOND)
    stage.binding("api", API)
    stage.expect(API, FINE | BAD | {"of the other root": (GOOD_SECOND, LINGERS)})
    await stage.ready()
    stage.changes()
    stage.authority("partners", FIRST)
    await stage.ready()


@case()
async def a_rotation_is_taken_back(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.authority("partners", SECOND)
    await asyncio.sleep(450)
    stage.authority("partners", FIRST)
    await stage.ready()


@case()
async def a_third_root_comes_during_an_overlap(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, {"of the first root": (GOOD, LINGERS), "of the third root": (GOOD_THIRD, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.authority("partners", SECOND)
    await asyncio.sleep(450)
    stage.authority("partners", THIRD)
    await stage.ready()


@case()
async def a_source_becomes_unreadable(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.site().cluster.users.put_secret(NAMESPACE, "partners", {"ca.crt": "nothing that could be read"})
    await asyncio.sleep(2000)


@case()
async def a_hostname_comes_during_an_overlap(stage: Stage) -> None:
    await about_to_be_replaced(stage)
    stage.authority("partners", SECOND)
    await asyncio.sleep(300)
    stage.expect(WEB, {"of the new root": (GOOD_SECOND, ALWAYS)})
    stage.edit("api", hostnames=[API, WEB])
    await stage.ready()


@case()
async def the_operator_is_taken_away(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.world.kill_operator(stage.site())
    await asyncio.sleep(3 * OVERLAP)


@case()
async def the_operator_dies_in_a_rotation_and_comes_back(stage: Stage) -> None:
    await about_to_be_replaced(stage)
    stage.authority("partners", SECOND)
    for _ in range(6):
        await asyncio.sleep(70)
        stage.world.kill_operator(stage.site(), down=15.0)
    await stage.ready()


@case()
async def the_operator_is_taken_away_in_a_rotation(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.authority("partners", SECOND)
    await asyncio.sleep(220)
    stage.world.kill_operator(stage.site())
    await asyncio.sleep(3 * OVERLAP)


@case()
async def a_binding_is_suspended_and_its_ca_rotates(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.edit("api", suspend=True)
    await asyncio.sleep(10)
    stage.authority("partners", SECOND)
    await asyncio.sleep(2000)
