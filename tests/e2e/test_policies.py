"""What a user may ask for besides the main job: to leave a resource alone, to let go of it with everything in force."""

from __future__ import annotations

from tests.e2e.expected_rules import held_and_enforced, sights
from tests.e2e.story import uploads, writes
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until


def lift_suspend(tenant: Tenant, what: str) -> None:
    tenant.kubectl("patch", what, "--type=json", "--patch", '[{"op":"remove","path":"/spec/suspend"}]')


def plan_of(tenant: Tenant, what: str) -> list[str]:
    found: list[str] = tenant.get(what)["status"].get("plan", [])
    return found


def hostname_states(tenant: Tenant) -> dict[str, str]:
    """How far each hostname of the binding is, by its first label."""
    found = tenant.get("mtlshb/api")["status"]["hostnames"]
    return {each["name"].split(".")[0]: each["state"] for each in found}


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


def test_a_retained_binding_is_let_go_of_with_everything_in_force(tenant: Tenant) -> None:
    tenant.set_up("api")
    tenant.apply(tenant.binding("api", deletionPolicy="Retain"))
    begun = len(tenant.history)

    tenant.delete("mtlshb/api")
    tenant.wait_gone("mtlshb/api")

    (rule,) = tenant.rules()
    assert rule.description.endswith(" retained")
    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}
    assert writes(tenant.history[begun:]) == ["change rule: enforce", "delete rule: claim held"]
    assert not [each for each in tenant.history[begun:] if tenant.zone.host("api") not in tenant.guarded_after(each)]


def test_what_was_retained_is_adopted_when_it_is_created_again_without_any_id(tenant: Tenant) -> None:
    tenant.apply(
        tenant.secret(), tenant.authority(deletionPolicy="Retain"), tenant.binding("api", deletionPolicy="Retain")
    )
    tenant.wait_ready()
    (certificate,) = tenant.certificates
    tenant.tear_down()
    left = tenant.certificates
    begun = len(tenant.history)

    tenant.set_up("api")

    assert left == [certificate]
    assert tenant.get("mtlsca/partners")["status"]["certificateId"] == certificate.id
    assert uploads(tenant.history[begun:]) == []
    assert sights(tenant.rules()) == held_and_enforced(tenant.ca.key_identifier, tenant.zone.host("api"))
    assert not [each for each in tenant.history[begun:] if tenant.zone.host("api") not in tenant.guarded_after(each)]

    tenant.tear_down()

    assert (tenant.certificates, tenant.lists, tenant.rules()) == ([], {}, ())


def test_a_ca_whose_hostnames_were_retained_is_released_and_its_certificate_stays(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority(), tenant.binding("api", deletionPolicy="Retain"))
    tenant.wait_ready()

    tenant.tear_down()

    assert len(tenant.certificates) == 1
    assert "stays at Cloudflare" in tenant.wait_warning("partners", "CertificateKept")


def test_a_retained_ca_goes_with_its_last_binding_and_its_certificate_stays(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority(deletionPolicy="Retain"), tenant.binding("api"))
    tenant.wait_ready()
    tenant.delete("mtlsca/partners")
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "InUse")

    tenant.tear_down()

    assert len(tenant.certificates) == 1
    assert (tenant.lists, tenant.rules()) == ({}, ())


def test_a_policy_that_is_changed_during_the_deletion_takes_effect_at_once(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority(), tenant.binding("api", deletionPolicy="Retain", suspend=True))
    tenant.wait_condition("mtlshb/api", "Ready", "False", "Suspended")
    lift_suspend(tenant, "mtlshb/api")
    tenant.wait_ready()
    tenant.apply(tenant.binding("api", deletionPolicy="Retain", suspend=True))
    tenant.wait_condition("mtlshb/api", "Ready", "False", "Suspended")
    tenant.delete("mtlshb/api")

    tenant.apply(tenant.binding("api", deletionPolicy="Delete"))
    tenant.tear_down()

    assert (tenant.certificates, tenant.lists, tenant.rules()) == ([], {}, ())


def test_a_ca_that_adopts_nothing_waits_until_the_unmarked_one_is_gone(tenant: Tenant) -> None:
    foreign = tenant.world.simulation.add_certificate(tenant.account, tenant.ca.pem, name="made by hand")
    begun = len(tenant.history)
    tenant.apply(tenant.secret(), tenant.authority(adoptionPolicy="Never"))
    message = tenant.wait_condition("mtlsca/partners", "Uploaded", "False", "AdoptionRefused")

    assert foreign in message
    assert writes(tenant.history[begun:]) == []

    tenant.apply(tenant.authority())
    tenant.wait_ready()

    assert tenant.get("mtlsca/partners")["status"]["certificateId"] == foreign
    assert uploads(tenant.history[begun:]) == []


