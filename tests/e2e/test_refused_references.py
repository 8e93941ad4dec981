"""What only we can know of what a resource refers to: the right condition and event, and nothing written for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from testbed.cloudflare.access import ALL_PERMISSIONS
from tests.certificates import make_ca
from tests.e2e import resources
from tests.e2e.resources import Manifest
from tests.e2e.story import uploads, writes
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until
from tests.e2e.world import OWNER, World

CLOUDFLARE = {"name": "cloudflare", "key": "token"}
UNKNOWN_TOKEN = "a-token-that-nobody-has-ever-made-1234"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A binding that is refused, with a CA that is in force."""

    binding: Callable[[Tenant], Manifest]
    condition: str
    reason: str
    named: Sequence[str]
    """What the message names; `{zone}` and `{namespace}` are the tenant's."""
    repair: Callable[[Tenant], None]


def outside_the_zone(tenant: Tenant) -> Manifest:
    return resources.binding(tenant.namespace, tenant.zone.by_id, tenant.zone.host("api"), "api.elsewhere.example")


def in_a_zone_of_another_account(tenant: Tenant) -> Manifest:
    neighbour = Tenant.arrive(tenant.world)
    return resources.binding(tenant.namespace, neighbour.zone.by_name, neighbour.zone.host("api"))


def with_a_ca_that_is_not_there(tenant: Tenant) -> Manifest:
    return tenant.binding("api", certificateAuthorityRef={"name": "absent"})


def with_a_ca_of_another_namespace(tenant: Tenant) -> Manifest:
    other = f"{tenant.namespace}-other"
    tenant.world.cluster.kubectl("create", "namespace", other)
    tenant.run(
        "--namespace", other, "create", "secret", "generic", "partners", f"--from-literal=ca.crt={tenant.ca.pem}"
    )
    tenant.apply_elsewhere(resources.authority(other, tenant.account))
    return tenant.binding("api", certificateAuthorityRef={"name": "partners", "namespace": other})


def of_a_hostname_that_the_ca_does_not_admit(tenant: Tenant) -> Manifest:
    tenant.apply(tenant.authority(allowedBindings={"hostnames": ["*.admitted.example"]}))
    return tenant.binding("api")


def with_a_token_that_is_not_there(tenant: Tenant) -> Manifest:
    return tenant.binding("api", credentialsRef=CLOUDFLARE)


def with_a_token_under_another_key(tenant: Tenant) -> Manifest:
    tenant.apply(tenant.secret("cloudflare", password="x"))
    return tenant.binding("api", credentialsRef=CLOUDFLARE)


def keep_only_the_hostname_inside(tenant: Tenant) -> None:
    tenant.apply(resources.binding(tenant.namespace, tenant.zone.by_id, tenant.zone.host("api")))


def make_the_ca(tenant: Tenant) -> None:
    tenant.apply(tenant.secret("absent"), tenant.authority("absent"))


def admit_all_namespaces(tenant: Tenant) -> None:
    other = f"{tenant.namespace}-other"
    admitted = {"namespaces": {"from": "All"}}
    tenant.apply_elsewhere(resources.authority(other, tenant.account, allowedBindings=admitted))


def admit_every_hostname(tenant: Tenant) -> None:
    tenant.apply(tenant.authority())


def bring_the_token(tenant: Tenant) -> None:
    tenant.world.simulation.add_token(tenant.token, owner=OWNER)
    tenant.apply(tenant.secret("cloudflare", token=tenant.token))


def bind_in_its_own_zone(tenant: Tenant) -> None:
    # A binding's zone cannot be changed, so the user makes the binding anew.
    tenant.delete("mtlshb/api")
    tenant.wait_gone("mtlshb/api")
    tenant.apply(tenant.binding("api"))


