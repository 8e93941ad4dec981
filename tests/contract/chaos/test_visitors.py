"""Visitors of stories see who gets in that must not, and who does not that must; and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from testbed.chaos.acts import ApplyAuthority, ApplyBinding
from testbed.chaos.authorities import key_identifiers, pem_of
from testbed.chaos.certificates_held import certificate_of
from testbed.chaos.dashboard import DashboardHostname, DashboardRule, DashboardUpload, SpoilRule, TakeOff
from testbed.chaos.ending import converge
from testbed.chaos.loop import run
from testbed.chaos.secret_acts import ChangeSource
from testbed.chaos.visitors import Visitors
from testbed.chaos.world import ACCOUNT, BINDING, CA, RELEASE, ZONES, Body, Setting, World, is_ready
from testbed.cloudflare.edge.settings import EdgeSettings, SeveralCas
from testbed.cloudflare.messages import Request
from testbed.cloudflare.monitor.marks import Enforcement, read_mark
from testbed.cloudflare.state import Rule
from testbed.cluster.objects import ObjectKey
from tests.virtual_time import in_virtual_time, until

BOUND: Final = ObjectKey(BINDING, "shop", "one")
ZONE: Final = ZONES["example.com"]
API: Final = "api.example.com"
PROMPT: Final = EdgeSettings()
LATE: Final = EdgeSettings(rules_delay=85.0)
NOBODY: Final = f"{API} of Ready binding shop/one of cluster-a was open to a client without a certificate"
OF_RED: Final = f"{API} of Ready binding shop/one of cluster-a was closed to a client of 'Red'"
NOT_SEEN: Final = 4000.0
"""Longer than an operator that lives takes to see anything and to put it right."""


async def _set_up(edge: EdgeSettings = PROMPT, enforcement: Body | None = None, **setting: Any) -> World:
    """A world in which one binding is Ready, and whose operator is dead."""
    world = World.begin(Setting(seed=1, edge=edge, **setting))
    world.run_operator(world.sites[0])
    ApplyAuthority(at=0, namespace="shop", bundle="red").perform(world)
    _bind(world)
    if enforcement:
        users = world.sites[0].cluster.users
        users.edit(BINDING, "shop", "one", lambda body: body["spec"].update(enforcement=enforcement))
    assert await converge(world) == []
    world.kill_operator(world.sites[0])
    assert is_ready(world.sites[0].cluster.store.get(BOUND))
    return world


@in_virtual_time
async def test_a_set_up_that_goes_well_gives_no_cause_for_complaint() -> None:
    world = World.begin(Setting(seed=1, edge=EdgeSettings(lists_delay=85.0, rules_delay=85.0)))
    visitors = Visitors(world)
    world.run_operator(world.sites[0])
    ApplyAuthority(at=0, namespace="shop", bundle="red").perform(world)
    _bind(world)

    assert await converge(world) == []
    assert visitors.finish() == []


@in_virtual_time
async def test_a_ready_hostname_without_its_rule_is_open_to_whoever_comes() -> None:
    world = await _set_up()
    visitors = Visitors(world)

    _call(world, "DELETE", _path_of(world, _enforcement(world)))

    assert len(visitors.found) == 1
    assert visitors.found[0].startswith("an instant: at 0.0 ")
    assert NOBODY in visitors.found[0]


@in_virtual_time
async def test_a_hostname_of_a_binding_that_is_not_ready_promises_nothing() -> None:
    world = await _set_up()
    visitors = Visitors(world)
    world.sites[0].cluster.users.edit(
        BINDING, "shop", "one", lambda body: body["spec"].update(hostnames=["m.example.com"])
    )

    _call(world, "DELETE", _path_of(world, _enforcement(world)))

    assert visitors.finish() == []


@in_virtual_time
async def test_a_ready_hostname_that_is_on_no_list_is_closed_to_good_clients_also_while_no_operator_lives() -> None:
    world = await _set_up()
    visitors = Visitors(world)

    await asyncio.sleep(1000.0)
    _associate(world, certificate_of(world, "red", 0))

    assert [each.startswith("an instant: at 1000.0 ") and OF_RED in each for each in visitors.found] == [True]


@in_virtual_time
async def test_a_client_of_another_ca_of_the_account_is_kept_out() -> None:
    world = await _set_up()
    DashboardUpload(at=0, bundle="blue").perform(world)
    visitors = Visitors(world)
    _associate(world, certificate_of(world, "blue", 0), API)
    assert visitors.found == []

    _rewrite(world, f'(lower(http.host) in {{"{API}"}} and not cf.tls_client_auth.cert_verified)')

    assert ["was open to a client of 'Blue One'" in each for each in visitors.found] == [True]


@pytest.mark.parametrize(("enforcement", "bad"), [({"issuerPinning": "Never"}, NOBODY), ({"action": "Log"}, None)])
@in_virtual_time
async def test_who_is_bad_follows_from_how_a_binding_wants_to_be_enforced(enforcement: Body, bad: str | None) -> None:
    world = await _set_up(enforcement=enforcement)
    DashboardUpload(at=0, bundle="blue").perform(world)
    visitors = Visitors(world)

    _associate(world, certificate_of(world, "blue", 0), API)
    assert visitors.found == []
    _associate(world, certificate_of(world, "red", 0), API)
    _call(world, "DELETE", _path_of(world, _enforcement(world)))

    assert [each.endswith("up to date") and f"{bad} and 5 others" in each for each in visitors.found] == [True] * bool(
        bad
    )


@in_virtual_time
async def test_an_impostor_of_the_ca_is_kept_out() -> None:
    world = await _set_up()
    visitors = Visitors(world)

    _rewrite(world, _pinned(key_identifiers("red", 0)).replace("cf.tls_client_auth.cert_verified and ", ""))

    assert ["was open to an impostor of 'Red'" in each for each in visitors.found] == [True]


@in_virtual_time
async def test_what_only_a_late_data_centre_did_for_a_while_is_seen_when_it_does() -> None:
    world = await _set_up(LATE)
    rule, body = _enforcement(world), world.sites[0].read(BINDING, "shop", "one")
    assert body is not None
    await asyncio.sleep(100.0)
    visitors = Visitors(world)

    _say(world, {**body["status"], "conditions": []})
    _call(world, "DELETE", _path_of(world, rule))
    await asyncio.sleep(10.0)
    _call(world, "POST", _rules_path(world), _definition(rule))
    _say(world, body["status"])
    assert visitors.found == []
    await asyncio.sleep(300.0)

    assert visitors.finish() == [
        f"an instant: at 85.0 {NOBODY} and 17 others, at the data centre that is late with rules"
    ]


def _delete_the_rule_by_hand(world: World) -> None:
    rules = world.cloudflare.state.rulesets[ZONE].rules
    pick = next(index for index, rule in enumerate(rules) if isinstance(read_mark(rule), Enforcement))
    assert SpoilRule(at=0, zone="example.com", pick=pick, how="delete").perform(world)


def _take_off_by_hand(world: World) -> None:
    assert TakeOff(at=0, zone="example.com", bundle="red", pick=0).perform(world)


@pytest.mark.parametrize("meddle", [_delete_the_rule_by_hand, _take_off_by_hand])
@in_virtual_time
async def test_what_a_person_does_is_excused_while_the_operator_cannot_know_and_when_it_has_put_it_right(
    meddle: Callable[[World], object],
) -> None:
    world = await _set_up()
    visitors = Visitors(world)

    meddle(world)
    await asyncio.sleep(NOT_SEEN)
    assert visitors.finish() == []
    world.run_operator(world.sites[0])
    assert await converge(world) == []

    assert visitors.finish() == []


@pytest.mark.parametrize(("staleness", "blamed"), [(0.0, True), (60.0, False)], ids=["sees it", "may be too old"])
@in_virtual_time
async def test_what_a_person_does_is_excused_for_some_minutes_once_a_reading_must_have_shown_it(
    staleness: float, blamed: bool
) -> None:
    world = await _set_up(staleness=staleness)
    visitors = Visitors(world)
    _delete_the_rule_by_hand(world)
    await asyncio.sleep(30.0)

    _call(world, "GET", f"/client/v4/zones/{ZONE}/rulesets/phases/http_request_firewall_custom/entrypoint")
    await asyncio.sleep(299.0)
    assert visitors.finish() == []
    await asyncio.sleep(2.0)

    assert [NOBODY in each for each in visitors.finish()] == [True] * blamed


@in_virtual_time
async def test_what_a_person_does_excuses_nothing_about_another_hostname() -> None:
    world = await _set_up()
    visitors = Visitors(world)
    DashboardRule(at=0, zone="example.com", first=True).perform(world)

    _call(world, "DELETE", _path_of(world, _enforcement(world)))

    assert [NOBODY in each for each in visitors.found] == [True]


@pytest.mark.parametrize("strategy", ["Bundle", "SideBySide"])
@pytest.mark.parametrize("version", [0, 1], ids=["of the previous CA", "of the new CA"])
@in_virtual_time
async def test_in_an_overlap_clients_of_both_cas_are_good(version: int, strategy: str) -> None:
    world = await _set_up()
    users = world.sites[0].cluster.users
    users.edit(CA, "shop", "red", lambda body: body["spec"]["rotation"].update(strategy=strategy))
    visitors = Visitors(world)
    await _rotate(world, so_far=_overlapping)
    assert visitors.found == []

    _accept(world, 1 - version)

    subject = ("Red", "Red Two")[version]
    assert [f"was closed to a client of '{subject}'" in each for each in visitors.found] == [True]


@in_virtual_time
async def test_the_new_ca_of_a_rotation_is_promised_to_nobody_before_it_is_in_force() -> None:
    world = await _set_up()
    visitors = Visitors(world)
    await _rotate(world, so_far=_widened)

    _accept(world, 0)

    assert visitors.finish() == []


@in_virtual_time
async def test_when_the_overlap_is_over_clients_of_the_previous_ca_are_promised_nothing() -> None:
    world = await _set_up()
    await _rotate(world, so_far=_overlapping)
    visitors = Visitors(world)
    await asyncio.sleep(world.setting.overlap + 1.0)

    _accept(world, 1)

    assert visitors.finish() == []


@in_virtual_time
async def test_when_a_rotation_has_ended_clients_of_the_previous_ca_are_bad() -> None:
    world = await _set_up()
    await _rotate(world, so_far=None)
    visitors = Visitors(world)
    assert await converge(world) == []
    world.kill_operator(world.sites[0])
    _associate(world, _upload_by_hand(world), API)
    assert visitors.found == []

    _accept(world, 0, 1)

    assert ["was open to a client of 'Red'" in each for each in visitors.found] == [True]


@in_virtual_time
async def test_where_only_the_ca_counts_that_came_last_people_may_close_a_hostname_by_another_list() -> None:
    world = await _set_up(EdgeSettings(several_cas=SeveralCas.MOST_RECENT))
    visitors = Visitors(world)
    await asyncio.sleep(1.0)
    DashboardUpload(at=0, bundle="blue").perform(world)

    DashboardHostname(at=0, zone="example.com", bundle="blue", hostname=API).perform(world)

    assert visitors.finish() == []


@in_virtual_time
async def test_another_installation_that_brings_its_own_issuers_is_excused_until_that_can_be_known() -> None:
    world = await _set_up(installations=2)
    visitors = Visitors(world)
    rule = _enforcement(world)
    theirs = {**_definition(rule), "ref": "mtls_operator_theirs", "expression": _pinned(key_identifiers("red", 1))}
    theirs["description"] = rule.description.replace("cluster-a", "cluster-b")

    _call(world, "POST", _rules_path(world), theirs, site=1)
    await asyncio.sleep(NOT_SEEN)
    assert visitors.finish() == []
    _call(world, "GET", f"/client/v4/zones/{ZONE}/rulesets/phases/http_request_firewall_custom/entrypoint")
    await asyncio.sleep(301.0)

    assert [OF_RED in each for each in visitors.finish()] == [True]


def test_asking_takes_no_part_in_what_happens() -> None:
    def trace(*, asked: bool) -> list[str]:
        async def play() -> list[str]:
            world = World.begin(Setting(seed=1, edge=EdgeSettings(lists_delay=20.0, rules_delay=85.0), latency=0.5))
            if asked:
                Visitors(world)
            world.run_operator(world.sites[0])
            ApplyAuthority(at=0, namespace="shop", bundle="red").perform(world)
            _bind(world)
            await asyncio.sleep(600.0)
            return world.trace()

        return run(play())

    assert trace(asked=True) == trace(asked=False)


def _bind(world: World) -> None:
    ApplyBinding(
        at=0,
        namespace="shop",
        name="one",
        bundle="red",
        authority_namespace="shop",
        zone="example.com",
        hostnames=(API,),
    ).perform(world)


async def _rotate(world: World, *, so_far: Callable[[Body, Body], bool] | None) -> None:
    """An operator takes another source in, and dies when CA and binding are so far; None: it goes on."""
    site = world.sites[0]
    ChangeSource(at=0, namespace="shop", bundle="red", version=1).perform(world)
    world.run_operator(site)
    if so_far is not None:
        store = site.cluster.store
        await until(lambda: so_far(store.get(ObjectKey(CA, "shop", "red")), store.get(BOUND)))
        world.kill_operator(site)


def _widened(authority: Body, binding: Body) -> bool:
    """The binding says Ready with both objects, but the CA does not say yet that the new one is in force."""
    return _phase(authority) == "Widening" and is_ready(binding) and len(binding["status"]["managed"]) > 1


def _overlapping(authority: Body, binding: Body) -> bool:
    return _phase(authority) == "Overlap" and is_ready(binding)


def _phase(authority: Body) -> object:
    return authority["status"].get("rotation", {}).get("phase")


def _upload_by_hand(world: World) -> str:
    return world.cloudflare.add_certificate(ACCOUNT, pem_of("red", 0), name="theirs", settled=False)


def _enforcement(world: World) -> Rule:
    return next(
        each for each in world.cloudflare.state.rulesets[ZONE].rules if isinstance(read_mark(each), Enforcement)
    )


def _accept(world: World, *versions: int) -> None:
    """The rule accepts clients of these versions of the bundle, and of no other."""
    _rewrite(world, _pinned(frozenset().union(*(key_identifiers("red", each) for each in versions))))


def _pinned(issuers: frozenset[str]) -> str:
    accepted = " ".join(f'"{each}"' for each in sorted(issuers))
    return (
        f'(lower(http.host) in {{"{API}"}} and not (cf.tls_client_auth.cert_verified'
        f" and cf.tls_client_auth.cert_issuer_ski in {{{accepted}}}))"
    )


def _rewrite(world: World, expression: str) -> None:
    rule = _enforcement(world)
    _call(world, "PATCH", _path_of(world, rule), {**_definition(rule), "expression": expression})


def _definition(rule: Rule) -> Body:
    return {
        "ref": rule.ref,
        "action": rule.action,
        "expression": rule.expression,
        "description": rule.description,
        "enabled": rule.enabled,
    }


def _rules_path(world: World) -> str:
    return f"/client/v4/zones/{ZONE}/rulesets/{world.cloudflare.state.rulesets[ZONE].id}/rules"


def _path_of(world: World, rule: Rule) -> str:
    return f"{_rules_path(world)}/{rule.id}"


def _associate(world: World, certificate: str | None, *hostnames: str) -> None:
    body = {"mtls_certificate_id": certificate, "hostnames": hostnames}
    _call(world, "PUT", f"/client/v4/zones/{ZONE}/certificate_authorities/hostname_associations", body)


def _call(world: World, method: str, path: str, body: Body | None = None, *, site: int = 0) -> None:
    """As an installation, whose operator does not know of it."""
    headers = {"authorization": f"Bearer {world.sites[site].tokens[RELEASE]}", "content-type": "application/json"}
    answer = world.cloudflare.handle(Request(method, path, (), headers, json.dumps(body).encode() if body else b""))
    assert answer.status == 200, answer.body


def _say(world: World, status: Body) -> None:
    """The binding has another status, whoever wrote it."""
    world.sites[0].cluster.store.update_status(BOUND, lambda body: {**body, "status": status})
