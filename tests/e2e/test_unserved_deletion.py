"""A resource that asks for what it has to stay is deleted: it waits, and nothing is taken away."""

from __future__ import annotations

from tests.e2e.tenant import Tenant


def test_a_binding_to_be_retained_waits_with_everything_in_force_until_the_field_is_gone(tenant: Tenant) -> None:
    tenant.set_up("api")
    rules, begun = tenant.rules(), len(tenant.history)

    tenant.apply(tenant.binding("api", deletionPolicy="Retain"))
    tenant.wait_condition("mtlshb/api", "Accepted", "False", "UnsupportedValue")
    tenant.kubectl("delete", "mtlshb/api", "--wait=false")
    message = tenant.wait_condition("mtlshb/api", "Ready", "False", "DeletionBlocked")

    assert "spec.deletionPolicy: Retain" in message
    assert tenant.rules() == rules
    assert [handled for handled in tenant.history[begun:] if handled.entry.method != "GET"] == []

    tenant.kubectl("patch", "mtlshb/api", "--type=json", "-p", '[{"op":"remove","path":"/spec/deletionPolicy"}]')
    tenant.kubectl("wait", "--for=delete", "mtlshb/api", "--timeout=60s")

    assert tenant.rules() != rules


def test_a_ca_to_be_retained_keeps_its_certificate_until_it_is_let_go_as_an_orphan(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()

    tenant.apply(tenant.authority(deletionPolicy="Retain"))
    tenant.wait_condition("mtlsca/partners", "Accepted", "False", "UnsupportedValue")
    tenant.kubectl("delete", "mtlsca/partners", "--wait=false")
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "DeletionBlocked")
    begun = len(tenant.history)
    tenant.kubectl("annotate", "mtlsca/partners", "apishield-mtls.io/force-orphan=true")
    tenant.kubectl("wait", "--for=delete", "mtlsca/partners", "--timeout=60s")

    assert tenant.history[begun:] == []
