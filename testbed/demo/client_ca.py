"""The CA of the demo's clients, made anew each time: the quickstart's own is for show, and nobody has its key.

Files are written as people have them: PEM, one certificate or key each, in one directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NAME = "Demo client CA"
_VALID = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Client:
    """A client's certificate and private key, and the serial number that the CA knows it by."""

    certificate: Path
    key: Path
    serial: int


class ClientCa:
    """Issues and revokes. `pem` is its certificate; all files go into `directory`, which must be there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(_NAME, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, name: str) -> Client:
        """A client of that name: `<name>.crt` and `<name>.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._builder(name, key.public_key())
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        client = Client(self._directory / f"{name}.crt", self._directory / f"{name}.key", certificate.serial_number)
        client.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        client.key.touch(mode=0o600)
        client.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return client

    def revoke(self, client: Client) -> Path:
        """A revocation list with that client alone, as `revoked.pem`."""
        now = datetime.now(UTC)
        entry = x509.RevokedCertificateBuilder().serial_number(client.serial).revocation_date(now).build()
        revoked = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(_common_name(_NAME))
            .last_update(now)
            .next_update(now + _VALID)
            .add_revoked_certificate(entry)
            .sign(self._key, hashes.SHA256())
        )
        path = self._directory / "revoked.pem"
        path.write_bytes(revoked.public_bytes(Encoding.PEM))
        return path

    def _builder(self, subject: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_common_name(subject))
            .issuer_name(_common_name(_NAME))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            # Some minutes early, as CAs do for clocks that differ.
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + _VALID)
        )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
