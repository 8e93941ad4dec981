from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from mtls_operator.api import (
    CertificateAuthorityStatus,
    MtlsCertificateAuthority,
    MtlsHostBinding,
    UnreadableResourceError,
)
from mtls_operator.api.constants import FINALIZER
from mtls_operator.api.host_binding import HostBindingStatus, ManagedHostnames

FIELD = "suspend"
METADATA = {"name": "partners", "namespace": "team-a"}
CA_SPEC = {"accountId": "0123456789abcdef0123456789abcdef", "source": {"secretRef": {"name": "partners-ca"}}}
BINDING_SPEC = {
    "certificateAuthorityRef": {"name": "partners"},
    "zone": {"name": "example.com"},
    "hostnames": ["api.example.com"],
}


def authority(**spec: Any) -> MtlsCertificateAuthority:
    return MtlsCertificateAuthority.parse({"metadata": METADATA, "spec": {**CA_SPEC, **spec}})


def binding(**spec: Any) -> MtlsHostBinding:
    return MtlsHostBinding.parse({"metadata": METADATA, "spec": {**BINDING_SPEC, **spec}})


def test_what_is_absent_in_the_spec_of_an_authority_is_none_and_has_the_value_of_the_design_in_force() -> None:
    resource = authority()

    assert resource.spec.rotation is None
    assert resource.effective().to_wire() == {
        "displayName": "team-a/partners",
        "managementPolicy": "Manage",
        "adoptionPolicy": "IfIdentical",
        "deletionPolicy": "Delete",
        "rotation": {"overlap": "24h", "strategy": "Bundle"},
        "allowedNamespaces": "Same",
    }


def test_what_is_absent_in_the_spec_of_a_binding_is_none_and_has_the_value_of_the_design_in_force() -> None:
    resource = binding()

    assert resource.spec.enforcement is None
    assert resource.effective().to_wire() == {
        "certificateAuthorityNamespace": "team-a",
        "managementPolicy": "Manage",
        "adoptionPolicy": "IfIdentical",
        "deletionPolicy": "Delete",
        "enforcement": {"action": "Block", "issuerPinning": "Always"},
    }


def test_what_the_spec_of_an_authority_says_is_in_force() -> None:
    resource = authority(
        displayName="Partners",
        managementPolicy="Observe",
        adoptionPolicy="Never",
        deletionPolicy="Retain",
        rotation={"overlap": "90m", "strategy": "SideBySide"},
        allowedBindings={"namespaces": {"from": "All"}},
    )

    assert resource.effective().to_wire() == {
        "displayName": "Partners",
        "managementPolicy": "Observe",
        "adoptionPolicy": "Never",
        "deletionPolicy": "Retain",
        "rotation": {"overlap": "1h30m", "strategy": "SideBySide"},
        "allowedNamespaces": "All",
    }


def test_what_the_spec_of_a_binding_says_is_in_force() -> None:
    resource = binding(
        certificateAuthorityRef={"name": "partners", "namespace": "pki"},
        enforcement={"action": "Log", "issuerPinning": "Never"},
        verification={"interval": "5m"},
    )

    assert resource.certificate_authority_key == ("pki", "partners")
    assert resource.effective().enforcement.to_wire() == {"action": "Log", "issuerPinning": "Never"}
    assert resource.effective().verification_path == "/"


def test_an_overlap_that_rounds_to_nothing_is_not_taken_for_an_absent_one() -> None:
    assert authority(rotation={"overlap": "1ns"}).effective().rotation.overlap == timedelta(0)


def test_fields_of_a_newer_crd_are_ignored() -> None:
    assert binding(quantumSafe=True, zone={"name": "example.com", "region": "eu"}) == binding()


def test_limits_of_the_crd_are_not_checked_again_so_that_objects_of_an_older_one_stay_readable() -> None:
    assert binding(hostnames=["API.example.com."]).spec.hostnames == ("API.example.com.",)


def test_an_unknown_value_of_an_enumeration_is_one_clear_error_that_still_hands_over_the_status() -> None:
    managed = [{"certificateId": "2458ce5a-0c35-4c7f-82c7-8e9487d3ff60", "hostnames": ["api.example.com"]}]
    body = {
        "metadata": METADATA,
        "spec": {**BINDING_SPEC, "enforcement": {"action": "Challenge"}},
        "status": {"managed": managed},
    }

    with pytest.raises(UnreadableResourceError) as caught:
        MtlsHostBinding.parse(body)

    assert "MtlsHostBinding team-a/partners cannot be read" in str(caught.value)
    assert "spec.enforcement.action: Input should be 'Block', 'Log' or 'None'" in caught.value.problems
    assert isinstance(caught.value.status, HostBindingStatus)
    assert caught.value.status.managed == (
        ManagedHostnames(
            certificate_id="2458ce5a-0c35-4c7f-82c7-8e9487d3ff60",
            hostnames=("api.example.com",),
        ),
    )
    assert caught.value.metadata is not None


def test_an_object_without_spec_is_unreadable() -> None:
    with pytest.raises(UnreadableResourceError, match=r"spec\.accountId: Field required"):
        MtlsCertificateAuthority.parse({"metadata": METADATA})


def test_a_status_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    body = {"metadata": METADATA, "spec": BINDING_SPEC, "status": {"managed": "all of them"}}

    with pytest.raises(UnreadableResourceError) as caught:
        MtlsHostBinding.parse(body)

    assert caught.value.status is None


def test_an_object_without_readable_metadata_is_unreadable() -> None:
    with pytest.raises(UnreadableResourceError, match="without readable metadata"):
        MtlsHostBinding.parse({"metadata": {"name": 1}, "spec": BINDING_SPEC})


def test_words_of_a_newer_operator_in_a_status_are_kept_as_they_are() -> None:
    body = {"metadata": METADATA, "spec": CA_SPEC, "status": {"ownership": "Inherited"}}

    assert MtlsCertificateAuthority.parse(body).status.to_wire() == {"ownership": "Inherited"}


def test_a_status_is_written_without_what_is_absent_and_read_back_equal() -> None:
    status = CertificateAuthorityStatus(
        bindings=0, not_after=datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC), fingerprints=("ab",)
    )

    wire = status.to_wire()

    assert wire == {"bindings": 0, "notAfter": "2030-01-02T03:04:05Z", "fingerprints": ["ab"]}
    assert CertificateAuthorityStatus.model_validate(wire) == status


def test_a_resource_is_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(authority().spec, FIELD, True)


def test_metadata_answers_what_the_engine_asks() -> None:
    metadata = {
        **METADATA,
        "finalizers": [FINALIZER],
        "deletionTimestamp": "2030-01-02T03:04:05Z",
        "annotations": {
            "apishield-mtls.io/force-orphan": "true",
            "apishield-mtls.io/reconcile-requested-at": "today",
        },
    }

    read = MtlsHostBinding.parse({"metadata": metadata, "spec": BINDING_SPEC}).metadata

    assert (read.has_finalizer, read.being_deleted, read.force_orphan) == (True, True, True)
    assert read.reconcile_requested_at == "today"


def test_metadata_without_annotations_asks_for_nothing() -> None:
    read = binding().metadata

    assert (read.has_finalizer, read.being_deleted, read.force_orphan) == (False, False, False)
    assert read.reconcile_requested_at is None
