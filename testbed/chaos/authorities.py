"""The CA certificates of the stories: the same bytes in every process, for the sake of the same trace."""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

SOURCES: Final = {
    "red": (("Red",), ("Red Two",), ("Red", "Red Three")),
    "blue": (("Blue One", "Blue Two"), ("Blue Two", "Blue Three"), ("Blue Four",)),
    "green": (("Green",), ("Green Two",), ("Green Two", "Green Three")),
    "violet": (("Violet",), ("Violet Two",), ("Violet Three",)),
}
"""Bundles by name, with the subjects of their certificates in each version that a source may hold. No certificate is of
two bundles."""
BRANCHED: Final = ("Red",)
"""Of these the subjects that have a branch: an intermediate CA, which is in no bundle."""
UNKNOWN: Final = -1
"""The version of what is no edition of any bundle: a mixture, as in a rotation."""
NO_KEY: Final = "-----BEGIN EC PRIVATE KEY-----\nbm90IGEga2V5\n-----END EC PRIVATE KEY-----\n"
"""Looks like a private key."""
_FROM = datetime(2026, 1, 1, tzinfo=UTC)


@functools.cache
def pem_of(bundle: str, version: int) -> str:
    """A bundle as PEM."""
    return "".join(root(subject).public_bytes(Encoding.PEM).decode() for subject in SOURCES[bundle][version])


@functools.cache
def other_pem(number: int) -> str:
    """A CA that is in no bundle."""
    return root(f"Other {number}").public_bytes(Encoding.PEM).decode()


@functools.cache
def key_identifiers(bundle: str, version: int) -> frozenset[str]:
    """The subject key identifiers of a bundle, as Cloudflare writes them: upper-case hex."""
    return frozenset(_key_identifier(root(subject)) for subject in SOURCES[bundle][version])


@functools.cache
def branch_identifier(subject: str) -> str:
    """The subject key identifier of the branch of a CA."""
    return _key_identifier(branch(subject))


@functools.cache
def branch_identifiers() -> frozenset[str]:
    """Those of all branches."""
    return frozenset(map(branch_identifier, BRANCHED))


def _key_identifier(certificate: x509.Certificate) -> str:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex().upper()


@functools.cache
def fingerprints(bundle: str, version: int) -> frozenset[str]:
    """SHA-256 of each certificate of a bundle, lower-case hex."""
    return frozenset(fingerprint_of(subject) for subject in SOURCES[bundle][version])


@functools.cache
def all_fingerprints(bundle: str) -> frozenset[str]:
    """Those of all versions of a bundle."""
    return frozenset(fingerprint_of(subject) for version in SOURCES[bundle] for subject in version)


def fingerprint_of(subject: str) -> str:
    """SHA-256 of the CA certificate of a subject, lower-case hex."""
    return root(subject).fingerprint(hashes.SHA256()).hex()


@functools.cache
def branch_fingerprint(subject: str) -> str:
    """SHA-256 of the certificate of the branch of a CA, lower-case hex."""
    return branch(subject).fingerprint(hashes.SHA256()).hex()


@functools.cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of a CA by its subject, or of whoever else has this name."""
    digest = hashlib.sha256(name.encode()).digest()
    return ec.derive_private_key(int.from_bytes(digest) >> 1, ec.SECP256R1())


@functools.cache
def root(common_name: str) -> x509.Certificate:
    """The CA certificate of a subject."""
    return _issued(common_name, common_name)


@functools.cache
def branch(subject: str) -> x509.Certificate:
    """The certificate of an intermediate CA, issued by that of a subject."""
    return _issued(f"Branch of {subject}", subject)


def _issued(common_name: str, issuer: str) -> x509.Certificate:
    digest, key = hashlib.sha256(common_name.encode()).digest(), key_of(common_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(common_name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(digest[:16]) >> 1)
        .not_valid_before(_FROM)
        .not_valid_after(_FROM + timedelta(days=7300))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key_of(issuer), hashes.SHA256(), ecdsa_deterministic=True)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
