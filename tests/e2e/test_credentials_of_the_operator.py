"""The operator's own token serves only whom the chart's values name, and there need not be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until
from tests.e2e.world import OWNER, World

CLOUDFLARE = {"name": "cloudflare", "key": "token"}
NO_TOKEN: Mapping[str, Any] = {"cloudflare": {"token": {"value": None}}}


@pytest.fixture(scope="module")
def guest(module_world: World) -> Tenant:
    """The only user that the operator's token serves."""
    return Tenant.arrive(module_world)


@pytest.fixture(scope="module")
def restricted(module_world: World, guest: Tenant) -> Iterator[World]:
    """The operator whose token serves the guest's namespace only, and there only hostnames that begin with api."""
    allowed = [{"namespaces": [guest.namespace], "hostnames": [guest.zone.host("api"), f"*.api.{guest.zone.name}"]}]
    with module_world.configured({"operatorCredentials": {"allowed": allowed}}):
        yield module_world


def give_its_own_token(tenant: Tenant) -> None:
    """A Secret with a token, named by the CA."""
    tenant.world.simulation.add_token(tenant.token, owner=OWNER)
    tenant.apply(tenant.secret("cloudflare", token=tenant.token), tenant.authority(credentialsRef=CLOUDFLARE))


def test_without_any_token_a_resource_says_so_and_goes_on_when_it_gets_one(world: World) -> None:
    tenant = Tenant.arrive(world)
    with world.configured(NO_TOKEN):
        tenant.apply_set_up("api")
        message = tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "CredentialsMissing")
        tenant.wait_warning("partners", "CredentialsMissing")
        asked = list(tenant.history)

        give_its_own_token(tenant)
        tenant.wait_ready()

    assert "spec.credentialsRef" in message
    assert asked == []
    until(lambda: tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}, "the hostname is on its list")


def test_whom_the_values_do_not_name_is_refused_the_operators_token(restricted: World) -> None:
    stranger = Tenant.arrive(restricted)
    stranger.apply_set_up("api")

    message = stranger.wait_condition("mtlsca/partners", "SourceResolved", "False", "RefNotPermitted")
    stranger.wait_warning("partners", "RefNotPermitted")

    assert f"namespace {stranger.namespace}" in message
    assert "operatorCredentials.allowed" in message
    assert stranger.history == []


def test_who_is_refused_the_operators_token_is_served_with_one_of_its_own(restricted: World) -> None:
    stranger = Tenant.arrive(restricted)
    stranger.apply_set_up("api")
    stranger.wait_condition("mtlsca/partners", "SourceResolved", "False", "RefNotPermitted")

    give_its_own_token(stranger)
    stranger.wait_ready()

    assert {each.entry.token_label for each in stranger.history} == {OWNER}
    assert stranger.lists == {stranger.zone.name: {stranger.zone.host("api")}}


def test_a_hostname_that_the_values_do_not_name_is_refused_the_operators_token(
    restricted: World, guest: Tenant
) -> None:
    guest.apply_set_up("login")
    message = guest.wait_condition("mtlshb/api", "ResolvedRefs", "False", "RefNotPermitted")
    guest.wait_warning("api", "RefNotPermitted")
    untouched = guest.lists

    guest.apply(guest.binding("api", "v1.api"))
    guest.wait_ready()

    assert "operatorCredentials.allowed" in message
    assert untouched == {}
    assert guest.lists == {guest.zone.name: {guest.zone.host("api"), guest.zone.host("v1.api")}}
