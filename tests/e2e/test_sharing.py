"""Lists, rules and certificates that several bindings or other people share."""

from __future__ import annotations

import pytest

from testbed.cloudflare.faults import Moment
from tests.e2e.expected_rules import held_and_enforced, sights
from tests.e2e.story import association_writes, disorder, uploads
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until
from tests.e2e.world import WINDOW, World

THEIRS = "theirs.of-somebody-else"
FOREIGN_EXPRESSION = '(http.request.uri.path eq "/admin")'


@pytest.fixture
def wide(world: World) -> Tenant:
    """A user with three zones."""
    return Tenant.arrive(world, zones=3)


def bind_ten(tenant: Tenant) -> None:
    """Ten bindings over three zones to one CA, all seen by the operator before the CA's Secret is there."""
    bindings = [
        tenant.binding(f"h{number}", f"h{number + 10}", zone=tenant.zones[number % 3], name=f"b{number}")
        for number in range(10)
    ]
    tenant.apply(tenant.authority(), *bindings)
    tenant.kubectl("wait", "--for=condition=ResolvedRefs=False", "--timeout=60s", "mtlshb", "--all")
    tenant.apply(tenant.secret())
    tenant.wait_ready()


def hostnames_of_zone(tenant: Tenant, index: int) -> list[str]:
    """What `bind_ten` binds in that zone."""
    return [
        tenant.zones[index].host(f"h{number + more}") for number in range(10) if number % 3 == index for more in (0, 10)
    ]


def test_ten_bindings_over_three_zones_end_in_one_list_and_one_rule_per_zone(wide: Tenant) -> None:
    bind_ten(wide)

    assert wide.lists == {zone.name: set(hostnames_of_zone(wide, index)) for index, zone in enumerate(wide.zones)}
    assert [sights(wide.rules(zone)) for zone in wide.zones] == [
        held_and_enforced(wide.ca.key_identifier, *hostnames_of_zone(wide, index)) for index in range(3)
    ]


def test_ten_bindings_over_three_zones_cost_one_upload_and_one_association_write_per_zone(wide: Tenant) -> None:
    bind_ten(wide)

    assert len(uploads(wide.history)) == 1
    assert sorted(sorted(body["hostnames"]) for body in association_writes(wide.history)) == sorted(
        sorted(hostnames_of_zone(wide, index)) for index in range(3)
    )


def test_ten_bindings_deleted_at_once_leave_nothing(wide: Tenant) -> None:
    bind_ten(wide)

    wide.tear_down()

    assert wide.certificates == []
    assert wide.lists == {}
    assert [wide.rules(zone) for zone in wide.zones] == [(), (), ()]
    assert disorder(wide.history, window=WINDOW) == []


def test_two_cas_of_one_certificate_share_one_upload_and_the_first_to_go_leaves_it(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority(), tenant.binding("api"))
    tenant.wait_ready()
    twin = tenant.secret("twin")
    tenant.apply(twin, tenant.authority("twin"))
    tenant.wait_ready()
    ids = [tenant.get(f"mtlsca/{name}")["status"]["certificateId"] for name in ("partners", "twin")]

    tenant.delete("mtlsca/twin")
    tenant.wait_gone("mtlsca/twin")

    assert ids == [tenant.certificates[0].id] * 2
    assert len(uploads(tenant.history)) == 1
    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}


def test_what_others_had_on_the_list_of_an_adopted_certificate_is_there_at_the_end(tenant: Tenant) -> None:
    simulation = tenant.world.simulation
    certificate = simulation.add_certificate(tenant.account, tenant.ca.pem, name="made by hand")
    theirs = {tenant.zone.host("shop"), tenant.zone.host("pay")}
    simulation.put_foreign_hostnames(tenant.zone.id, certificate, theirs)
    tenant.set_up("api")
    meanwhile = tenant.lists

    tenant.tear_down()

    assert meanwhile == {tenant.zone.name: theirs | {tenant.zone.host("api")}}
    assert tenant.lists == {tenant.zone.name: theirs}
    assert [each.id for each in tenant.certificates] == [certificate]
    assert uploads(tenant.history) == []


