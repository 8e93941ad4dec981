"""What an answer that is no success means.

Cloudflare documents few of its error codes, so the order is: status, then the endpoint and the words, and a
code only where it is known (1471, 9109, 10003). The cases:

    status          envelope   endpoint                       error
    2xx             bad        any                            MalformedAnswer
    2xx             success=false                             MalformedAnswer (it contradicts itself)
    3xx             any        any                            MalformedAnswer (redirects are not followed)
    408, 5xx        any        any                            ServerFault
    429             any        any                            RateLimited
    other 4xx       bad        any                            MalformedAnswer
    401             good       any                            Unauthorized
    400, 403        good       any, words about the token     Unauthorized
    403             good       any                            PermissionDenied
    404             good       any                            NotFound
    409, 4xx words  good       DELETE certificate             CertificateInUse
    4xx, 1471       good       POST certificate               AlreadyExists
    4xx words       good       POST ruleset                   AlreadyExists
    4xx words       good       POST certificate, ruleset, rule  QuotaExceeded
    other 4xx       good       any                            Rejected
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mtls_operator.cloudflare import endpoints
from mtls_operator.cloudflare.endpoints import Endpoint
from mtls_operator.cloudflare.envelope import Envelope
from mtls_operator.cloudflare.errors import (
    AlreadyExists,
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
)

# "Identical certificates are uploaded already", seen live by Alchemy's tests.
IDENTICAL_CERTIFICATES: Final = 1471
# "could not find entrypoint ruleset in the ... phase": what a zone that never had a custom rule answers.
NO_ENTRYPOINT: Final = 10003

_BAD_TOKEN = re.compile(
    r"invalid (api|access) token|invalid request headers|invalid format for authorization"
    r"|token.*(expired|revoked|disabled|not yet valid)|unable to authenticate",
    re.IGNORECASE,
)
_IN_USE = re.compile(r"\bin[ -]use\b|associat|being used|still used", re.IGNORECASE)
_RULESET_EXISTS = re.compile(r"maximum number of zone rulesets|already exists", re.IGNORECASE)
_QUOTA = re.compile(
    r"\bquota\b|too many|\bmax(imum)? number of|(reached|exceed\w*)\b.*\b(limit|maximum)"
    r"|\blimit\b.*\b(reached|exceeded)",
    re.IGNORECASE,
)
_SIZE = re.compile(r"\b(length|size|long|characters|bytes)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. `envelope` is None when the body was none."""

    endpoint: Endpoint
    subject: str
    status: int
    envelope: Envelope | None
    nature: str = ""
    retry_after: float | None = None

    @property
    def complaints(self) -> Sequence[Complaint]:
        return self.envelope.complaints if self.envelope else ()

    def says(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(complaint.message) for complaint in self.complaints)

    def has_code(self, code: int) -> bool:
        return any(complaint.code == code for complaint in self.complaints)


def error_of(refusal: Refusal) -> CloudflareError:
    """The error that the table above gives for an answer."""
    if refusal.status == 429:
        return _rate_limited(refusal)
    if refusal.status == 408 or refusal.status >= 500:
        return _made(ServerFault, refusal, f"Cloudflare failed with {refusal.status}", lost=True)
    if refusal.envelope is None or refusal.status < 400:
        return _malformed(refusal)
    return _token_trouble(refusal) or _endpoint_trouble(refusal) or _refused(refusal)


def _rate_limited(refusal: Refusal) -> CloudflareError:
    return _made(RateLimited, refusal, "too many requests (429)")


def _malformed(refusal: Refusal) -> CloudflareError:
    if 300 <= refusal.status < 400:
        nature = "a redirect, which is not followed"
    else:
        nature = refusal.nature or "an envelope that contradicts its status"
    # A 4xx that a proxy wrote may stand for a request that passed it before; only the envelope is proof.
    return _made(MalformedAnswer, refusal, f"status {refusal.status} with {nature}", lost=True)


def _token_trouble(refusal: Refusal) -> CloudflareError | None:
    if refusal.status == 401 or (refusal.status in {400, 403} and refusal.says(_BAD_TOKEN)):
        return _made(Unauthorized, refusal, f"the API token is not accepted ({refusal.status})")
    if refusal.status == 403:
        return PermissionDenied(
            refusal.subject,
            "the API token may not do this (403)",
            permission=refusal.endpoint.permission,
            status=403,
            complaints=refusal.complaints,
        )
    return None


def _endpoint_trouble(refusal: Refusal) -> CloudflareError | None:
    if refusal.status == 404:
        return _made(NotFound, refusal, "not found (404)")
    if refusal.endpoint == endpoints.DELETE_CERTIFICATE and (refusal.status == 409 or refusal.says(_IN_USE)):
        return _made(CertificateInUse, refusal, f"the certificate is in use ({refusal.status})")
    if _is_there_already(refusal):
        return _made(AlreadyExists, refusal, f"it exists already ({refusal.status})")
    adds = {endpoints.UPLOAD_CERTIFICATE, endpoints.CREATE_RULESET, endpoints.ADD_RULE}
    if refusal.endpoint in adds and refusal.says(_QUOTA) and not refusal.says(_SIZE):
        return _made(QuotaExceeded, refusal, f"there is no place for one more ({refusal.status})")
    return None


def _is_there_already(refusal: Refusal) -> bool:
    if refusal.endpoint == endpoints.UPLOAD_CERTIFICATE:
        return refusal.has_code(IDENTICAL_CERTIFICATES)
    return refusal.endpoint == endpoints.CREATE_RULESET and refusal.says(_RULESET_EXISTS)


def _refused(refusal: Refusal) -> CloudflareError:
    return _made(Rejected, refusal, f"refused ({refusal.status})")


def _made(kind: type[CloudflareError], refusal: Refusal, happened: str, *, lost: bool = False) -> CloudflareError:
    return kind(
        refusal.subject,
        happened,
        status=refusal.status,
        complaints=refusal.complaints,
        retry_after=refusal.retry_after,
        answer_lost=lost and refusal.endpoint.writes,
    )
