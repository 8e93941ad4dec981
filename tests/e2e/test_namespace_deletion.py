"""Namespaces are deleted by the real controllers, with everything in them and in the order in which it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from testbed.controlplane import ControlPlane
from tests.e2e import resources
from tests.e2e.expected_rules import Sight, held_and_enforced, sights
from tests.e2e.story import disorder
from tests.e2e.tenant import RESOURCES, Tenant
from tests.e2e.waiting import PATIENCE
from tests.e2e.world import OWNER, WINDOW, World, cloudflare, world_on

CLOUDFLARE = {"name": "cloudflare", "key": "token"}


@pytest.fixture(scope="module")
def world_with_controllers(control_plane_with_controllers: ControlPlane) -> Iterator[World]:
    """A world whose namespaces go when they are deleted."""
    with cloudflare() as api, world_on(control_plane_with_controllers, api) as world:
        yield world
        violations = [str(each) for each in world.simulation.monitor.finish()]
    assert not violations, "\n".join(violations)


def set_up_with_a_token_of_its_own(tenant: Tenant) -> None:
    """Two bindings in two zones, a CA, and Secrets with the CA and with the token, all in one namespace."""
    tenant.world.simulation.add_token(tenant.token, owner=OWNER)
    tenant.apply(
        tenant.secret(),
        tenant.secret("cloudflare", token=tenant.token),
        tenant.authority(credentialsRef=CLOUDFLARE),
        *(tenant.binding("api", "login", zone=zone, name=f"in-{zone.id[0]}") for zone in tenant.zones),
    )


def set_up_with_a_ca_of_another_namespace(tenant: Tenant) -> None:
    """A binding, and the CA that it refers to in the namespace `elsewhere`."""
    other = elsewhere(tenant)
    tenant.apply_elsewhere(
        resources.namespace(other),
        resources.secret(other, "partners", {"ca.crt": tenant.ca.pem}),
        resources.authority(other, tenant.account, allowedBindings={"namespaces": {"from": "All"}}),
    )
    tenant.apply(tenant.binding("api", certificateAuthorityRef={"name": "partners", "namespace": other}))


def elsewhere(tenant: Tenant) -> str:
    return f"{tenant.namespace}-other"


def delete_namespace(tenant: Tenant, name: str) -> None:
    """Without waiting."""
    tenant.world.cluster.kubectl("delete", "namespace", name, "--wait=false")


def wait_until_namespace_is_gone(tenant: Tenant, name: str) -> None:
    tenant.world.cluster.kubectl("wait", "--for=delete", f"namespace/{name}", f"--timeout={PATIENCE:.0f}s")


def left_at_cloudflare(tenant: Tenant) -> list[object]:
    """What there still is of the tenant's."""
    return [
        *tenant.certificates,
        *tenant.lists.items(),
        *(rule for zone in tenant.zones for rule in tenant.rules(zone)),
    ]


def both_of_both_zones(tenant: Tenant) -> dict[str, set[str]]:
    """The lists of `set_up_with_a_token_of_its_own`."""
    return {zone.name: {zone.host("api"), zone.host("login")} for zone in tenant.zones}


