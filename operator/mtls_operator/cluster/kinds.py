"""The two kinds, and how an object of one becomes a record of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus, MtlsCertificateAuthority
from mtls_operator.api.constants import CERTIFICATE_AUTHORITY_PLURAL, HOST_BINDING_PLURAL
from mtls_operator.api.host_binding import HostBindingStatus, MtlsHostBinding
from mtls_operator.api.metadata import Metadata
from mtls_operator.api.resource import UnreadableResourceError
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, Record

PLURALS = {
    MtlsCertificateAuthority.kind: CERTIFICATE_AUTHORITY_PLURAL,
    MtlsHostBinding.kind: HOST_BINDING_PLURAL,
}


def authority_record(body: Mapping[str, Any]) -> AuthorityRecord | None:
    """A CA as a record; None for an object without readable metadata."""
    try:
        resource = MtlsCertificateAuthority.parse(body)
    except UnreadableResourceError as error:
        status = error.status if isinstance(error.status, CertificateAuthorityStatus) else CertificateAuthorityStatus()
        return _unreadable(error.metadata, status, error.problems)
    return Record(resource.metadata, resource.spec, resource.status)


def binding_record(body: Mapping[str, Any]) -> BindingRecord | None:
    """A binding as a record; None for an object without readable metadata."""
    try:
        resource = MtlsHostBinding.parse(body)
    except UnreadableResourceError as error:
        status = error.status if isinstance(error.status, HostBindingStatus) else HostBindingStatus()
        return _unreadable(error.metadata, status, error.problems)
    return Record(resource.metadata, resource.spec, resource.status)


def _unreadable(metadata: Metadata | None, status: Any, problems: tuple[str, ...]) -> Record[Any, Any] | None:
    return None if metadata is None else Record(metadata, None, status, problems)