def test_a_hostname_that_somebody_else_associated_stays_theirs_and_the_others_come(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()
    (certificate,) = tenant.certificates
    tenant.world.simulation.put_foreign_hostnames(tenant.zone.id, certificate.id, {tenant.zone.host("theirs")})

    tenant.apply(tenant.binding("theirs", "ours", adoptionPolicy="Never"))
    conditions = tenant.wait_conditions("mtlshb/api", "Ready", "AdoptionRefused")
    until(lambda: hostname_states(tenant)["ours"] == "Enforced", "the other hostname is enforced")

    assert tenant.zone.host("theirs") in conditions["Associated"]["message"]
    assert conditions["Stalled"]["status"] == "True"
    assert hostname_states(tenant) == {"ours": "Enforced", "theirs": "Refused"}
    assert sights(tenant.rules()) == held_and_enforced(tenant.ca.key_identifier, tenant.zone.host("ours"))

    tenant.delete("mtlshb/api")
    tenant.wait_gone("mtlshb/api")

    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("theirs")}}


def test_an_observed_ca_says_what_it_would_upload_and_uploads_nothing(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority(managementPolicy="Observe"))
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "Observed")
    (line,) = until(lambda: plan_of(tenant, "mtlsca/partners"), "a plan")

    assert line.startswith("upload 1 CA certificate(s)")
    assert writes(tenant.history) == []
    assert "finalizers" not in tenant.get("mtlsca/partners")["metadata"]

    tenant.tear_down()

    assert tenant.certificates == []


def test_the_plan_of_an_observed_binding_is_what_is_done_when_it_is_managed(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()
    (certificate,) = tenant.certificates
    host, begun = tenant.zone.host("api"), len(tenant.history)

    tenant.apply(tenant.binding("api", managementPolicy="Observe"))
    tenant.wait_condition("mtlshb/api", "Ready", "False", "Observed")
    plan = until(lambda: plan_of(tenant, "mtlshb/api"), "a plan")
    observed = writes(tenant.history[begun:])
    tenant.apply(tenant.binding("api"))
    tenant.wait_ready()

    assert observed == []
    assert plan == [
        f"claim {host} as arriving on certificate {certificate.id}",
        f"associate {host} with certificate {certificate.id}",
        f"claim {host} as held on certificate {certificate.id}",
        f"block requests to {host} without a client certificate issued by {tenant.ca.key_identifier}",
    ]
    assert writes(tenant.history[begun:]) == [
        "create ruleset: claim arriving",
        "write list",
        "change rule: claim held",
        "create rule: enforce",
    ]
    assert plan_of(tenant, "mtlshb/api") == []


def test_what_is_in_force_of_a_binding_that_is_observed_from_now_on_stays_and_is_left_so(tenant: Tenant) -> None:
    tenant.set_up("api")
    begun, rules = len(tenant.history), tenant.rules()

    tenant.apply(tenant.binding("login", managementPolicy="Observe"))
    tenant.wait_condition("mtlshb/api", "Ready", "False", "Observed")
    until(lambda: len(plan_of(tenant, "mtlshb/api")) > 1, "a plan")

    assert writes(tenant.history[begun:]) == []
    assert tenant.rules() == rules
    assert f"take {tenant.zone.host('api')} off the list" in "; ".join(plan_of(tenant, "mtlshb/api"))

    tenant.delete("mtlshb/api")
    tenant.wait_gone("mtlshb/api")

    (rule,) = tenant.rules()
    assert rule.description.endswith(" retained")
    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}


def test_an_observed_binding_that_has_all_it_asks_for_is_ready_and_says_the_same_on_and_on(tenant: Tenant) -> None:
    tenant.set_up("api")
    tenant.apply(tenant.binding("api", managementPolicy="Observe"))
    tenant.wait_condition("mtlshb/api", "Ready", "True", "Observed")
    version = tenant.get("mtlshb/api")["metadata"]["resourceVersion"]

    tenant.apply(tenant.binding("other", name="other"))
    tenant.wait_ready("mtlshb/other")

    assert tenant.get("mtlshb/api")["metadata"]["resourceVersion"] == version
