"""Chains of every shape: the edge says of each what a TLS server says that insists on a certificate.

The judge is Python's own `ssl`, with an OpenSSL of its own, in a real handshake without a network. It knows no other
time than the real one, so these certificates are made for it.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from testbed.cloudflare.edge.verification import verify
from tests.contract.edge import clients
from tests.contract.edge.clients import (
    FOR_ANYTHING,
    FOR_CLIENTS,
    FOR_SERVERS,
    Digest,
    Extension,
    Identity,
    client_context,
    server_context,
    usage,
)

TODAY = datetime.now(UTC)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
SERVER_ONLY_TYPE = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.16.840.1.113730.1.1"), b"\x03\x02\x06\x40")
CLIENT_TYPE = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.16.840.1.113730.1.1"), b"\x03\x02\x07\x80")
CA = x509.BasicConstraints(ca=True, path_length=None)
NO_CA = x509.BasicConstraints(ca=False, path_length=None)


def authority(name: str, issuer: Identity | None = None, *also: Extension, path_length: int | None = None) -> Identity:
    return clients.authority(name, issuer, also=also, path_length=path_length, now=TODAY)


def identity(
    name: str,
    issuer: Identity | None = None,
    *extensions: Extension,
    key: str = "ec",
    digest: Digest = clients.SHA256,
    serial: int | None = None,
) -> Identity:
    return clients.identity(name, issuer, extensions=extensions, key=key, digest=digest, serial=serial, now=TODAY)


def dated(begins: timedelta = timedelta(days=-30), ends: timedelta = timedelta(days=90)) -> Identity:
    return clients.identity("client", ROOT, begins=begins, ends=ends, now=TODAY)


def names(*dns: str) -> Extension:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in dns]), False


def constraints(*, permitted: str | None = None, excluded: str | None = None) -> Extension:
    return x509.NameConstraints(
        [x509.DNSName(permitted)] if permitted else None, [x509.DNSName(excluded)] if excluded else None
    ), True


ROOT = authority("Root")
NARROW = authority("Narrow root", path_length=0)
WIDER = authority("Wider root", path_length=1)
ONE, TWO = authority("One", ROOT), authority("Two", authority("One", ROOT))
BARE = identity("Root without a key identifier", None, (CA, True))
OLD_KIND = identity("Root without any extension")
"""Made as version 3, so that it is no CA of the old kind either."""
PERMITTING = authority("Permitting root", None, constraints(permitted="example.com"))
EXCLUDING = authority("Excluding root", None, constraints(excluded="example.com"))
UNDER_NARROW, UNDER_WIDER = authority("Under narrow", NARROW), authority("Under wider", WIDER)
SERVERS_ONLY = authority("For servers", ROOT, FOR_SERVERS)
CLIENTS_ONLY = authority("For clients", ROOT, FOR_CLIENTS)
NO_SIGNER = identity("Signs no certificates", ROOT, (CA, True), (usage(signatures=True), True))
PLAIN = identity("No CA", ROOT, (NO_CA, True))
MUTE = identity("Says nothing of being a CA", ROOT)
ODD = authority("Odd", ROOT, (UNKNOWN, True))
GONE = clients.identity("Gone", ROOT, extensions=[(CA, True)], ends=timedelta(days=-1), now=TODAY)
CROSS = authority("Other root", ROOT)
FOREIGN_KEY = x509.AuthorityKeyIdentifier(b"\x01" * 20, None, None)

CHAINS: Mapping[str, tuple[Identity, list[Identity]]] = {
    "leaf of the root": (identity("client", ROOT), [ROOT]),
    "leaf of another root": (identity("client", ROOT), [NARROW]),
    "no authority at all": (identity("client", ROOT), []),
    "RSA leaf of an EC root": (identity("client", ROOT, key="rsa"), [ROOT]),
    "RSA of 4096 bits": (identity("client", ROOT, key="rsa4096"), [ROOT]),
    "P-384, SHA-384": (identity("client", ROOT, key="p384", digest=hashes.SHA384()), [ROOT]),
    "P-521, SHA-512": (identity("client", ROOT, key="p521", digest=hashes.SHA512()), [ROOT]),
    "two intermediates, sent": (identity("client", TWO).sending(TWO, ONE), [ROOT]),
    "two intermediates, in the wrong order": (identity("client", TWO).sending(ONE, TWO), [ROOT]),
    "two intermediates, one sent": (identity("client", TWO).sending(TWO), [ROOT]),
    "two intermediates, the other in the bundle": (identity("client", TWO).sending(TWO), [ROOT, ONE]),
    "an intermediate as the only anchor": (identity("client", ONE), [ONE]),
    "an intermediate as the only anchor, its root sent": (identity("client", ONE).sending(ROOT), [ONE]),
    "the anchor above what is sent": (identity("client", TWO).sending(TWO, ONE, ROOT), [ONE]),
    "a cross-signed root": (identity("client", CROSS).sending(CROSS), [ROOT]),
    "path length 0, kept": (identity("client", NARROW), [NARROW]),
    "path length 0, passed": (identity("client", UNDER_NARROW).sending(UNDER_NARROW), [NARROW]),
    "path length 0, passed, both in the bundle": (identity("client", UNDER_NARROW), [NARROW, UNDER_NARROW]),
    "path length 0, its intermediate alone": (identity("client", UNDER_NARROW), [UNDER_NARROW]),
    "path length 1, kept": (identity("client", UNDER_WIDER).sending(UNDER_WIDER), [WIDER]),
    "a name that is permitted": (identity("client", PERMITTING, names("a.example.com")), [PERMITTING]),
    "a name that is not permitted": (identity("client", PERMITTING, names("a.example.net")), [PERMITTING]),
    "two names, one permitted": (identity("c", PERMITTING, names("a.example.com", "b.example.net")), [PERMITTING]),
    "no name to be permitted": (identity("client", PERMITTING), [PERMITTING]),
    "a name that is excluded": (identity("client", EXCLUDING, names("a.example.com")), [EXCLUDING]),
    "a name that is not excluded": (identity("client", EXCLUDING, names("a.example.net")), [EXCLUDING]),
    "a root without a key identifier": (identity("client", BARE), [BARE]),
    "a root without any extension": (identity("client", OLD_KIND), [OLD_KIND]),
    "a key identifier that is not the issuer's": (identity("client", ROOT, (FOREIGN_KEY, False)), [ROOT]),
    "a serial of 20 bytes": (identity("client", ROOT, serial=0x7F << 152), [ROOT]),
    "a serial of 20 bytes, the first one zero": (identity("client", ROOT, serial=0x8F << 144), [ROOT]),
    "a serial of 1": (identity("client", ROOT, serial=1), [ROOT]),
    "for clients": (identity("client", ROOT, FOR_CLIENTS), [ROOT]),
    "for servers": (identity("client", ROOT, FOR_SERVERS), [ROOT]),
    "for anything": (identity("client", ROOT, FOR_ANYTHING), [ROOT]),
    "signing": (identity("client", ROOT, (usage(signatures=True), True)), [ROOT]),
    "enciphering only": (identity("client", ROOT, (usage(encipherment=True), True)), [ROOT]),
    "of Netscape's type for clients": (identity("client", ROOT, (CLIENT_TYPE, False)), [ROOT]),
    "of Netscape's type for servers": (identity("client", ROOT, (SERVER_ONLY_TYPE, False)), [ROOT]),
    "an intermediate for servers": (identity("client", SERVERS_ONLY).sending(SERVERS_ONLY), [ROOT]),
    "an intermediate for servers as anchor": (identity("client", SERVERS_ONLY), [SERVERS_ONLY]),
    "an intermediate for clients": (identity("client", CLIENTS_ONLY).sending(CLIENTS_ONLY), [ROOT]),
    "an intermediate that may not sign": (identity("client", NO_SIGNER).sending(NO_SIGNER), [ROOT]),
    "an intermediate that is no CA": (identity("client", PLAIN).sending(PLAIN), [ROOT]),
    "an intermediate that does not say": (identity("client", MUTE).sending(MUTE), [ROOT]),
    "an intermediate with an unknown critical extension": (identity("client", ODD).sending(ODD), [ROOT]),
    "an unknown critical extension": (identity("client", ROOT, (UNKNOWN, True)), [ROOT]),
    "an unknown extension": (identity("client", ROOT, (UNKNOWN, False)), [ROOT]),
    "an intermediate that has expired": (identity("client", GONE).sending(GONE), [ROOT]),
    "the CA as its own client": (ROOT, [ROOT]),
    "an intermediate as client": (ONE, [ROOT]),
    "a self-signed leaf that is trusted itself": (BARE, [BARE, ROOT]),
    "expired": (dated(ends=timedelta(seconds=-1)), [ROOT]),
    "not yet valid": (dated(begins=timedelta(hours=1)), [ROOT]),
}


@pytest.mark.parametrize("partial_chains", [True, False])
@pytest.mark.parametrize("which", CHAINS)
def test_the_edge_verifies_what_a_tls_server_accepts(which: str, partial_chains: bool) -> None:
    client, authorities = CHAINS[which]
    trusted = tuple(each.pem for each in authorities)

    verification = verify(client.chain, trusted, datetime.now(UTC).timestamp(), partial_chains=partial_chains)

    accepted = _server_accepts(client, trusted, partial_chains=partial_chains)
    assert verification.verified == accepted, verification.error


def test_there_are_chains_of_both_kinds() -> None:
    verified = [
        verify(client.chain, tuple(each.pem for each in trusted), TODAY.timestamp(), partial_chains=True).verified
        for client, trusted in CHAINS.values()
    ]

    assert 20 < sum(verified) < len(verified) - 15


def _server_accepts(client: Identity, trusted: tuple[str, ...], *, partial_chains: bool) -> bool:
    """A handshake of two `ssl` objects; what one writes the other reads."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client_context(None, client).wrap_bio(to_client, to_server)
    server = server_context(trusted, partial_chains=partial_chains)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for side in (here, there, here, there):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLCertVerificationError:
        return False
    return there.getpeercert(binary_form=True) is not None
