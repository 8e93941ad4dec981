"""Bindings change their CA, their issuers and their action."""

from __future__ import annotations

import asyncio

from testbed.cloudflare.edge.settings import SeveralCas
from tests.contract.enforcement.cases import (
    API,
    BAD,
    EDGES,
    FINE,
    GAINS,
    LATE,
    LINGERS,
    LOSES,
    NEVER,
    SHOP,
    WEB,
    about_to_be_replaced,
    bound,
    case,
)
from tests.contract.enforcement.people import (
    BRANCH,
    FIRST,
    GOOD,
    GOOD_SECOND,
    ODD_SERIAL,
    OF_BRANCH,
    OF_BRANCH_ALONE,
    SECOND,
    STRANGER,
)
from tests.contract.enforcement.stage import Stage


@case()
async def a_binding_refers_to_another_ca(stage: Stage) -> None:
    stage.authority("clients", SECOND)
    await about_to_be_replaced(stage)
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


@case({"late": LATE})
async def issuers_that_no_rule_has_room_for_change_nothing_and_hold_up_nobody(stage: Stage) -> None:
    await bound(stage)
    stage.expect(WEB, FINE)
    stage.changes()
    too_many = {"additionalIssuers": [f"{number:0128X}" for number in range(50)]}
    stage.edit("api", enforcement=too_many)
    stage.binding("shop", SHOP, enforcement=too_many)
    stage.binding("web", WEB)
    await stage.ready()
    assert stage.guarded == {API, WEB}
    stage.expect(WEB, BAD)


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
async def one_certificate_is_revoked(stage: Stage) -> None:
    stage.revoke(FIRST)
    stage.authority("partners", FIRST, revocation={"secretRef": {"name": "crl", "key": "crl.pem"}})
    stage.binding("api", API)
    stage.expect(API, FINE | BAD | {"the revoked one": (ODD_SERIAL, LOSES)})
    await stage.ready()
    stage.changes()
    stage.revoke(FIRST, ODD_SERIAL, number=2)
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
    await about_to_be_replaced(stage)
    stage.authority("partners", SECOND)
    await asyncio.sleep(300)
    response = {"statusCode": 401, "contentType": "application/json", "content": "{}"}
    stage.edit("api", enforcement={"response": response})
    await stage.ready()


@case()
async def a_rule_answers_otherwise_before_the_edge_has_it(stage: Stage) -> None:
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, FINE | BAD)
    await stage.ruled()
    response = {"statusCode": 401, "contentType": "application/json", "content": "{}"}
    stage.edit("api", enforcement={"response": response})
    await stage.ready()
    stage.changes()