REFUSALS = {
    "a hostname outside its zone": Refusal(
        outside_the_zone,
        "Accepted",
        "HostnameNotInZone",
        ["{zone}", "api.elsewhere.example"],
        keep_only_the_hostname_inside,
    ),
    "a zone of another account": Refusal(
        in_a_zone_of_another_account, "ResolvedRefs", "ZoneNotInAccount", ["{account}"], bind_in_its_own_zone
    ),
    "a CA that is not there": Refusal(
        with_a_ca_that_is_not_there, "ResolvedRefs", "CertificateAuthorityMissing", ["{namespace}/absent"], make_the_ca
    ),
    "a CA that does not admit the namespace": Refusal(
        with_a_ca_of_another_namespace,
        "ResolvedRefs",
        "RefNotPermitted",
        ["{namespace}-other/partners", "spec.allowedBindings.namespaces"],
        admit_all_namespaces,
    ),
    "a CA that does not admit the hostname": Refusal(
        of_a_hostname_that_the_ca_does_not_admit,
        "ResolvedRefs",
        "RefNotPermitted",
        ["api.{zone}", "spec.allowedBindings.hostnames"],
        admit_every_hostname,
    ),
    "a token's Secret that is not there": Refusal(
        with_a_token_that_is_not_there,
        "ResolvedRefs",
        "CredentialsMissing",
        ["Secret {namespace}/cloudflare"],
        bring_the_token,
    ),
    "a token's Secret without the key": Refusal(
        with_a_token_under_another_key,
        "ResolvedRefs",
        "CredentialsMissing",
        ["Secret {namespace}/cloudflare", "key token"],
        bring_the_token,
    ),
}


def named(refusal: Refusal, tenant: Tenant) -> list[str]:
    """What the message has to name for this tenant."""
    facts = {"zone": tenant.zone.name, "namespace": tenant.namespace, "account": tenant.account}
    return [each.format(**facts) for each in refusal.named]


def ready_ca(tenant: Tenant) -> None:
    tenant.apply(tenant.secret(), tenant.authority())
    tenant.wait_ready()


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_binding_says_why_has_nothing_written_for_it_and_is_taken_up_when_repaired(
    tenant: Tenant, refusal: Refusal
) -> None:
    ready_ca(tenant)
    tenant.apply(refusal.binding(tenant))
    conditions = tenant.wait_conditions("mtlshb/api", refusal.condition, refusal.reason)
    message = conditions[refusal.condition]["message"]
    event = tenant.wait_warning("api", refusal.reason)
    written = writes(tenant.history)

    refusal.repair(tenant)
    tenant.wait_ready("mtlshb/api")

    assert [conditions[kind]["status"] for kind in ("Ready", refusal.condition)] == ["False", "False"]
    assert conditions["Ready"]["reason"] == refusal.reason
    assert [each for each in named(refusal, tenant) if each not in message] == []
    assert message in event
    assert written == ["create certificates"]
    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}


def test_a_zone_that_the_token_does_not_see_is_named_and_found_when_a_look_is_asked_for(tenant: Tenant) -> None:
    ready_ca(tenant)
    zone = f"unseen-{tenant.zone.name}"
    tenant.apply(resources.binding(tenant.namespace, {"name": zone}, f"api.{zone}"))
    message = tenant.wait_condition("mtlshb/api", "ResolvedRefs", "False", "ZoneNotFound")
    event = tenant.wait_warning("api", "ZoneNotFound")

    tenant.world.simulation.add_zone(f"f{tenant.zone.id[1:]}", zone, tenant.account)
    tenant.kubectl("annotate", "mtlshb/api", "apishield-mtls.io/reconcile-requested-at=now")
    tenant.wait_ready("mtlshb/api")

    assert zone in message
    assert message in event


def test_a_namespace_is_admitted_as_soon_as_it_has_the_label(tenant: Tenant) -> None:
    selected = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"partner": "yes"}}}}
    tenant.apply(tenant.secret(), tenant.authority(allowedBindings=selected), tenant.binding("api"))
    tenant.wait_condition("mtlshb/api", "ResolvedRefs", "False", "RefNotPermitted")

    tenant.kubectl("label", "namespace", tenant.namespace, "partner=yes")
    tenant.wait_ready()

    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}


def test_the_ca_of_another_namespace_that_admits_this_one_is_used(tenant: Tenant) -> None:
    binding = with_a_ca_of_another_namespace(tenant)
    admit_all_namespaces(tenant)

    tenant.apply(binding)
    tenant.wait_ready("mtlshb/api")

    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}


def test_a_token_that_cloudflare_does_not_know_is_said_and_replaced_within_moments(tenant: Tenant) -> None:
    tenant.apply(
        tenant.secret(),
        tenant.secret("cloudflare", token=UNKNOWN_TOKEN),
        tenant.authority(credentialsRef=CLOUDFLARE),
        tenant.binding("api"),
    )
    tenant.wait_condition("mtlsca/partners", "Ready", "False", "CredentialsInvalid")
    tenant.wait_warning("partners", "CredentialsInvalid")
    written = writes(tenant.history)

    bring_the_token(tenant)
    tenant.wait_ready()

    assert written == []
    assert len(uploads(tenant.history)) == 1


