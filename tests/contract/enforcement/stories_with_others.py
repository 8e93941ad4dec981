"""Odd names, people, the managed CA and other clusters."""

from __future__ import annotations

import asyncio

from testbed.chaos.world import BINDING, CA, ZONES
from testbed.cloudflare.edge.settings import SeveralCas
from tests.contract.enforcement.cases import (
    ALWAYS,
    API,
    BAD,
    EDGES,
    FINE,
    GAINS,
    LATE,
    LINGERS,
    LOSES,
    NEVER,
    NORMALISING,
    SHOP,
    WEB,
    bound,
    case,
)
from tests.contract.enforcement.people import (
    BRANCH,
    FIRST,
    FOREIGN,
    GOOD,
    GOOD_SECOND,
    OF_BRANCH,
    OF_MANAGED,
    SECOND,
)
from tests.contract.enforcement.stage import Stage


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
async def two_clusters_rotate_and_one_of_them_accepts_an_intermediate_besides(stage: Stage) -> None:
    for site in (0, 1):
        stage.authority("partners", FIRST, site=site)
    stage.binding("api", API, enforcement={"additionalIssuers": [BRANCH.key_identifier]})
    stage.binding("api", API, site=1)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    stage.expect(API, {"of the intermediate, whom the other one refuses": (OF_BRANCH, NEVER)})
    await stage.ready()
    stage.changes()
    for site in (0, 1):
        stage.authority("partners", SECOND, site=site)
    await stage.ready()


@case({"late": LATE}, installations=2)
async def issuers_are_pinned_and_only_this_cluster_accepts_an_intermediate_besides(stage: Stage) -> None:
    for site in (0, 1):
        stage.authority("partners", FIRST, site=site)
        stage.binding("api", API, site=site, enforcement={"issuerPinning": "Never"})
    stage.expect(API, FINE | {"nobody": (None, NEVER), "of a branch": (OF_BRANCH, LOSES)})
    await stage.ready()
    stage.changes()
    stage.edit("api", site=1, enforcement={})
    await stage.ready()
    stage.edit("api", enforcement={"additionalIssuers": [BRANCH.key_identifier]})
    await stage.ready()
    rules = [each for ruleset in stage.world.cloudflare.state.rulesets.values() for each in ruleset.rules]
    assert all("cert_issuer_ski" in rule.expression for rule in rules if rule.action == "block")


@case(installations=2)
async def two_clusters_come_at_once(stage: Stage) -> None:
    stage.authority("partners", FIRST, site=1)
    stage.binding("api", API, site=1)
    await bound(stage)
