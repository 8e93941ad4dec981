"""Binding and CA resources as values, for tests of what is decided on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec, CertificateAuthorityStatus
from mtls_operator.api.constants import FINALIZER
from mtls_operator.api.host_binding import HostBindingSpec, HostBindingStatus
from mtls_operator.api.metadata import Metadata
from mtls_operator.domain.binding_status import with_managed
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, Record

ACCOUNT = "0123456789abcdef0123456789abcdef"
CERTIFICATE = CertificateId("aaaaaaaa-0000-4000-8000-000000000000")
OTHER_CERTIFICATE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")


def metadata(
    name: str,
    *,
    namespace: str = "apps",
    created: str | None = "2026-01-01T00:00:00Z",
    deleting: bool = False,
    finalizer: bool = True,
    generation: int = 3,
    annotations: Mapping[str, str] | None = None,
) -> Metadata:
    """Metadata of a resource, held by our finalizer unless told otherwise."""
    return Metadata.model_validate(
        {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "generation": generation,
            "creationTimestamp": created,
            "deletionTimestamp": "2026-02-01T00:00:00Z" if deleting else None,
            "finalizers": [FINALIZER] if finalizer else [],
            "annotations": annotations or {},
        }
    )


def binding(
    name: str = "binding",
    *hostnames: str,
    spec: Mapping[str, object] | None = None,
    managed: Mapping[CertificateId, Sequence[str]] | None = None,
    status: HostBindingStatus | None = None,
    meta: Metadata | None = None,
) -> BindingRecord:
    """A binding of hostnames to the CA `ca` of its namespace in the zone example.com. `spec` adds fields to it."""
    manifest = {
        "certificateAuthorityRef": {"name": "ca"},
        "zone": {"name": "example.com"},
        "hostnames": list(hostnames or ("api.example.com",)),
        **(spec or {}),
    }
    owned = {certificate: frozenset(names) for certificate, names in (managed or {}).items()}
    return Record(
        metadata=meta or metadata(name),
        spec=HostBindingSpec.model_validate(manifest),
        status=with_managed(status or HostBindingStatus(), owned),
    )


def authority(
    name: str = "ca",
    *,
    spec: Mapping[str, object] | None = None,
    status: Mapping[str, object] | None = None,
    meta: Metadata | None = None,
) -> AuthorityRecord:
    """A CA with its source in Secret `ca`. `spec` and `status` add fields."""
    manifest = {"accountId": ACCOUNT, "source": {"secretRef": {"name": "ca"}}, **(spec or {})}
    return Record(
        metadata=meta or metadata(name),
        spec=CertificateAuthoritySpec.model_validate(manifest),
        status=CertificateAuthorityStatus.model_validate(status or {}),
    )
