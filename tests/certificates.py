"""Certificate authorities for tests: good ones, and one of each kind of bad one.

Keys are made once per kind and name, because RSA keys take long. Two CAs of the same name share a key but, with other
arguments, are other certificates.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

KeyKind = Literal["ec", "rsa", "rsa-pss", "ed25519"]
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Ca:
    """A certificate with its key; most are CAs."""

    certificate: x509.Certificate
    key: Key
    kind: KeyKind

    @property
    def pem(self) -> str:
        """The certificate as PEM, with a newline at its end."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key as unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def public_key_pem(self) -> str:
        """The bare public key as PEM."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def key_identifier(self) -> str:
        """The subject key identifier as Cloudflare writes it: upper-case hex without separators."""
        extension = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return extension.value.digest.hex().upper()


def make_ca(
    common_name: str = "Example Root",
    *,
    key: KeyKind = "ec",
    days: int = 3650,
    issuer: Ca | None = None,
    is_ca: bool = True,
    basic_constraints: bool = True,
    key_cert_sign: bool = True,
    subject_key_identifier: bool | bytes = True,
    serial: int | None = None,
    now: datetime | None = None,
    key_of: Ca | None = None,
) -> Ca:
    """A certificate, self-signed unless an `issuer` is given. `key_of`: it has no key of its own.

    Its subject key identifier is a digest of its key, unless it is given as bytes or (False) left out.
    It is valid from 30 days before `now` (None: the present) until `days` after it; negative days make it expired.
    """
    moment = now or datetime.now(UTC)
    private = key_of.key if key_of else _key(key, common_name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(serial or _serial(common_name, key, days))
        .not_valid_before(moment + timedelta(days=min(-30, days - 30)))
        .not_valid_after(moment + timedelta(days=days))
    )
    if basic_constraints:
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    if subject_key_identifier is not False:
        of_key = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
        given = subject_key_identifier
        identifier = x509.SubjectKeyIdentifier(given) if isinstance(given, bytes) else of_key
        builder = builder.add_extension(identifier, critical=False)
    builder = builder.add_extension(_usage(sign=is_ca and key_cert_sign), critical=True)
    return Ca(_signed(builder, issuer.key if issuer else private, issuer.kind if issuer else key), private, key)


def make_intermediate(
    root: Ca, common_name: str = "Example Intermediate", *, key: KeyKind = "ec", days: int = 1000
) -> Ca:
    """A CA that `root` has signed."""
    return make_ca(common_name, key=key, days=days, issuer=root)


def make_leaf(issuer: Ca, common_name: str = "client", *, key: KeyKind = "ec", days: int = 90) -> Ca:
    """A client certificate, which is no CA."""
    return make_ca(common_name, key=key, days=days, issuer=issuer, is_ca=False)


def make_crl(
    issuer: Ca,
    revoked: Mapping[int, datetime] | Iterable[int] = (),
    *,
    now: datetime | None = None,
    days: float = 7,
    number: int | None = None,
    removed: Iterable[int] = (),
    extensions: Iterable[x509.ExtensionType] = (),
    named: str | None = None,
) -> x509.CertificateRevocationList:
    """A revocation list that `issuer` has signed, made at `now` (None: the present) and due after so many days.

    `revoked` are serial numbers, or those with when they were revoked; `removed` are those that a delta list takes
    back. `named` is another name than the issuer's.
    """
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, named)]) if named else issuer.certificate.subject
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(moment)
    builder = builder.next_update(moment + timedelta(days=days))
    moments = revoked if isinstance(revoked, Mapping) else dict.fromkeys(revoked, moment)
    for serial, at in moments.items():
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        )
    for serial in removed:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.remove_from_crl), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer.key, None if isinstance(issuer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def of_version(made: x509.Certificate | x509.CertificateRevocationList, version: int) -> bytes:
    """What was made as PEM, saying that it is of another version than it is: nobody has signed that."""
    data, is_list = made.public_bytes(Encoding.DER), isinstance(made, x509.CertificateRevocationList)
    said = b"\x02\x01\x01" if is_list else b"\xa0\x03\x02\x01\x02"
    other = data.replace(said, said[:-1] + bytes([version - 1]), 1)
    kind = "X509 CRL" if is_list else "CERTIFICATE"
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(other).decode()}-----END {kind}-----\n".encode()


def crl_pem(*lists: x509.CertificateRevocationList) -> str:
    """Revocation lists as PEM, one after the other."""
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in lists)


def _signed(builder: x509.CertificateBuilder, key: Key, kind: KeyKind) -> x509.Certificate:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return builder.sign(key, None)
    if kind == "rsa-pss":
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return builder.sign(key, hashes.SHA256(), rsa_padding=pss)
    return builder.sign(key, hashes.SHA256())


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


@functools.cache
def _key(kind: KeyKind, common_name: str) -> Key:
    """A key of its own for each kind and name."""
    match kind:
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa" | "rsa-pss":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _serial(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:16])
