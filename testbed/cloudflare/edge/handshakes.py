"""TLS as the edge speaks it: a certificate for each server name, and a client certificate asked for where that is due.

A certificate that does not verify must not end the handshake, as it would with Python's `ssl`. So this is pyOpenSSL,
whose verification callback may accept anything; what the chain is worth is judged afterwards (verification.py).

No session is ever resumed: Cloudflare stopped that for mTLS after CVE-2025-23419, because a resumed session brought
along a certificate that had been verified for another hostname. A server name of no zone meets a context without a
certificate, which OpenSSL answers with a handshake failure, as Cloudflare does.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.hostnames import plain
from testbed.cloudflare.edge.server_certificates import ServerCertificates
from testbed.cloudflare.edge.verification import Chain
from testbed.cloudflare.edge.visit import Connection


class Handshakes:
    """Begins TLS connections of clients with an edge."""

    def __init__(self, edge: Edge, certificates: ServerCertificates) -> None:
        self._edge = edge
        self._certificates = certificates
        self._contexts: dict[str, SSL.Context] = {}
        self._nameless = _context()
        self._nameless.set_tlsext_servername_callback(self._name_given)

    def begin(self) -> SSL.Connection:
        """The server's side of a new connection, with buffers in place of a socket."""
        connection = SSL.Connection(self._nameless, None)
        connection.set_accept_state()
        return connection

    def _name_given(self, connection: SSL.Connection) -> None:
        hostname = plain((connection.get_servername() or b"").decode("ascii", "replace"))
        if not self._edge.serves(hostname):
            return
        if hostname not in self._contexts:
            self._contexts[hostname] = self._context_for(hostname)
        connection.set_context(self._contexts[hostname])
        opened = self._edge.connect(hostname)
        connection.set_app_data(opened)
        if opened.trust.asks:
            connection.set_verify(SSL.VERIFY_PEER, _accept_any)

    def _context_for(self, hostname: str) -> SSL.Context:
        context = _context()
        context.use_certificate(self._certificates.issue(hostname))
        context.use_privatekey(self._certificates.key)
        return context


def established(tls: SSL.Connection) -> Connection:
    """What a handshake came to that has succeeded."""
    opened: Connection = tls.get_app_data()
    return replace(opened, chain=_presented_chain(tls))


def _presented_chain(connection: SSL.Connection) -> Chain:
    own = connection.get_peer_certificate()
    if own is None:
        return ()
    # On the server's side OpenSSL leaves the client's own certificate out of the chain.
    sent = (own, *(connection.get_peer_cert_chain() or ()))
    return tuple(each.to_cryptography().public_bytes(Encoding.DER) for each in sent)


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    # Weak keys are for the verification to refuse, not for the handshake.
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    return context


def _accept_any(*_: object) -> bool:
    return True
