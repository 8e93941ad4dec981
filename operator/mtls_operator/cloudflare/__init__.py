"""A thin client of Cloudflare's API: one call per method, no retries, typed errors.

The public names are listed here once.
"""

from mtls_operator.cloudflare.client import DEFAULT_BASE_URL, CloudflareClient, open_http
from mtls_operator.cloudflare.errors import (
    AlreadyExists,
    AmbiguousZone,
    CertificateInUse,
    CloudflareError,
    Complaint,
    MalformedAnswer,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    Rejected,
    ServerFault,
    Unauthorized,
    Unreachable,
)
from mtls_operator.cloudflare.rate_budget import RateBudget
from mtls_operator.cloudflare.sending import CallRecord
from mtls_operator.cloudflare.token import ApiToken, TokenStatus

__all__ = [
    "DEFAULT_BASE_URL",
    "AlreadyExists",
    "AmbiguousZone",
    "ApiToken",
    "CallRecord",
    "CertificateInUse",
    "CloudflareClient",
    "CloudflareError",
    "Complaint",
    "MalformedAnswer",
    "NotFound",
    "PermissionDenied",
    "QuotaExceeded",
    "RateBudget",
    "RateLimited",
    "Rejected",
    "ServerFault",
    "TokenStatus",
    "Unauthorized",
    "Unreachable",
    "open_http",
]