def test_what_others_put_on_our_list_meanwhile_survives_every_change_of_ours(tenant: Tenant) -> None:
    tenant.set_up("api")
    certificate = tenant.certificates[0].id
    ours, theirs = tenant.zone.host("api"), tenant.zone.host("shop")
    tenant.world.simulation.put_foreign_hostnames(tenant.zone.id, certificate, {ours, theirs})

    tenant.apply(tenant.binding("api", "login"))
    tenant.wait_ready()
    tenant.apply(tenant.binding("login"))
    tenant.wait_ready()
    tenant.delete("mtlshb/api")
    tenant.wait_gone("mtlshb/api")

    assert tenant.lists == {tenant.zone.name: {theirs}}
    assert disorder(tenant.history, window=WINDOW, foreign=frozenset({theirs})) == []


def test_a_certificate_that_somebody_else_uses_stays_and_an_event_says_so(tenant: Tenant) -> None:
    tenant.set_up("api")
    certificate = tenant.certificates[0].id
    theirs = tenant.zone.host("shop")
    tenant.world.simulation.put_foreign_hostnames(tenant.zone.id, certificate, {tenant.zone.host("api"), theirs})

    tenant.tear_down()

    assert [each.id for each in tenant.certificates] == [certificate]
    assert tenant.lists == {tenant.zone.name: {theirs}}
    (event,) = [each for each in tenant.events("partners") if each["reason"] == "CertificateKept"]
    assert certificate in event["message"]


def test_rules_of_others_before_and_after_ours_are_there_at_the_end_unchanged(tenant: Tenant) -> None:
    simulation = tenant.world.simulation
    early = simulation.add_foreign_rule(
        tenant.zone.id, expression=FOREIGN_EXPRESSION, action="managed_challenge", description="early"
    )
    tenant.set_up("api")
    last = simulation.add_foreign_rule(tenant.zone.id, expression=FOREIGN_EXPRESSION, description="last")
    first = simulation.add_foreign_rule(
        tenant.zone.id, expression=FOREIGN_EXPRESSION, action="log", description="first", first=True
    )

    tenant.apply(tenant.binding("api", "login"))
    tenant.wait_ready()
    tenant.tear_down()

    assert tenant.rules() == (first, early, last)


def test_our_rule_stands_before_every_rule_of_others(tenant: Tenant) -> None:
    simulation = tenant.world.simulation
    simulation.add_foreign_rule(tenant.zone.id, expression=FOREIGN_EXPRESSION, description="skips", action="log")
    simulation.add_foreign_rule(tenant.zone.id, expression=FOREIGN_EXPRESSION, description="blocks")

    tenant.set_up("api")

    assert [each.kind for each in sights(tenant.rules())] == ["enforce", "skips", "blocks", "claim held"]


def test_a_rule_that_others_put_between_ours_stays_between_them(tenant: Tenant) -> None:
    between: list[str] = []

    def add(*_: object) -> None:
        rule = tenant.world.simulation.add_foreign_rule(
            tenant.zone.id, expression=FOREIGN_EXPRESSION, description="between"
        )
        between.append(rule.id)

    tenant.call_once(add, method="PUT", path="/hostname_associations", moment=Moment.AFTER)
    tenant.set_up("api")
    kinds = [each.kind for each in sights(tenant.rules())]
    tenant.tear_down()

    assert kinds == ["enforce", "claim held", "between"]
    assert [rule.id for rule in tenant.rules()] == between


def test_a_list_and_rules_of_the_ca_that_cloudflare_manages_are_never_touched(tenant: Tenant) -> None:
    theirs = {tenant.zone.host("managed")}
    tenant.world.simulation.put_foreign_hostnames(tenant.zone.id, None, theirs)
    tenant.set_up("api")

    tenant.delete("mtlshb/api")
    tenant.wait_gone("mtlshb/api")

    until(lambda: tenant.lists == {tenant.zone.name: theirs}, "only the list of the managed CA is left")
