"""Who comes to the edge in the stories: a client of every CA that there is, and those whom nobody should let in.

Certificates are issued once per process, by keys that follow from names, so that they are the same bytes everywhere.
All are valid as long as any story lasts.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.chaos.authorities import (
    BRANCHED,
    SOURCES,
    branch,
    branch_fingerprint,
    fingerprint_of,
    key_of,
    root,
)
from testbed.cloudflare.edge.verification import Chain, der_of, loaded

_VALID: Final = timedelta(days=3650)
REVOCABLE: Final = {"Red": ("a client of 'Red' with a stolen laptop", "a client of 'Red' who has left")}
"""By the subject of a CA, further clients of it, whose certificates it may revoke."""


@dataclass(frozen=True, slots=True)
class Client:
    """`chain` is what it sends when it is asked for a certificate. `authority`: the fingerprint of the CA whose client
    it is; None: it is of none, whatever it says. `serial` is the number of its certificate, in hex."""

    name: str
    chain: Chain
    authority: str | None = None

    @property
    def serial(self) -> str:
        return f"{loaded(self.chain[0]).serial_number:X}" if self.chain else ""


@functools.cache
def clients() -> tuple[Client, ...]:
    """Everybody."""
    subjects = sorted({subject for versions in SOURCES.values() for version in versions for subject in version})
    return (
        Client("a client without a certificate", ()),
        Client("a client with a self-signed certificate", (_leaf("client", "client", None),)),
        *(_impostor(subjects[0]) for subjects in (versions[0] for versions in SOURCES.values())),
        *(Client(f"a client of {each!r}", (_leaf(each, each, each),), fingerprint_of(each)) for each in subjects),
        *(
            Client(name, (_leaf(each, each, each, name),), fingerprint_of(each))
            for each, names in REVOCABLE.items()
            for name in names
        ),
        *map(_of_a_branch, BRANCHED),
    )


@functools.cache
def serials_of(names: frozenset[str]) -> frozenset[str]:
    """The serial numbers of clients by their names."""
    return frozenset(each.serial for each in clients() if each.name in names)


def _of_a_branch(subject: str) -> Client:
    """It brings the certificate of the branch, so that its own is verified wherever the CA counts."""
    name = f"Branch of {subject}"
    chain = (_leaf(name, name, name), der_of(branch(subject)))
    return Client(f"a client of a branch of {subject!r}", chain, branch_fingerprint(subject))


def _impostor(subject: str) -> Client:
    """Of a CA with the name and the key identifier of another one: a rule that asked for the issuer alone would let it
    in."""
    return Client(f"an impostor of {subject!r}", (_leaf(subject, f"impostor of {subject}", subject),))


def _leaf(issuer: str, key: str, authority: str | None, client: str = "") -> bytes:
    """DER of a client's certificate by an issuer of this name, who has the key of that name, and calls himself by the
    key identifier of an authority. `client` tells several of one issuer apart."""
    digest = hashlib.sha256(f"client of {issuer} by {key}{client}".encode()).digest()
    own = key_of(f"client of {issuer}") if authority is not None else key_of(key)
    begins = root(next(iter(SOURCES.values()))[0][0]).not_valid_before_utc
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named("client"))
        .issuer_name(_named(issuer))
        .public_key(own.public_key())
        .serial_number(int.from_bytes(digest[:16]) >> 1)
        .not_valid_before(begins)
        .not_valid_after(begins + _VALID)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    if authority is not None:
        identifier = x509.SubjectKeyIdentifier.from_public_key(_public(authority))
        claimed = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        builder = builder.add_extension(claimed, critical=False)
    return der_of(builder.sign(key_of(key), hashes.SHA256(), ecdsa_deterministic=True))


def _public(subject: str) -> ec.EllipticCurvePublicKey:
    return key_of(subject).public_key()


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
