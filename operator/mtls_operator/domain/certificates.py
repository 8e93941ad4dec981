"""CA bundles: from the text of a Secret to certificates that Cloudflare takes, or a reason why not.

Rules of this module:
- Only CERTIFICATE blocks are looked at; whatever else the text holds (a private key above all) is dropped here,
  and no error repeats any of the text (safety invariant 4).
- A bundle is its set of certificates: order, repetition, comments and line ends do not matter. Cloudflare
  gives PEM back normalised, so text is never compared.
- Everything that Cloudflare would refuse is refused here, before any call (requirements: Cloudflare's
  documentation of "bring your own CA").
- What was parsed once is kept for the next time, by CERTIFICATE block: sources and listings are judged again with
  every step, and hold the same few certificates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

MAX_SOURCE_BYTES = 64 * 1024
_MOST_KEPT = 1024
_LONGEST_KEY_IDENTIFIER = 64
"""Bytes, as long as `additionalIssuers` may be. It is a digest: 20 bytes where RFC 5280 is followed."""

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA1,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.ECDSA_WITH_SHA1,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)

UNPARSABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""All that the parser raises for what somebody else has written, at once or when a part is asked for: most of it is no
ValueError."""


class InvalidBundleError(ValueError):
    """The text is no bundle of CA certificates that Cloudflare takes; says which certificate, and what is wrong."""

    def __init__(self, message: str, *, expired: bool = False, valid_from: datetime | None = None) -> None:
        self.expired = expired
        self.valid_from = valid_from
        """When a certificate that is not valid yet will be; None for every other reason."""
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class CaCertificate:
    """One CA certificate: what the operator needs to know of it."""

    fingerprint: str
    """SHA-256 over the DER, lower-case hex."""
    key_identifier: str | None
    """Subject key identifier in upper-case hex, as Cloudflare writes the issuer's; None where there is none."""
    subject: str
    not_after: datetime
    pem: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The distinct certificates of a source, in its order."""

    certificates: tuple[CaCertificate, ...]

    @property
    def pem(self) -> str:
        """What is sent to Cloudflare: the certificates, normalised, and nothing else."""
        return "".join(each.pem for each in self.certificates)

    @property
    def fingerprints(self) -> frozenset[str]:
        return frozenset(each.fingerprint for each in self.certificates)

    @property
    def fingerprint(self) -> str:
        """The bundle fingerprint of docs/marks.md."""
        return bundle_fingerprint(self.fingerprints)

    @property
    def key_identifiers(self) -> frozenset[str]:
        return frozenset(each.key_identifier for each in self.certificates if each.key_identifier is not None)

    @property
    def not_after(self) -> datetime:
        """When the first of the certificates expires."""
        return min(each.not_after for each in self.certificates)

    @property
    def subject(self) -> str:
        return self.certificates[0].subject


def bundle_fingerprint(fingerprints: Iterable[str]) -> str:
    """The SHA-256 over the sorted fingerprints of the distinct certificates (docs/marks.md), lower-case hex."""
    return hashlib.sha256(b"".join(bytes.fromhex(each) for each in sorted(set(fingerprints)))).hexdigest()


def uploaded_bundle(pem: str) -> Bundle | None:
    """The certificates of an upload as Cloudflare gives them back, None when they cannot be read. Nothing is validated:
    they are there."""
    try:
        distinct = {_fingerprint(each): each for each in _load_all(pem)}
    except InvalidBundleError:
        return None
    return Bundle(tuple(_describe(each) for each in distinct.values()))


def certificates_of_ca(text: bytes) -> frozenset[str] | None:
    """The fingerprints of the certificates in a text if the first of them is a CA's, be it valid or not."""
    try:
        certificates = _load_all(text.decode("utf-8", errors="replace"))
    except InvalidBundleError:
        return None
    return frozenset(map(_fingerprint, certificates)) if _is_ca(certificates[0]) else None


