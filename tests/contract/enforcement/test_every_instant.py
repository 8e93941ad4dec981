"""At no instant is a hostname of a Ready binding open to a bad client, or closed to a good one.

Each case is a story of what users do; clients ask the edge all the while (`stage.py`), under each edge that could be
the real one: with its data centres behind the API or not, with one of several CAs counting or all, with names
normalised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from testbed.chaos.loop import run
from testbed.chaos.play import defects_of_the_operator
from testbed.chaos.world import BINDING, CA, ZONES
from testbed.cloudflare.edge.settings import NORMALISED, EdgeSettings, SeveralCas
from tests.contract.enforcement.people import (
    BRANCH,
    EXPIRED,
    FIRST,
    FOR_A_SERVER,
    FOREIGN,
    GOOD,
    GOOD_SECOND,
    GOOD_THIRD,
    IMPOSTOR,
    MANAGED,
    NOT_YET,
    OF_BRANCH,
    OF_BRANCH_ALONE,
    OF_MANAGED,
    SECOND,
    SELF_SIGNED,
    STRANGER,
    THIRD,
)
from tests.contract.enforcement.stage import NAMESPACE, OVERLAP, Fate, Stage

API, WEB, SHOP = "api.example.com", "web.example.com", "shop.example.com"
ALWAYS, NEVER, GAINS, LOSES, LINGERS = Fate.ALWAYS, Fate.NEVER, Fate.GAINS, Fate.LOSES, Fate.LINGERS
LATE: Final = EdgeSettings(lists_delay=85.0, rules_delay=60.0, managed_ca=MANAGED.pem)
EDGES: Final = {
    "prompt": EdgeSettings(managed_ca=MANAGED.pem),
    "late": LATE,
    "late and most recent CA only": replace(LATE, several_cas=SeveralCas.MOST_RECENT),
}
NORMALISING: Final = {"normalising": replace(LATE, host=NORMALISED)}
BAD: Final = {
    "nobody": (None, NEVER),
    "a self-signed client": (SELF_SIGNED, NEVER),
    "a stranger": (STRANGER, NEVER),
    "an impostor": (IMPOSTOR, NEVER),
}
FINE: Final = {"a good client": (GOOD, ALWAYS)}
Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """A story, the edges under which it must hold, and how the stage is set."""

    play: Play
    edges: dict[str, EdgeSettings]
    setting: dict[str, Any]


CASES: Final[dict[str, Case]] = {}


def case(edges: dict[str, EdgeSettings] = EDGES, **setting: Any) -> Callable[[Play], Play]:
    """Enter a story into the table."""

    def enter(play: Play) -> Play:
        CASES[play.__name__.replace("_", " ")] = Case(play, edges, setting)
        return play

    return enter


async def bound(stage: Stage, *hostnames: str, **spec: Any) -> None:
    """One CA and one binding to it, ready."""
    stage.authority("partners", FIRST)
    stage.binding("api", *(hostnames or (API,)), **spec)
    for hostname in hostnames or (API,):
        stage.expect(hostname, FINE | BAD)
    await stage.ready()


# Set-up and tear-down


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


# Hostnames


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
    stage.authority("partners", FIRST)
    stage.authority("clients", SECOND)
    stage.binding("api", API)
    stage.expect(API, {"of the old CA": (GOOD, LINGERS), "of the new CA": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.delete(BINDING, "api")
    stage.binding("renamed", API, authority="clients")
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


# Rotation


@case()
async def a_ca_is_rotated(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
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
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.authority("partners", SECOND)
    await asyncio.sleep(300)
    stage.expect(WEB, {"of the new root": (GOOD_SECOND, ALWAYS)})
    stage.edit("api", hostnames=[API, WEB])
    await stage.ready()


# Another CA, other issuers, other actions


@case()
async def a_binding_refers_to_another_ca(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.authority("clients", SECOND)
    stage.binding("api", API)
    stage.expect(API, {"of the old CA": (GOOD, LINGERS), "of the new CA": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.edit("api", certificateAuthorityRef={"name": "clients"})
    await stage.ready()


@case()
async def an_intermediate_is_accepted(stage: Stage) -> None:
    await bound(stage)
    stage.expect(API, {"of a branch": (OF_BRANCH, GAINS), "of a branch, unproven": (OF_BRANCH_ALONE, NEVER)})
    stage.changes()
    stage.edit("api", enforcement={"additionalIssuers": [BRANCH.key_identifier]})
    await stage.ready()


@case()
async def an_intermediate_is_accepted_no_more(stage: Stage) -> None:
    await bound(stage, enforcement={"additionalIssuers": [BRANCH.key_identifier]})
    stage.expect(API, {"of a branch": (OF_BRANCH, LOSES)})
    stage.changes()
    stage.edit("api", enforcement={})
    await stage.ready()


@case()
async def issuers_are_pinned_no_more(stage: Stage) -> None:
    await bound(stage)
    stage.expect(API, {"of a branch": (OF_BRANCH, GAINS)})
    stage.changes()
    stage.edit("api", enforcement={"issuerPinning": "Never"})
    await stage.ready()


@case()
async def issuers_are_pinned(stage: Stage) -> None:
    await bound(stage, enforcement={"issuerPinning": "Never"})
    stage.expect(API, {"of a branch": (OF_BRANCH, LOSES)})
    stage.changes()
    stage.edit("api", enforcement={"issuerPinning": "Always"})
    await stage.ready()


@case()
async def a_ca_is_rotated_and_no_issuer_is_pinned(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API, enforcement={"issuerPinning": "Never"})
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.authority("partners", SECOND)
    await stage.ready()


@case({name: edge for name, edge in EDGES.items() if edge.several_cas is SeveralCas.ALL})
async def an_unpinned_binding_refers_to_another_ca(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.authority("clients", SECOND)
    stage.binding("api", API, enforcement={"issuerPinning": "Never"})
    stage.expect(API, {"of the old CA": (GOOD, LINGERS), "of the new CA": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.edit("api", certificateAuthorityRef={"name": "clients"})
    await stage.ready()


@case()
async def requests_are_logged_and_then_blocked(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API, enforcement={"action": "Log"})
    stage.expect(API, FINE | {"nobody": (None, LOSES), "a stranger": (STRANGER, LOSES)})
    await stage.ready()
    stage.changes()
    stage.edit("api", enforcement={"action": "Block"})
    await stage.ready()


@case()
async def requests_are_blocked_and_then_logged(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, FINE | {"nobody": (None, GAINS), "a stranger": (STRANGER, GAINS)})
    await stage.ready()
    stage.changes()
    stage.edit("api", enforcement={"action": "Log"})
    await stage.ready()


@case()
async def a_rule_comes_where_there_was_none(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API, enforcement={"action": "None"})
    stage.expect(API, FINE | {"nobody": (None, LOSES)})
    await stage.ready()
    stage.changes()
    stage.edit("api", enforcement=None)
    await stage.ready()


@case()
async def a_rule_goes_and_the_association_stays(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, FINE | {"nobody": (None, GAINS)})
    await stage.ready()
    stage.changes()
    stage.edit("api", enforcement={"action": "None"})
    await stage.ready()


@case()
async def a_rule_answers_otherwise(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    response = {"statusCode": 401, "contentType": "application/json", "content": "{}"}
    stage.edit("api", enforcement={"response": response})
    await stage.ready()


@case()
async def the_response_changes_during_a_rotation(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.authority("partners", SECOND)
    await asyncio.sleep(300)
    response = {"statusCode": 401, "contentType": "application/json", "content": "{}"}
    stage.edit("api", enforcement={"response": response})
    await stage.ready()


# Names


@case(EDGES | NORMALISING)
async def the_host_header_is_written_in_capitals(stage: Stage) -> None:
    await bound(stage)
    stage.expect(API, {"nobody": (None, NEVER)}, host=API.upper())
    stage.changes()


@case(EDGES | NORMALISING, tolerant=True)
async def a_tolerant_rule_takes_a_dot_and_a_port(stage: Stage) -> None:
    await bound(stage)
    for host in (f"{API}.", f"{API}:443", f"{API}.:8443", API.title()):
        stage.expect(API, {"nobody": (None, NEVER), "a good client": (GOOD, ALWAYS)}, host=host)
    stage.changes()


@case()
async def the_handshake_names_another_hostname(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.authority("clients", SECOND)
    stage.binding("api", API)
    stage.binding("web", WEB, authority="clients")
    stage.expect(API, {"a client of another hostname": (GOOD_SECOND, NEVER)}, server_name=WEB)
    stage.expect(API, FINE | BAD)
    await stage.ready()
    stage.changes()


# Others


@case({name: edge for name, edge in EDGES.items() if edge.several_cas is SeveralCas.ALL})
async def another_ca_of_somebody_else_is_associated_with_the_hostname(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    foreign = stage.world.cloudflare.add_certificate("a" * 32, FOREIGN.pem)
    stage.world.cloudflare.put_foreign_hostnames(ZONES["example.com"], foreign, [API])
    await asyncio.sleep(2000)


@case()
async def the_managed_ca_is_associated_too(stage: Stage) -> None:
    await bound(stage)
    stage.expect(API, {"a client of the managed CA": (OF_MANAGED, NEVER)})
    stage.changes()
    stage.world.cloudflare.put_foreign_hostnames(ZONES["example.com"], None, [API])
    await asyncio.sleep(1000)


@case()
async def a_foreign_hostname_is_on_the_list_all_the_while(stage: Stage) -> None:
    await bound(stage)
    stage.expect(SHOP, {"nobody": (None, ALWAYS), "a good client": (GOOD, ALWAYS)})
    stage.changes()
    stage.edit("api", hostnames=[WEB])
    stage.visitors = [each for each in stage.visitors if each.hostname == SHOP or each.fate is ALWAYS]
    await stage.ready()


@case(installations=2)
async def another_cluster_serves_the_same_hostname(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.authority("partners", FIRST, site=1)
    stage.binding("api", API, site=1)
    await stage.ready()


@case(installations=2)
async def one_of_two_clusters_goes(stage: Stage) -> None:
    stage.authority("partners", FIRST, site=1)
    stage.binding("api", API, site=1)
    await bound(stage)
    stage.changes()
    stage.delete(BINDING, "api")
    stage.delete(CA, "partners")
    await asyncio.sleep(3000)


@case(installations=2)
async def two_clusters_rotate_one_after_the_other(stage: Stage) -> None:
    for site in (0, 1):
        stage.authority("partners", FIRST, site=site)
        stage.binding("api", API, site=site)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
    stage.authority("partners", SECOND)
    await asyncio.sleep(900)
    stage.authority("partners", SECOND, site=1)
    await stage.ready()


@case(installations=2)
async def two_clusters_come_at_once(stage: Stage) -> None:
    stage.authority("partners", FIRST, site=1)
    stage.binding("api", API, site=1)
    await bound(stage)


# The operator goes


@case()
async def the_operator_is_taken_away(stage: Stage) -> None:
    await bound(stage)
    stage.changes()
    stage.world.kill_operator(stage.site())
    await asyncio.sleep(3 * OVERLAP)


@case()
async def the_operator_dies_in_a_rotation_and_comes_back(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
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


TABLE = [(name, edge) for name, each in CASES.items() for edge in each.edges]


def test_the_table_is_as_large_as_it_should_be() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize(("name", "edge"), TABLE, ids=[f"{name}, {edge}" for name, edge in TABLE])
def test_nobody_bad_gets_in_and_nobody_good_is_kept_out(name: str, edge: str) -> None:
    story = CASES[name]

    async def play() -> None:
        stage = Stage.begin(story.edges[edge], **story.setting)
        await story.play(stage)
        stage.finish()

    with defects_of_the_operator() as defects:
        run(play())

    assert defects == []