def test_a_token_so_fresh_that_it_is_refused_for_a_while_is_waited_for(tenant: Tenant) -> None:
    tenant.world.simulation.add_token(tenant.token, owner=OWNER, fresh_for=1.0)
    tenant.apply(
        tenant.secret(), tenant.secret("cloudflare", token=tenant.token), tenant.authority(credentialsRef=CLOUDFLARE)
    )

    tenant.wait_ready()

    refused = [each.entry.status for each in tenant.history if each.entry.status == 403]
    assert refused != []
    assert len(uploads(tenant.history)) == 1


def test_a_sixth_ca_waits_for_a_slot_and_names_what_occupies_them(tenant: Tenant) -> None:
    simulation = tenant.world.simulation
    held = [simulation.add_certificate(tenant.account, make_ca(f"Other {n}").pem, name=f"other-{n}") for n in range(5)]
    tenant.apply(tenant.secret(), tenant.authority())
    message = tenant.wait_condition("mtlsca/partners", "QuotaAvailable", "False", "QuotaExhausted")
    tenant.wait_warning("partners", "QuotaExhausted")
    written = writes(tenant.history)

    simulation.install(lambda state: state.without_certificate(tenant.account, held[0]), settled=False)
    tenant.wait_ready()

    assert [name for name in (f"other-{n}" for n in range(5)) if name not in message] == []
    assert written == []
    assert tenant.ca.fingerprint in {each.fingerprints[0] for each in tenant.certificates}


def test_a_second_binding_with_another_ca_for_the_hostname_is_told_who_has_it(tenant: Tenant) -> None:
    tenant.set_up("api")
    rival = make_ca(f"Rival in {tenant.namespace}")
    tenant.apply(tenant.secret("rival", **{"ca.crt": rival.pem}), tenant.authority("rival"))
    tenant.wait_ready("mtlsca/rival")
    begun, rules = len(tenant.history), tenant.rules()

    tenant.apply(tenant.binding("api", name="second", certificateAuthorityRef={"name": "rival"}))
    message = tenant.wait_condition("mtlshb/second", "Associated", "False", "Conflicted")

    assert tenant.zone.host("api") in message
    assert f"{tenant.namespace}/api" in message
    assert tenant.wait_warning("second", "Conflicted")
    assert writes(tenant.history[begun:]) == []
    assert tenant.rules() == rules


LACKING = {
    "ssl_certs:edit": ("mtlsca/partners", "mtls_certificates"),
    "zone_ssl:edit": ("mtlshb/api", "hostname_associations"),
    "waf:edit": ("mtlshb/api", "rulesets"),
}


@pytest.fixture(scope="module", autouse=True)
def underprivileged(module_world: World) -> dict[str, Tenant]:
    """A tenant for each permission that its token lacks. All at once, and from the beginning of the module: it takes
    half a minute until a refusal is no longer put down to the token's being fresh."""
    tenants = {}
    for permission in LACKING:
        tenant = Tenant.arrive(module_world)
        tenant.world.simulation.add_token(tenant.token, owner=OWNER, permissions=ALL_PERMISSIONS - {permission})
        tenant.apply(
            tenant.secret(),
            tenant.secret("cloudflare", token=tenant.token),
            tenant.authority(credentialsRef=CLOUDFLARE),
            tenant.binding("api"),
        )
        tenants[permission] = tenant
    return tenants


@pytest.mark.parametrize("permission", LACKING)
def test_a_token_that_lacks_a_permission_is_said_to_and_works_as_soon_as_it_is_replaced(
    underprivileged: dict[str, Tenant], permission: str
) -> None:
    tenant, (what, endpoint) = underprivileged[permission], LACKING[permission]
    message = tenant.wait_condition(what, "Ready", "False", "CredentialsInsufficient")
    tenant.wait_warning(what.split("/")[1], "CredentialsInsufficient")
    refused = [each for each in tenant.history if each.entry.status == 403]

    better = f"better-{tenant.token}"
    tenant.world.simulation.add_token(better, owner=OWNER)
    tenant.apply(tenant.secret("cloudflare", token=better))
    tenant.wait_ready()

    assert endpoint in message
    assert len(refused) <= 8
    until(lambda: tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}, "the hostname is on its list")