def read_bundle(text: bytes, now: datetime) -> Bundle:
    """Parse and validate the CA certificates of a source.

    Raises InvalidBundleError for what Cloudflare would refuse or what could never verify a client.
    """
    if len(text) > MAX_SOURCE_BYTES:
        raise InvalidBundleError(f"the source has {len(text)} bytes; at most {MAX_SOURCE_BYTES} are read")
    distinct = {_fingerprint(each): each for each in _load_all(text.decode("utf-8", errors="replace"))}
    for position, certificate in enumerate(distinct.values(), start=1):
        _refuse_unusable(f"certificate {position} of {len(distinct)}", certificate, now)
    return Bundle(tuple(_describe(each) for each in distinct.values()))


def _load_all(text: str) -> list[x509.Certificate]:
    blocks = _BLOCK.findall(text.replace("\r\n", "\n"))
    if not blocks:
        raise InvalidBundleError("the source holds no PEM block of type CERTIFICATE")
    return [_load(position, block) for position, block in enumerate(blocks, start=1)]


@lru_cache(maxsize=_MOST_KEPT)
def _load(position: int, block: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(block.encode())
    except UNPARSABLE:
        raise InvalidBundleError(f"PEM block {position} is not a certificate that can be parsed") from None
    try:
        # These are parsed only when they are asked for.
        _ = certificate.subject, certificate.extensions, certificate.public_key()
    except UNPARSABLE:
        raise InvalidBundleError(
            f"PEM block {position} is a certificate whose subject, extensions or key cannot be parsed"
        ) from None
    return certificate


@lru_cache(maxsize=_MOST_KEPT)
def _describe(certificate: x509.Certificate) -> CaCertificate:
    return CaCertificate(
        fingerprint=_fingerprint(certificate),
        key_identifier=_key_identifier(certificate),
        subject=certificate.subject.rfc4514_string(),
        not_after=certificate.not_valid_after_utc,
        pem=certificate.public_bytes(Encoding.PEM).decode(),
    )


@lru_cache(maxsize=_MOST_KEPT)
def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _key_identifier(certificate: x509.Certificate) -> str | None:
    """The subject key identifier, None if there is none that a rule could name: it may be empty, or of any length."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    digest = extension.value.digest
    return digest.hex().upper() if 0 < len(digest) <= _LONGEST_KEY_IDENTIFIER else None


def _refuse_unusable(which: str, certificate: x509.Certificate, now: datetime) -> None:
    problem = next((found for check in _CHECKS if (found := check(certificate, now))), None)
    if problem is not None:
        begins = certificate.not_valid_before_utc
        raise InvalidBundleError(
            f"{which} ({_short_subject(certificate)}) {problem}",
            expired=now >= certificate.not_valid_after_utc,
            valid_from=begins if now < begins else None,
        )


def _short_subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()[:128] or "without a subject"


def _not_a_ca(certificate: x509.Certificate, _now: datetime) -> str | None:
    if _is_ca(certificate):
        return None
    return "is not a CA: it has no Basic Constraints that say CA:TRUE"


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _cannot_sign(certificate: x509.Certificate, _now: datetime) -> str | None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return None if usage.key_cert_sign else "may not issue certificates: its Key Usage lacks keyCertSign"


def _outside_validity(certificate: x509.Certificate, now: datetime) -> str | None:
    if now >= certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc.isoformat()}"
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc.isoformat()}"
    return None


def _unsupported_algorithm(certificate: x509.Certificate, _now: datetime) -> str | None:
    return _problem_of_algorithm(certificate)


@lru_cache(maxsize=_MOST_KEPT)
def _problem_of_algorithm(certificate: x509.Certificate) -> str | None:
    if not isinstance(certificate.public_key(), rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return "has a key that Cloudflare does not take: RSA and ECDSA are supported"
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        return (
            "has a signature that Cloudflare does not take: RSA (PKCS #1 v1.5) or ECDSA with SHA-1, SHA-256,"
            " SHA-384 or SHA-512 are supported"
        )
    return None


_CHECKS: tuple[Callable[[x509.Certificate, datetime], str | None], ...] = (
    _not_a_ca,
    _cannot_sign,
    _outside_validity,
    _unsupported_algorithm,
)
