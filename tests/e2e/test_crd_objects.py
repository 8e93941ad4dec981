"""What a valid object becomes on a real API server: exactly what was applied, however often it is applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mtls_operator.api import (
    CertificateAuthorityStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    HostBindingStatus,
    MtlsCertificateAuthority,
    MtlsHostBinding,
    Reason,
)
from mtls_operator.api.certificate_authority import Quota, RetiringCertificates, RotationStatus
from mtls_operator.api.host_binding import HostnameStatus, ManagedHostnames, ManagedRule
from testbed.controlplane import ControlPlane
from tests.e2e.crd_installation import apply, install, read, version
from tests.e2e.crd_objects import (
    FULL_CERTIFICATE_AUTHORITY,
    FULL_HOST_BINDING,
    certificate_authority,
    host_binding,
)

MOMENT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
CERTIFICATE_ID = "2458ce5a-0c35-4c7f-82c7-8e9487d3ff60"
READY = Condition(
    type=ConditionType.READY,
    status=ConditionStatus.TRUE,
    reason=Reason.RECONCILED,
    message="1 hostname is closed to everyone without a certificate of this CA",
    observed_generation=1,
    last_transition_time=MOMENT,
)

Make = Callable[[str], dict[str, Any]]


def full_certificate_authority(namespace: str) -> dict[str, Any]:
    """Every field of the spec."""
    return certificate_authority(namespace, **FULL_CERTIFICATE_AUTHORITY)


def full_host_binding(namespace: str) -> dict[str, Any]:
    """Every field of the spec."""
    return host_binding(namespace, **FULL_HOST_BINDING)


every_object = pytest.mark.parametrize(
    "make", [certificate_authority, host_binding, full_certificate_authority, full_host_binding]
)


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """The control plane, with our CRDs."""
    install(control_plane)
    return control_plane


def write_status(cluster: ControlPlane, manifest: dict[str, Any], status: dict[str, Any]) -> None:
    """As the operator does: a merge patch of the status subresource."""
    metadata, patch = manifest["metadata"], json.dumps({"status": status})
    place = ("--namespace", metadata["namespace"], "--subresource", "status", "--type", "merge")
    cluster.kubectl("patch", manifest["kind"], metadata["name"], *place, "--patch", patch)


@every_object
def test_a_valid_object_is_stored_exactly_as_it_was_applied(cluster: ControlPlane, namespace: str, make: Make) -> None:
    manifest = make(namespace)

    apply(cluster, manifest)

    assert read(cluster, manifest)["spec"] == manifest["spec"]


@every_object
def test_applying_again_client_side_changes_nothing(cluster: ControlPlane, namespace: str, make: Make) -> None:
    manifest = make(namespace)
    apply(cluster, manifest)
    before = version(read(cluster, manifest))

    apply(cluster, manifest)

    assert version(read(cluster, manifest)) == before


@every_object
def test_applying_again_server_side_changes_nothing(cluster: ControlPlane, namespace: str, make: Make) -> None:
    manifest = make(namespace)
    apply(cluster, manifest, "--server-side")
    before = version(read(cluster, manifest))

    apply(cluster, manifest, "--server-side")

    assert version(read(cluster, manifest)) == before


@every_object
def test_applying_after_a_status_was_written_leaves_both_alone(
    cluster: ControlPlane, namespace: str, make: Make
) -> None:
    manifest = make(namespace)
    apply(cluster, manifest)
    write_status(cluster, manifest, {"observedGeneration": 1, "conditions": [READY.to_wire()]})
    before = read(cluster, manifest)

    answer = apply(cluster, manifest)

    assert "unchanged" in answer.stdout
    assert read(cluster, manifest) == before


def test_applying_the_crds_again_changes_nothing(cluster: ControlPlane) -> None:
    before = cluster.kubectl("get", "crd", "--output", "jsonpath={.items[*].metadata.resourceVersion}").stdout

    install(cluster)

    assert cluster.kubectl("get", "crd", "--output", "jsonpath={.items[*].metadata.resourceVersion}").stdout == before


def test_as_many_and_as_long_hostnames_as_admitted_are_within_the_cost_limit_of_cel(
    cluster: ControlPlane, namespace: str
) -> None:
    padding = ".".join(["a" * 60, "b" * 60, "c" * 60, "d" * 54])
    hostnames = [f"{number:03}.{padding}.example.com" for number in range(500)]
    manifest = host_binding(namespace, hostnames=hostnames)

    apply(cluster, manifest)

    assert max(map(len, hostnames)) == 253
    assert read(cluster, manifest)["spec"]["hostnames"] == hostnames


def test_everything_in_a_status_of_a_certificate_authority_is_kept_by_the_api_server(
    cluster: ControlPlane, namespace: str
) -> None:
    manifest = certificate_authority(namespace)
    apply(cluster, manifest)
    status = CertificateAuthorityStatus(
        observed_generation=1,
        conditions=(READY,),
        effective=MtlsCertificateAuthority.parse(manifest).effective(),
        certificate_id=CERTIFICATE_ID,
        ownership="Created",
        pending_upload=("ab" * 32,),
        fingerprints=("cd" * 32, "ef" * 32),
        subject="CN=Partners",
        not_after=MOMENT + timedelta(days=365),
        key_identifiers=("0A1B2C3D",),
        rotation=RotationStatus(phase="Overlap", target=("ab" * 32,), started_at=MOMENT),
        retiring=(RetiringCertificates(certificate_id=None, fingerprints=("ab" * 32,), retire_after=MOMENT),),
        bindings=2,
        hostnames=3,
        quota=Quota(used=1, limit=5),
        plan=("upload the certificates",),
        last_handled_reconcile_at="now",
    )

    write_status(cluster, manifest, status.to_wire())

    assert MtlsCertificateAuthority.parse(read(cluster, manifest)).status == status


def test_everything_in_a_status_of_a_host_binding_is_kept_by_the_api_server(
    cluster: ControlPlane, namespace: str
) -> None:
    manifest = host_binding(namespace)
    apply(cluster, manifest)
    status = HostBindingStatus(
        observed_generation=1,
        conditions=(READY,),
        effective=MtlsHostBinding.parse(full_host_binding(namespace)).effective(),
        zone_id="f" * 32,
        zone_name="example.com",
        account_id="a" * 32,
        certificate_authority_not_after=MOMENT,
        managed=(ManagedHostnames(certificate_id=CERTIFICATE_ID, hostnames=("api.example.com",)),),
        hostnames=(HostnameStatus(name="api.example.com", state="Enforced", message="covered"),),
        hostnames_ready="1/1",
        rules=(ManagedRule(id="f" * 32, ref="mtls_operator_1"),),
        plan=("create the rule",),
        last_handled_reconcile_at="now",
    )

    write_status(cluster, manifest, status.to_wire())

    assert MtlsHostBinding.parse(read(cluster, manifest)).status == status


def test_the_columns_of_a_certificate_authority_answer_the_questions_of_a_user(
    cluster: ControlPlane, namespace: str
) -> None:
    manifest = certificate_authority(namespace)
    apply(cluster, manifest)
    status = CertificateAuthorityStatus(conditions=(READY,), hostnames=3, not_after=MOMENT)
    write_status(cluster, manifest, status.to_wire())

    header, row = cluster.kubectl("get", "mtlsca", "--namespace", namespace).stdout.splitlines()

    assert header.split() == ["NAME", "READY", "REASON", "SINCE", "HOSTNAMES", "EXPIRES", "AGE"]
    assert row.split()[:3] == ["partners", "True", "Reconciled"]
    assert row.split()[4:6] == ["3", "2030-01-02T03:04:05Z"]


def test_the_columns_of_a_host_binding_answer_the_questions_of_a_user(cluster: ControlPlane, namespace: str) -> None:
    manifest = host_binding(namespace)
    apply(cluster, manifest)
    status = HostBindingStatus(conditions=(READY,), hostnames_ready="1/1", certificate_authority_not_after=MOMENT)
    write_status(cluster, manifest, status.to_wire())

    header, row = cluster.kubectl("get", "mtlshb", "--namespace", namespace).stdout.splitlines()

    assert header.split() == ["NAME", "READY", "REASON", "SINCE", "CA", "HOSTNAMES", "CA", "EXPIRES", "AGE"]
    assert row.split()[:3] == ["partners", "True", "Reconciled"]
    assert row.split()[4:7] == ["partners", "1/1", "2030-01-02T03:04:05Z"]


def test_both_kinds_are_in_the_category_cloudflare(cluster: ControlPlane, namespace: str) -> None:
    apply(cluster, certificate_authority(namespace))
    apply(cluster, host_binding(namespace))

    names = cluster.kubectl("get", "cloudflare", "--namespace", namespace, "--output", "name").stdout.splitlines()

    assert sorted(names) == [
        "mtlscertificateauthority.apishield-mtls.io/partners",
        "mtlshostbinding.apishield-mtls.io/partners",
    ]


def test_two_teams_can_each_apply_their_hostnames_to_one_binding(cluster: ControlPlane, namespace: str) -> None:
    apply(cluster, host_binding(namespace, hostnames=["a.example.com"]), "--server-side", "--field-manager=team-a")

    answer = apply(
        cluster, host_binding(namespace, hostnames=["b.example.com"]), "--server-side", "--field-manager=team-b"
    )

    assert answer.returncode == 0
    assert read(cluster, host_binding(namespace))["spec"]["hostnames"] == ["a.example.com", "b.example.com"]
