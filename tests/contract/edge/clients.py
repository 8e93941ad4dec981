"""Client certificates of every kind that a client can come with, and real clients that present them."""

from __future__ import annotations

import functools
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.cloudflare.edge.verification import Chain
from tests.contract.cloudflare_simulation.world import NOW

_PARTIAL_CHAIN = 0x80000
"""OpenSSL's flag; Python 3.11 has no name for it."""
SHA256 = hashes.SHA256()
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Digest = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Identity:
    """A certificate with its key. `sent` are the certificates that go along with it in a handshake."""

    certificate: x509.Certificate
    key: Key
    sent: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> str:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def chain(self) -> Chain:
        """What a client sends in a handshake."""
        return tuple(each.public_bytes(Encoding.DER) for each in (self.certificate, *self.sent))

    @property
    def key_identifier(self) -> str:
        """The subject key identifier as Cloudflare writes it."""
        extension = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return extension.value.digest.hex().upper()

    def sending(self, *intermediates: Identity) -> Identity:
        """This identity with certificates that go along."""
        return Identity(self.certificate, self.key, tuple(each.certificate for each in intermediates))


def identity(
    common_name: str = "client",
    issuer: Identity | None = None,
    *,
    extensions: Sequence[Extension] = (),
    key: str = "ec",
    digest: Digest = SHA256,
    serial: int | None = None,
    begins: timedelta = timedelta(days=-30),
    ends: timedelta = timedelta(days=90),
    now: datetime = NOW,
) -> Identity:
    """A certificate with just these extensions, valid around `now`, self-signed without an issuer."""
    private = _key(key, common_name)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(private.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return Identity(builder.sign(issuer.key if issuer else private, digest), private)


def authority(
    common_name: str = "Root",
    issuer: Identity | None = None,
    *,
    path_length: int | None = None,
    key: str = "ec",
    also: Sequence[Extension] = (),
    now: datetime = NOW,
) -> Identity:
    """A CA as most are: with key usage and a subject key identifier."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(_key(key, common_name).public_key())
    extensions = [
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (usage(certificates=True), True),
        (identifier, False),
        *also,
    ]
    return identity(common_name, issuer, extensions=extensions, key=key, ends=timedelta(days=3650), now=now)


def usage(*, signatures: bool = False, certificates: bool = False, encipherment: bool = False) -> x509.KeyUsage:
    """A key usage extension."""
    return x509.KeyUsage(
        digital_signature=signatures,
        content_commitment=False,
        key_encipherment=encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


FOR_CLIENTS: Extension = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
FOR_SERVERS: Extension = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
FOR_ANYTHING: Extension = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)


@functools.cache
def _key(kind: str, common_name: str) -> Key:
    """A key of its own for each kind and name: `ec`, `p384`, `p521`, `rsa` or `rsa4096`."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:] or 2048))
    return ec.generate_private_key({"p384": ec.SECP384R1, "p521": ec.SECP521R1}.get(kind, ec.SECP256R1)())


def client_context(trusted: str | None, who: Identity | None = None) -> ssl.SSLContext:
    """Python's own TLS client, which trusts `trusted` (PEM; None: any server) and is `who`."""
    context = ssl.create_default_context(cadata=trusted)
    if trusted is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if who is not None:
        _become(context, who)
    return context


def server_context(trusted: Sequence[str], *, partial_chains: bool) -> ssl.SSLContext:
    """Python's own TLS server, which insists on a client certificate of these CAs (PEM)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    if partial_chains:
        context.verify_flags |= _PARTIAL_CHAIN
    for pem in trusted:
        context.load_verify_locations(cadata=pem)
    _become(context, identity("server"))
    return context


def _become(context: ssl.SSLContext, who: Identity) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "identity.pem"
        path.write_text(all_pem(who))
        context.load_cert_chain(path)


def all_pem(who: Identity) -> str:
    """Key and certificates as a TLS library loads them from one file."""
    key = who.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return key + who.pem + "".join(each.public_bytes(Encoding.PEM).decode() for each in who.sent)


@dataclass(frozen=True)
class Site:
    """Where the edge is, for clients: its port on the loopback interface and the CA to trust."""

    port: int
    trusted: str

    def client(self, who: Identity | None = None, *, source: str = "127.0.0.1") -> httpx.Client:
        """An HTTP client that keeps its connection."""
        transport = httpx.HTTPTransport(verify=client_context(self.trusted, who), local_address=source)
        return httpx.Client(transport=transport, base_url=f"https://127.0.0.1:{self.port}")

    def get(
        self,
        hostname: str,
        who: Identity | None = None,
        *,
        host: str | None = None,
        source: str = "127.0.0.1",
    ) -> httpx.Response:
        """One GET on a connection of its own; `host` is the Host header where that is not the hostname."""
        with self.client(who, source=source) as client:
            return get(client, hostname, host=host)


def get(client: httpx.Client, hostname: str, *, host: str | None = None) -> httpx.Response:
    """One GET, with the hostname as server name where the connection is new."""
    return client.get("/", headers={"host": host or hostname}, extensions={"sni_hostname": hostname})
