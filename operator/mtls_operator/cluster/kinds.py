"""The two kinds, and how an object of one becomes a record of the domain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus, MtlsCertificateAuthority
from mtls_operator.api.constants import CERTIFICATE_AUTHORITY_PLURAL, HOST_BINDING_PLURAL
from mtls_operator.api.host_binding import HostBindingStatus, MtlsHostBinding
from mtls_operator.api.resource import UnreadableResourceError
from mtls_operator.domain.hostnames import is_hostname
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, Record

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")

PLURALS = {
    MtlsCertificateAuthority.kind: CERTIFICATE_AUTHORITY_PLURAL,
    MtlsHostBinding.kind: HOST_BINDING_PLURAL,
}


def authority_record(body: Mapping[str, Any]) -> AuthorityRecord | None:
    """A CA as a record; None for an object without readable metadata."""
    try:
        resource = MtlsCertificateAuthority.parse(body)
    except UnreadableResourceError as error:
        if error.metadata is None:
            return None
        status = error.status if isinstance(error.status, CertificateAuthorityStatus) else None
        readable = status is not None and _makes_sense_of_authority(status)
        return Record(error.metadata, None, status or CertificateAuthorityStatus(), error.problems, readable)
    readable = _makes_sense_of_authority(resource.status)
    return Record(resource.metadata, resource.spec, resource.status, status_is_readable=readable)


def binding_record(body: Mapping[str, Any]) -> BindingRecord | None:
    """A binding as a record; None for an object without readable metadata."""
    try:
        resource = MtlsHostBinding.parse(body)
    except UnreadableResourceError as error:
        if error.metadata is None:
            return None
        status = error.status if isinstance(error.status, HostBindingStatus) else None
        readable = status is not None and _makes_sense_of_binding(status)
        return Record(error.metadata, None, status or HostBindingStatus(), error.problems, readable)
    readable = _makes_sense_of_binding(resource.status)
    return Record(resource.metadata, resource.spec, resource.status, status_is_readable=readable)


def _makes_sense_of_authority(status: CertificateAuthorityStatus) -> bool:
    """A status is our memory. One that we cannot have written is not taken for an empty one."""
    digests = (*status.fingerprints, *status.pending_upload)
    return _are_certificate_ids(status.certificate_id) and all(map(_FINGERPRINT.fullmatch, digests))


def _makes_sense_of_binding(status: HostBindingStatus) -> bool:
    hostnames = (hostname for each in status.managed for hostname in each.hostnames)
    ids = (each.certificate_id for each in status.managed)
    return _are_certificate_ids(*ids) and all(map(is_hostname, hostnames))


def _are_certificate_ids(*values: str | None) -> bool:
    try:
        return all(CertificateId(value) for value in values if value is not None)
    except ValueError:
        return False
