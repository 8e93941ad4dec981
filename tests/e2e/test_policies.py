"""What a user may ask for besides the main job: to leave a resource alone, to let go of it with everything in force."""

from __future__ import annotations

from tests.e2e.story import writes
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until


def lift_suspend(tenant: Tenant, what: str) -> None:
    tenant.kubectl("patch", what, "--type=json", "--patch", '[{"op":"remove","path":"/spec/suspend"}]')


def test_a_suspended_binding_keeps_what_it_has_until_it_is_lifted(tenant: Tenant) -> None:
    tenant.set_up("api")
    begun, lists = len(tenant.history), tenant.lists

    tenant.apply(tenant.binding("login", suspend=True))
    conditions = tenant.wait_conditions("mtlshb/api", "Ready", "Suspended")

    assert (conditions["Ready"]["status"], conditions["Reconciling"]["status"]) == ("False", "True")
    assert writes(tenant.history[begun:]) == []
    assert tenant.lists == lists

    lift_suspend(tenant, "mtlshb/api")
    tenant.wait_ready()

    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("login")}}


def test_a_suspended_binding_that_is_deleted_waits_and_then_leaves_nothing(tenant: Tenant) -> None:
    tenant.set_up("api")
    tenant.apply(tenant.binding("api", suspend=True))
    tenant.wait_condition("mtlshb/api", "Ready", "False", "Suspended")
    begun, rules = len(tenant.history), tenant.rules()

    tenant.delete("mtlshb/api")
    until(lambda: "deleted" in tenant.condition("mtlshb/api", "Ready")["message"], "the deletion waits")
    tenant.apply(tenant.binding("other", name="other"))
    tenant.wait_ready("mtlshb/other")

    assert "force-orphan" in tenant.condition("mtlshb/api", "Ready")["message"]
    assert tenant.zone.host("api") in tenant.guarded_after(tenant.history[-1])
    assert rules[0].id in {rule.id for rule in tenant.rules()}
    assert "delete rule: enforce" not in writes(tenant.history[begun:])

    lift_suspend(tenant, "mtlshb/api")
    tenant.wait_gone("mtlshb/api")

    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("other")}}


def test_a_suspended_ca_is_neither_uploaded_nor_deleted(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority(suspend=True))
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "Suspended")
    before = tenant.certificates

    lift_suspend(tenant, "mtlsca/partners")
    tenant.wait_ready("mtlsca/partners")
    tenant.apply(tenant.authority(suspend=True))
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "Suspended")
    tenant.delete("mtlsca/partners")
    tenant.apply(tenant.binding("api"))
    tenant.wait_condition("mtlshb/api", "ResolvedRefs", "False", "CertificateAuthorityNotReady")

    assert before == []
    assert len(tenant.certificates) == 1

    tenant.delete("mtlshb/api")
    lift_suspend(tenant, "mtlsca/partners")
    tenant.wait_gone("mtlsca/partners")

    assert tenant.certificates == []


def test_bindings_of_a_suspended_ca_go_on_with_the_certificate_that_its_status_names(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()
    tenant.apply(tenant.authority(suspend=True))
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "Suspended")

    tenant.apply(tenant.binding("api"))
    tenant.wait_ready("mtlshb/api")

    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}
