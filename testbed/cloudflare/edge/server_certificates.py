"""Certificates of the edge itself: a test CA, made anew each time, and one certificate for each hostname."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = timedelta(days=30)


class ServerCertificates:
    """`key` is the private key of every certificate that `issue` gives. Clients check dates by the real time."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._authority_key = ec.generate_private_key(ec.SECP256R1())
        self._authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated edge, test CA")])
        self._authority = (
            self._builder(self._authority_name, self._authority_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_certificates(), critical=True)
            .sign(self._authority_key, hashes.SHA256())
        )

    @property
    def authority_pem(self) -> str:
        """The certificate of the test CA, which clients have to trust."""
        return self._authority.public_bytes(Encoding.PEM).decode()

    def issue(self, hostname: str) -> x509.Certificate:
        """A certificate for a hostname."""
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority_key.public_key())
        return (
            self._builder(x509.Name([]), self.key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._authority_key, hashes.SHA256())
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._authority_name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + _VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
