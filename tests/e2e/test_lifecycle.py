"""From `kubectl apply` to `kubectl delete`: exactly the right associations and rules, and nothing left."""

from __future__ import annotations

import pytest

from testbed.cloudflare.faults import Moment
from testbed.cloudflare.messages import Request
from tests.e2e.expected_rules import held_and_enforced, sights
from tests.e2e.story import disorder, told, writes
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until
from tests.e2e.world import OWNER, WINDOW


def test_a_binding_brings_its_hostnames_onto_the_list_and_behind_one_rule(tenant: Tenant) -> None:
    tenant.set_up("api", "login")

    hostnames = (tenant.zone.host("api"), tenant.zone.host("login"))
    assert tenant.lists == {tenant.zone.name: set(hostnames)}
    assert sights(tenant.rules()) == held_and_enforced(tenant.ca.key_identifier, *hostnames)
    assert disorder(tenant.history, window=WINDOW) == []


def test_a_ca_is_uploaded_under_a_name_that_says_whose_it_is(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority(displayName="Partners of ours"))
    tenant.wait_ready()

    (certificate,) = tenant.certificates
    assert certificate.fingerprints == (tenant.ca.fingerprint,)
    assert certificate.name.startswith("Partners of ours ")
    assert certificate.name.endswith(f"(mtls-operator {OWNER})")
    assert tenant.get("mtlsca/partners")["status"]["certificateId"] == certificate.id


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["api"], ["api", "login"]),
        (["api", "login"], ["login"]),
        (["api"], ["login"]),
        (["api", "login", "shop"], ["pay", "shop"]),
    ],
    ids=["add", "remove", "replace", "some of each"],
)
def test_changed_hostnames_are_all_that_is_on_the_list_and_behind_the_rule(
    tenant: Tenant, before: list[str], after: list[str]
) -> None:
    tenant.set_up(*before)

    tenant.apply(tenant.binding(*after))
    tenant.wait_ready()

    hostnames = [tenant.zone.host(label) for label in after]
    assert tenant.lists == {tenant.zone.name: set(hostnames)}
    assert sights(tenant.rules()) == held_and_enforced(tenant.ca.key_identifier, *hostnames)
    assert disorder(tenant.history, window=WINDOW) == []


def test_a_hostname_that_stays_is_covered_by_a_rule_while_others_come_and_go(tenant: Tenant) -> None:
    tenant.set_up("api", "login")
    begun = len(tenant.history)

    tenant.apply(tenant.binding("api", "shop"))
    tenant.wait_ready()

    assert not [each for each in tenant.history[begun:] if tenant.zone.host("api") not in tenant.guarded_after(each)]


def test_a_hostname_of_two_bindings_goes_when_the_last_lets_go(tenant: Tenant) -> None:
    tenant.apply(tenant.binding("api", "one", name="one"), tenant.binding("api", "two", name="two"))
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()

    tenant.delete("mtlshb/one")
    tenant.wait_gone("mtlshb/one")
    after_the_first = tenant.lists
    tenant.delete("mtlshb/two")
    tenant.wait_gone("mtlshb/two")

    assert after_the_first == {tenant.zone.name: {tenant.zone.host("api"), tenant.zone.host("two")}}
    assert tenant.lists == {}
    assert disorder(tenant.history, window=WINDOW) == []


def test_a_hostname_that_one_of_two_bindings_gives_up_stays_covered(tenant: Tenant) -> None:
    tenant.apply(tenant.binding("api", "one", name="one"), tenant.binding("api", name="two"))
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()
    begun = len(tenant.history)

    tenant.delete("mtlshb/one")
    tenant.wait_gone("mtlshb/one")

    assert not [each for each in tenant.history[begun:] if tenant.zone.host("api") not in tenant.guarded_after(each)]
    assert sights(tenant.rules()) == held_and_enforced(tenant.ca.key_identifier, tenant.zone.host("api"))


