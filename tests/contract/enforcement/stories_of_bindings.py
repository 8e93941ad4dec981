"""Bindings and hostnames come and go."""

from __future__ import annotations

import asyncio

from testbed.chaos.world import BINDING, CA
from tests.contract.enforcement.cases import (
    ALWAYS,
    API,
    BAD,
    EDGES,
    FINE,
    LATE,
    NEVER,
    NORMALISING,
    WEB,
    about_to_be_replaced,
    bound,
    case,
)
from tests.contract.enforcement.people import (
    EXPIRED,
    FIRST,
    FOR_A_SERVER,
    NOT_YET,
    SECOND,
)
from tests.contract.enforcement.stage import NAMESPACE, Stage


@case(EDGES | NORMALISING)
async def a_hostname_is_bound(stage: Stage) -> None:
    await bound(stage)


@case()
async def certificates_that_are_no_good_though_the_right_ca_issued_them(stage: Stage) -> None:
    await bound(stage)
    stage.expect(API, {"an expired one": (EXPIRED, NEVER), "one of the future": (NOT_YET, NEVER)})
    stage.expect(API, {"one for servers": (FOR_A_SERVER, NEVER)})
    stage.changes()


@case()
async def a_binding_is_deleted(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.opens()
    stage.delete(BINDING, "api")
    stage.delete(CA, "partners")
    await stage.gone()


@case()
async def a_ca_is_deleted_while_it_is_used(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.delete(CA, "partners")
    await asyncio.sleep(2000)


@case()
async def a_binding_is_deleted_and_retained(stage: Stage) -> None:
    await bound(stage, deletionPolicy="Retain")
    stage.changes()
    stage.delete(BINDING, "api")
    await asyncio.sleep(2000)


@case()
async def a_retained_hostname_is_bound_again(stage: Stage) -> None:
    await bound(stage, deletionPolicy="Retain")
    stage.delete(BINDING, "api")
    await asyncio.sleep(2000)
    stage.changes()
    stage.binding("again", API)
    await stage.ready()


@case()
async def a_namespace_is_deleted(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.opens()
    stage.site().cluster.users.delete_namespace(NAMESPACE)
    await stage.gone()


@case()
async def a_hostname_is_added(stage: Stage) -> None:
    await bound(stage)
    stage.expect(WEB, FINE)
    stage.changes()
    stage.edit("api", hostnames=[API, WEB])
    await stage.ready()
    stage.expect(WEB, BAD)


@case()
async def a_hostname_is_taken_out(stage: Stage) -> None:
    await bound(stage, API, WEB)
    stage.visitors = [each for each in stage.visitors if each.hostname == API or each.fate is ALWAYS]
    stage.changes()
    stage.edit("api", hostnames=[API])
    await stage.ready()


@case()
async def a_hostname_goes_to_another_binding_of_the_same_ca(stage: Stage) -> None:
    await bound(stage, API, WEB)
    stage.changes()
    stage.binding("web", WEB)
    stage.edit("api", hostnames=[API])
    await stage.ready()


@case()
async def a_binding_is_renamed(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.delete(BINDING, "api")
    stage.binding("renamed", API)
    await stage.ready()


@case()
async def a_binding_is_renamed_and_gets_another_ca(stage: Stage) -> None:
    stage.authority("clients", SECOND)
    await about_to_be_replaced(stage)
    stage.delete(BINDING, "api")
    stage.binding("renamed", API, authority="clients")
    await stage.ready()


@case()
async def one_of_two_bindings_is_deleted(stage: Stage) -> None:
    await bound(stage)
    stage.binding("web", WEB)
    stage.expect(WEB, FINE)
    await stage.ready()
    stage.changes()
    stage.delete(BINDING, "web")
    await stage.ready()


@case()
async def the_last_of_two_bindings_lets_go_of_a_hostname(stage: Stage) -> None:
    await bound(stage)
    stage.binding("also", API)
    await stage.ready()
    stage.changes()
    stage.delete(BINDING, "api")
    await stage.ready()


@case({"late": LATE})
async def so_many_hostnames_that_they_need_several_rules(stage: Stage) -> None:
    many = [f"{'x' * 50}-{number:03}.example.com" for number in range(90)]
    stage.authority("partners", FIRST)
    stage.binding("api", *many)
    for hostname in (many[0], many[60]):
        stage.expect(hostname, FINE | BAD)
    await stage.ready()
    stage.changes()
    stage.edit("api", hostnames=[*many[:-10], f"{'y' * 50}.example.com"])
    await stage.ready()
