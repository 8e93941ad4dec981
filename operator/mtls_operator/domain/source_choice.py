"""Which key of a Secret or ConfigMap holds the CA, when none is named (design.md, Source trouble)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.certificates import Bundle, InvalidBundleError, certificates_of_ca, read_bundle

USUAL_KEY = "ca.crt"
_LEAF_KEY = "tls.crt"


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """Why a source gives no bundle: a reason of the API, and words for a human."""

    reason: Reason
    message: str
    valid_from: datetime | None = None
    """When this problem goes by itself, because a certificate becomes valid."""


def choose_bundle(
    what: str, data: Mapping[str, bytes] | None, key: str | None, now: datetime
) -> Bundle | SourceProblem:
    """The bundle of a source. `what` names it (`Secret ns/name`), `data` is None when it does not exist."""
    if data is None:
        return SourceProblem(Reason.SOURCE_MISSING, f"{what} does not exist; it is picked up when it appears")
    wanted = key or USUAL_KEY
    if wanted not in data:
        return SourceProblem(
            Reason.KEY_MISSING, f"{what} has no key {wanted}; its keys are: {', '.join(sorted(data)) or 'none'}"
        )
    if key is None and _has_another_ca(data):
        return SourceProblem(
            Reason.KEY_REQUIRED,
            f"{what}: {_LEAF_KEY} is itself a CA and differs from {USUAL_KEY}, which would admit every sibling of it;"
            " name the key that is meant in spec.source",
        )
    return _read(f"{what}, key {wanted}", data[wanted], now)


def _has_another_ca(data: Mapping[str, bytes]) -> bool:
    """Also where that CA is not valid (any more): else its expiry would admit its siblings."""
    usual, other = (certificates_of_ca(data.get(name, b"")) for name in (USUAL_KEY, _LEAF_KEY))
    return other is not None and usual != other


def _read(what: str, text: bytes, now: datetime) -> Bundle | SourceProblem:
    try:
        return read_bundle(text, now)
    except InvalidBundleError as error:
        reason = Reason.CERTIFICATE_EXPIRED if error.expired else Reason.INVALID_CERTIFICATE
        return SourceProblem(reason, f"{what}: {error}", error.valid_from)