def test_a_hostname_handed_over_to_another_binding_is_never_taken_off(tenant: Tenant) -> None:
    tenant.apply(tenant.binding("api", "old", name="old"), tenant.binding("new", name="new"))
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()
    begun = len(tenant.history)

    tenant.apply(tenant.binding("new", "api", name="new"))
    tenant.wait_ready("mtlshb/new")
    tenant.apply(tenant.binding("old", name="old"))
    tenant.wait_ready("mtlshb/old")

    assert writes(tenant.history[begun:]) == []
    assert tenant.lists == {tenant.zone.name: {tenant.zone.host(label) for label in ("api", "old", "new")}}


def test_deleting_the_ca_first_waits_for_the_binding_and_says_so(tenant: Tenant) -> None:
    tenant.set_up()
    begun = len(tenant.history)

    tenant.delete("mtlsca/partners")
    message = tenant.wait_condition("mtlsca/partners", "Ready", "False", "InUse")

    assert f"MtlsHostBinding {tenant.namespace}/api" in message
    assert writes(tenant.history[begun:]) == []
    assert tenant.condition("mtlshb/api", "Ready")["status"] == "True"


def test_a_ca_that_is_being_deleted_accepts_no_new_binding(tenant: Tenant) -> None:
    tenant.set_up()
    tenant.delete("mtlsca/partners")
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "InUse")

    tenant.apply(tenant.binding("late", name="late"))

    message = tenant.wait_condition("mtlshb/late", "ResolvedRefs", "False", "CertificateAuthorityNotReady")
    assert "being deleted" in message
    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}


def test_a_tear_down_begins_with_the_rule_and_ends_with_the_certificate(tenant: Tenant) -> None:
    tenant.set_up()
    tenant.delete("mtlsca/partners")
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "InUse")
    begun = len(tenant.history)

    tenant.tear_down()

    assert writes(tenant.history[begun:]) == [
        "delete rule: enforce",
        "change rule: claim leaving",
        "write list",
        "delete rule: claim leaving",
        "delete certificate",
    ]
    assert disorder(tenant.history, window=WINDOW) == []


def test_nothing_of_ours_is_left_once_the_resources_are_gone(tenant: Tenant) -> None:
    tenant.set_up("api", "login")

    tenant.tear_down()

    assert tenant.certificates == []
    assert tenant.lists == {}
    assert tenant.rules() == ()


def test_a_binding_deleted_while_its_hostname_is_being_associated_leaves_nothing(tenant: Tenant) -> None:
    held = tenant.world.held

    def association(request: Request) -> bool:
        return request.method == "PUT" and tenant.sent(request)

    held.hold(tenant.world.simulation.faults, association, 0, Moment.AFTER)
    tenant.apply_set_up("api")
    until(lambda: held.names, "the association is on its way")

    tenant.delete("mtlshb/api")
    held.let_go()
    tenant.wait_gone("mtlshb/api")

    assert "write list" in told(tenant.history)
    assert tenant.lists == {}
    assert tenant.rules() == ()


def test_a_resource_that_is_deleted_and_made_again_at_once_is_in_force_in_the_end(tenant: Tenant) -> None:
    tenant.set_up("api")
    first = tenant.get("mtlshb/api")["metadata"]["uid"]

    tenant.delete("mtlshb/api")
    tenant.wait_gone("mtlshb/api")
    tenant.apply(tenant.binding("api", "login"))
    tenant.wait_ready()

    assert tenant.get("mtlshb/api")["metadata"]["uid"] != first
    hostnames = (tenant.zone.host("api"), tenant.zone.host("login"))
    assert sights(tenant.rules()) == held_and_enforced(tenant.ca.key_identifier, *hostnames)


def test_a_token_that_is_deleted_before_the_resources_still_cleans_up(tenant: Tenant) -> None:
    tenant.world.simulation.add_token(tenant.token, owner=OWNER)
    reference = {"name": "cloudflare", "key": "token"}
    tenant.apply(
        tenant.secret(),
        tenant.secret("cloudflare", token=tenant.token),
        tenant.authority(credentialsRef=reference),
        tenant.binding("api"),
    )
    tenant.wait_ready()

    tenant.delete("secret/cloudflare", "secret/partners")
    tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "SourceMissing")
    tenant.tear_down()

    assert tenant.certificates == []
    assert tenant.lists == {}
    assert tenant.rules() == ()
