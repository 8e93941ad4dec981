"""The API of the operator: kinds, conditions and reasons as types. `deploy/crds` is generated from them."""

from mtls_operator.api.certificate_authority import (
    CertificateAuthoritySpec,
    CertificateAuthorityStatus,
    MtlsCertificateAuthority,
)
from mtls_operator.api.conditions import Condition, ConditionStatus, ConditionType
from mtls_operator.api.host_binding import HostBindingSpec, HostBindingStatus, MtlsHostBinding
from mtls_operator.api.metadata import Metadata
from mtls_operator.api.reasons import Reason
from mtls_operator.api.resource import Resource, UnreadableResourceError

__all__ = [
    "CertificateAuthoritySpec",
    "CertificateAuthorityStatus",
    "Condition",
    "ConditionStatus",
    "ConditionType",
    "HostBindingSpec",
    "HostBindingStatus",
    "Metadata",
    "MtlsCertificateAuthority",
    "MtlsHostBinding",
    "Reason",
    "Resource",
    "UnreadableResourceError",
]
