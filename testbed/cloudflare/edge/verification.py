"""A client's certificate chain against the CAs that count, verified by OpenSSL as in a TLS handshake.

A handshake cannot be let finish after a failed verification with Python's `ssl`, and the edge has to go on, because
rules decide what becomes of the request. So the handshake takes any certificate, and the chain is verified here: by
OpenSSL too, through pyOpenSSL, and without a socket. What OpenSSL does in a handshake and pyOpenSSL cannot ask for is
the purpose "TLS client"; `_unsuitable` follows OpenSSL's `check_purpose_ssl_client`, which BoringSSL shares.

Verifying takes about a millisecond. The outcome changes only when one of the certificates begins or ceases to be
valid, so it is remembered for each such period.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

Chain = tuple[bytes, ...]
"""DER certificates as a client sends them: its own first, then those of intermediates in any order."""
_NETSCAPE_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
_NETSCAPE_CLIENT = 0x80


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it. `error` is OpenSSL's word for what is wrong, None for a chain that verifies.

    `issuer` is the DER certificate of the direct issuer in a chain that verifies, None where the client's own
    certificate is the trusted one.
    """

    error: str | None
    issuer: bytes | None = None

    @property
    def verified(self) -> bool:
        """Whether the chain ends in a CA that counts."""
        return self.error is None


UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What is raised for certificates that our library cannot read."""
NOT_PRESENTED = Verification("no certificate")


def verify(chain: Chain, authorities: tuple[str, ...], now: float, *, partial_chains: bool) -> Verification:
    """Verify a chain at `now` (Unix time, seconds). `authorities`: PEM certificates; `partial_chains`: see settings."""
    if not chain:
        return NOT_PRESENTED
    try:
        edges = _edges(chain, authorities)
    except UNREADABLE as error:
        return Verification(f"unreadable certificate: {error}")
    index = bisect_right(edges, int(now))
    return _verified(chain, authorities, edges[index - 1] if index else edges[0] - 1, partial_chains)


@lru_cache(maxsize=4096)
def loaded(der: bytes) -> x509.Certificate:
    """The certificate, parsed once. Raises one of UNREADABLE."""
    return x509.load_der_x509_certificate(der)


@lru_cache(maxsize=1024)
def _authorities(pem: str) -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(pem.encode()))


@lru_cache(maxsize=4096)
def _for_openssl(certificate: x509.Certificate) -> crypto.X509:
    return crypto.X509.from_cryptography(certificate)


@lru_cache(maxsize=4096)
def _edges(chain: Chain, authorities: tuple[str, ...]) -> tuple[int, ...]:
    """The seconds at which a certificate begins or ceases to be valid. OpenSSL and others differ about the last one,
    so it is a period of its own."""
    certificates = [*map(loaded, chain), *(each for pem in authorities for each in _authorities(pem))]
    begins = {int(each.not_valid_before_utc.timestamp()) for each in certificates}
    lasts = {int(each.not_valid_after_utc.timestamp()) for each in certificates}
    return tuple(sorted(begins | lasts | {last + 1 for last in lasts}))


@lru_cache(maxsize=16384)
def _verified(chain: Chain, authorities: tuple[str, ...], moment: int, partial_chains: bool) -> Verification:
    store = crypto.X509Store()
    store.set_time(datetime.fromtimestamp(moment, UTC))
    if partial_chains:
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    try:
        for pem in authorities:
            for certificate in _authorities(pem):
                store.add_cert(_for_openssl(certificate))
        own, *others = (_for_openssl(loaded(der)) for der in chain)
        built = [each.to_cryptography() for each in crypto.X509StoreContext(store, own, others).get_verified_chain()]
        unsuitable = any(_unsuitable(each, own=index == 0) for index, each in enumerate(built))
    except crypto.X509StoreContextError as error:
        return Verification(str(error))
    except (crypto.Error, *UNREADABLE) as error:
        return Verification(f"unreadable certificate: {error}")
    if unsuitable:
        return Verification("unsuitable certificate purpose")
    return Verification(None, _direct_issuer(built))


def _direct_issuer(built: list[x509.Certificate]) -> bytes | None:
    own, *above = built
    if above:
        return der_of(above[0])
    return der_of(own) if own.subject == own.issuer else None


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate as DER."""
    return certificate.public_bytes(Encoding.DER)


def _unsuitable(certificate: x509.Certificate, *, own: bool) -> bool:
    """Whether a certificate of a chain must not be used for TLS clients: extended key usage counts for CAs too, and
    anyExtendedKeyUsage does not help. Raises one of UNREADABLE."""
    extensions = certificate.extensions
    try:
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        pass
    else:
        if ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
            return True
    return own and (_may_not_sign(extensions) or _of_another_netscape_type(extensions))


def _may_not_sign(extensions: x509.Extensions) -> bool:
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return not (usage.digital_signature or usage.key_agreement)


def _of_another_netscape_type(extensions: x509.Extensions) -> bool:
    try:
        extension = extensions.get_extension_for_oid(_NETSCAPE_TYPE).value
    except x509.ExtensionNotFound:
        return False
    bits = extension.public_bytes()
    return len(bits) > 3 and not bits[3] & _NETSCAPE_CLIENT