@dataclass
class Course:
    """Four users whose namespaces were deleted side by side, and what was in force when only the Secrets were gone, or
    the namespace of the CA was to go."""

    whole: Tenant
    secrets_first: Tenant
    binding_alone: Tenant
    ca_first: Tenant
    without_secrets: dict[str, frozenset[str]] = field(default_factory=dict)
    while_in_use: list[Sight] = field(default_factory=list)

    def run(self) -> None:
        for tenant in (self.whole, self.secrets_first):
            set_up_with_a_token_of_its_own(tenant)
        for tenant in (self.binding_alone, self.ca_first):
            set_up_with_a_ca_of_another_namespace(tenant)
        for tenant in (self.whole, self.secrets_first, self.binding_alone, self.ca_first):
            tenant.wait_ready()
        delete_namespace(self.whole, self.whole.namespace)
        delete_namespace(self.binding_alone, self.binding_alone.namespace)
        self._delete_with_secrets_first(self.secrets_first)
        self._delete_with_ca_first(self.ca_first)
        for tenant in (self.whole, self.secrets_first, self.binding_alone):
            wait_until_namespace_is_gone(tenant, tenant.namespace)
        wait_until_namespace_is_gone(self.ca_first, elsewhere(self.ca_first))

    def _delete_with_secrets_first(self, tenant: Tenant) -> None:
        tenant.kubectl("delete", "secrets", "--all")
        tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "SourceMissing")
        self.without_secrets = tenant.lists
        delete_namespace(tenant, tenant.namespace)

    def _delete_with_ca_first(self, tenant: Tenant) -> None:
        other, patience = elsewhere(tenant), f"--timeout={PATIENCE:.0f}s"
        delete_namespace(tenant, other)
        in_use = "--for=jsonpath={.status.conditions[?(@.type=='Ready')].reason}=InUse"
        tenant.run("--namespace", other, "wait", in_use, patience, "mtlsca/partners")
        self.while_in_use = sights(tenant.rules())
        tenant.delete("mtlshb/api")


@pytest.fixture(scope="module")
def course(world_with_controllers: World) -> Course:
    whole, secrets_first, binding_alone, ca_first = (Tenant.arrive(world_with_controllers, zones=2) for _ in range(4))
    course = Course(whole, secrets_first, binding_alone, ca_first)
    course.run()
    return course


def test_a_namespace_that_is_deleted_is_cleaned_up_at_cloudflare_and_goes(course: Course) -> None:
    assert left_at_cloudflare(course.whole) == []
    assert disorder(course.whole.history, window=WINDOW) == []


def test_a_namespace_whose_secrets_go_first_stays_in_force_and_is_cleaned_up_all_the_same(course: Course) -> None:
    tenant = course.secrets_first

    assert course.without_secrets == both_of_both_zones(tenant)
    assert left_at_cloudflare(tenant) == []
    assert disorder(tenant.history, window=WINDOW) == []


def test_the_namespace_of_a_ca_waits_for_the_bindings_of_others_and_goes_with_the_last(course: Course) -> None:
    tenant = course.ca_first

    assert course.while_in_use == held_and_enforced(tenant.ca.key_identifier, tenant.zone.host("api"))
    assert left_at_cloudflare(tenant) == []
    assert disorder(tenant.history, window=WINDOW) == []


def test_the_namespace_of_a_binding_goes_and_the_ca_of_another_stays(course: Course) -> None:
    tenant = course.binding_alone
    left = tenant.run("--namespace", elsewhere(tenant), "get", RESOURCES, "--output=name").stdout.split()

    assert left == ["mtlscertificateauthority.apishield-mtls.io/partners"]
    assert [each.fingerprints for each in tenant.certificates] == [(tenant.ca.fingerprint,)]
    assert (tenant.lists, tenant.rules()) == ({}, ())


def test_where_a_process_died_with_the_token_whose_secret_is_gone_another_token_lets_the_namespace_go(
    world_with_controllers: World,
) -> None:
    world, tenant = world_with_controllers, Tenant.arrive(world_with_controllers, zones=2)
    set_up_with_a_token_of_its_own(tenant)
    tenant.wait_ready()
    world.crash()
    delete_namespace(tenant, tenant.namespace)
    tenant.wait_gone("secret/cloudflare")
    world.restart()
    messages = [
        tenant.wait_condition(f"mtlshb/in-{zone.id[0]}", "Ready", "False", "DeletionBlocked") for zone in tenant.zones
    ]
    in_force = tenant.lists

    # The operator's own token serves this namespace, too.
    no_reference = '[{"op": "remove", "path": "/spec/credentialsRef"}]'
    tenant.kubectl("patch", "mtlsca/partners", "--type=json", f"--patch={no_reference}")
    wait_until_namespace_is_gone(tenant, tenant.namespace)

    assert [message for message in messages if "spec.credentialsRef" not in message] == []
    assert in_force == both_of_both_zones(tenant)
    assert left_at_cloudflare(tenant) == []
