"""Who clients say they are: certificates with their private keys.

A key of a user never leaves this process but for proofs in TLS handshakes, and is in no text: errors say what is wrong
in words of ours. The bad clients' keys are made anew for each check and thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mtls_operator.domain.certificates import UNPARSABLE

_VALID: Final = timedelta(hours=1)
_NAME: Final = "cfmtls verify"


@dataclass(frozen=True, slots=True)
class Identity:
    """A client certificate with what is sent along, and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Imitated:
    """The CA whose certificates are accepted, as a stranger would imitate it: all that is public of it but its key.

    `subject` is an RFC 4514 name, `key_identifier` upper-case hex; None: the stranger's CA has a name of its own.
    """

    subject: str | None = None
    key_identifier: str | None = None


def self_signed() -> Identity:
    """The certificate of somebody who vouches for himself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(_NAME)
    return _identity(_client(name, name, key.public_key()).sign(key, hashes.SHA256()), key)


def stranger(imitated: Imitated) -> Identity:
    """The certificate of a CA that is not accepted, and that looks as much as it can like the one that is. The CA's own
    certificate is sent along."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name, identifier = _name_of(imitated), _identifier_of(imitated, authority_key.public_key())
    authority = (
        _valid(name, name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    issuer = x509.AuthorityKeyIdentifier(identifier.digest, None, None)
    certificate = (
        _client(_common_name(_NAME), name, key.public_key())
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return _identity(certificate, key, authority)


def imitated_by(certificate: bytes) -> Imitated:
    """What the certificate (PEM) of a good client says of its issuer; nothing where it cannot be read."""
    try:
        own = x509.load_pem_x509_certificate(certificate)
        issuer = own.issuer.rfc4514_string()
        extension = own.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (*UNPARSABLE, x509.ExtensionNotFound):
        return Imitated()
    return Imitated(issuer, extension.key_identifier.hex().upper() if extension.key_identifier else None)


def _client(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return _valid(subject, issuer, key).add_extension(usage, critical=False)


def _valid(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks differ, and a certificate that is not valid yet would be refused for that.
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _name_of(imitated: Imitated) -> x509.Name:
    try:
        name = x509.Name.from_rfc4514_string(imitated.subject or "")
    except ValueError:
        # What some CAs write into their names has no text that reads back.
        return _common_name(_NAME)
    return name if list(name) else _common_name(_NAME)


def _identifier_of(imitated: Imitated, key: ec.EllipticCurvePublicKey) -> x509.SubjectKeyIdentifier:
    if imitated.key_identifier:
        return x509.SubjectKeyIdentifier(bytes.fromhex(imitated.key_identifier))
    return x509.SubjectKeyIdentifier.from_public_key(key)


def _identity(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *more: x509.Certificate) -> Identity:
    return Identity(
        b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *more)),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
