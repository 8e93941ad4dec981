"""Reading an uploaded PEM as strictly as Cloudflare does.

Requirements: CA:TRUE in Basic Constraints; SHA-1, 256, 384 or 512 with RSA or ECDSA (Cloudflare's "Bring your own
CA for mTLS"). The message for what is no certificate is the real one; the other codes and messages are ours, because
nobody has published them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from testbed.cloudflare.envelope import RefusalError

SIGNATURES = {
    SignatureAlgorithmOID.RSA_WITH_SHA1: "SHA1WithRSA",
    SignatureAlgorithmOID.RSA_WITH_SHA256: "SHA256WithRSA",
    SignatureAlgorithmOID.RSA_WITH_SHA384: "SHA384WithRSA",
    SignatureAlgorithmOID.RSA_WITH_SHA512: "SHA512WithRSA",
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: "ECDSAWithSHA1",
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: "ECDSAWithSHA256",
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: "ECDSAWithSHA384",
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: "ECDSAWithSHA512",
}

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Upload:
    """The certificates of an upload and the PEM that Cloudflare makes of it."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def pem(self) -> str:
        """Only the certificates, each encoded anew: comments, blanks and line endings of the upload are gone."""
        return "".join(item.public_bytes(Encoding.PEM).decode() for item in self.certificates)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """SHA-256 of each certificate, lower-case hex, in the order of the upload."""
        return tuple(item.fingerprint(hashes.SHA256()).hex() for item in self.certificates)

    @property
    def first(self) -> x509.Certificate:
        """The certificate that stands for the upload in issuer, serial number and dates."""
        return self.certificates[0]

    @property
    def signature(self) -> str:
        """The signature algorithm of the first certificate in Cloudflare's spelling."""
        return SIGNATURES.get(self.first.signature_algorithm_oid, "unknown")


def read_upload(pem: str) -> Upload:
    """The certificates in `pem`; RefusalError for anything else than certificates, and for none."""
    kinds = [match.group(1) for match in _BLOCK.finditer(pem)]
    if not kinds or set(kinds) != {"CERTIFICATE"}:
        raise _unparsable()
    try:
        return Upload(tuple(x509.load_pem_x509_certificates(pem.encode())))
    except (ValueError, x509.InvalidVersion):
        raise _unparsable() from None


def check_authority(upload: Upload, now: float, *, intermediates_alone: bool) -> None:
    """Raises RefusalError unless every certificate is a CA in force with an allowed algorithm."""
    for certificate in upload.certificates:
        if not _is_authority(certificate):
            raise _refused(1465, "The certificate is not a CA certificate: Basic Constraints must say CA:TRUE")
        if certificate.signature_algorithm_oid not in SIGNATURES:
            raise _refused(1466, "The signature algorithm of the certificate is not supported")
        if certificate.not_valid_after_utc.timestamp() <= now:
            raise _refused(1467, "The certificate has expired")
    if not intermediates_alone and not any(item.subject == item.issuer for item in upload.certificates):
        raise _refused(1411, "Only root CA certificate is allowed")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _unparsable() -> RefusalError:
    return _refused(1464, "Unable to parse certificate")


def _refused(code: int, message: str) -> RefusalError:
    return RefusalError(400, code, message, pointer="/certificates")
