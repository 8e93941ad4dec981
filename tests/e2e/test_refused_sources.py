"""What only we can know of a CA's source: the right condition and event, and no call of Cloudflare at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.certificates import make_ca, make_intermediate, make_leaf
from tests.e2e.resources import as_list
from tests.e2e.tenant import Tenant
from tests.e2e.world import Handled, World


@dataclass(frozen=True, slots=True)
class Source:
    """A Secret's data, and what is wrong with it."""

    data: Mapping[str, str]
    reason: str
    named: str
    """What the message has to name, besides the Secret."""


ROOT = make_ca("Root of refusals")
SOURCES = {
    "no ca.crt": Source({"other.crt": ROOT.pem}, "KeyMissing", "no key ca.crt; its keys are: other.crt"),
    "empty": Source({"ca.crt": ""}, "InvalidCertificate", "holds no PEM block of type CERTIFICATE"),
    "not PEM": Source({"ca.crt": "partners"}, "InvalidCertificate", "holds no PEM block of type CERTIFICATE"),
    "a private key only": Source({"ca.crt": ROOT.key_pem}, "InvalidCertificate", "no PEM block of type CERTIFICATE"),
    "a client certificate": Source(
        {"ca.crt": make_leaf(ROOT, "some client").pem}, "InvalidCertificate", "(CN=some client) is not a CA"
    ),
    "no basic constraints": Source(
        {"ca.crt": make_ca("Old root", basic_constraints=False).pem}, "InvalidCertificate", "no Basic Constraints"
    ),
    "may not sign": Source(
        {"ca.crt": make_ca("Mute root", key_cert_sign=False).pem}, "InvalidCertificate", "lacks keyCertSign"
    ),
    "expired": Source({"ca.crt": make_ca("Late root", days=-1).pem}, "CertificateExpired", "(CN=Late root) expired on"),
    "Ed25519": Source(
        {"ca.crt": make_ca("Edward", key="ed25519").pem}, "InvalidCertificate", "RSA and ECDSA are supported"
    ),
    "RSA-PSS": Source(
        {"ca.crt": make_ca("Salty", key="rsa-pss").pem}, "InvalidCertificate", "RSA (PKCS #1 v1.5) or ECDSA"
    ),
    "one bad of two": Source(
        {"ca.crt": ROOT.pem + make_ca("Late root", days=-1).pem}, "CertificateExpired", "certificate 2 of 2"
    ),
    "two CAs to choose from": Source(
        {"ca.crt": ROOT.pem, "tls.crt": make_intermediate(ROOT).pem}, "KeyRequired", "name the key that is meant"
    ),
}


@dataclass
class Judged:
    """A tenant with a bad source: what was said of it, and what was asked of Cloudflare before it was repaired."""

    tenant: Tenant
    conditions: Mapping[str, Mapping[str, str]]
    warning: str
    asked: list[Handled]


@pytest.fixture(scope="module")
def judged(module_world: World) -> dict[str, Judged]:
    """A tenant for each bad source, side by side; afterwards each has a good one, and is ready."""
    tenants = {name: Tenant.arrive(module_world) for name in SOURCES}
    for name, tenant in tenants.items():
        module_world.apply(tenant.secret(**SOURCES[name].data), tenant.authority(), tenant.binding("api"))
    found = {name: judge(tenant, SOURCES[name]) for name, tenant in tenants.items()}
    secrets = [tenant.secret() for tenant in tenants.values()]
    module_world.cluster.kubectl("replace", "--filename", "-", stdin=json.dumps(as_list(secrets)))
    for tenant in tenants.values():
        tenant.wait_ready()
    return found


def judge(tenant: Tenant, source: Source) -> Judged:
    """Wait for what is said of a bad source."""
    conditions = tenant.wait_conditions("mtlsca/partners", "SourceResolved", source.reason)
    return Judged(tenant, conditions, tenant.wait_warning("partners", source.reason), list(tenant.history))


@pytest.mark.parametrize("name", SOURCES)
def test_a_bad_source_is_named_in_conditions_and_an_event_and_costs_no_call(
    judged: dict[str, Judged], name: str
) -> None:
    source, found = SOURCES[name], judged[name]
    message = found.conditions["SourceResolved"]["message"]

    assert [found.conditions[kind]["status"] for kind in ("Ready", "SourceResolved")] == ["False", "False"]
    assert found.conditions["Ready"]["reason"] == source.reason
    assert f"Secret {found.tenant.namespace}/partners" in message
    assert source.named in message
    assert message in found.warning
    assert found.asked == []


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_was_repaired_is_in_force_without_a_restart(judged: dict[str, Judged], name: str) -> None:
    tenant = judged[name].tenant

    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}


def test_a_secret_that_is_not_there_is_named_and_taken_up_when_it_comes(tenant: Tenant) -> None:
    tenant.apply(tenant.authority(), tenant.binding("api"))
    message = tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "SourceMissing")
    tenant.wait_condition("mtlshb/api", "ResolvedRefs", "False", "CertificateAuthorityNotReady")
    event = tenant.wait_warning("partners", "SourceMissing")
    asked = list(tenant.history)

    tenant.apply(tenant.secret())
    tenant.wait_ready()

    assert f"Secret {tenant.namespace}/partners does not exist" in message
    assert message in event
    assert asked == []


def test_a_named_key_that_is_not_there_is_named(tenant: Tenant) -> None:
    source = {"secretRef": {"name": "partners", "key": "root.pem"}}

    tenant.apply(tenant.secret(), tenant.authority(source=source))

    message = tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "KeyMissing")
    assert "no key root.pem; its keys are: ca.crt" in message
    assert tenant.history == []


def test_a_secret_deleted_while_its_ca_is_in_force_changes_nothing_at_cloudflare(tenant: Tenant) -> None:
    tenant.set_up("api")
    begun, rules = len(tenant.history), tenant.rules()

    tenant.run("delete", "secret/partners")
    tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "SourceMissing")

    assert tenant.history[begun:] == []
    assert tenant.rules() == rules
    assert tenant.condition("mtlsca/partners", "Uploaded")["status"] == "True"
