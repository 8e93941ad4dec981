"""Small TLS servers that answer as a test says."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mtls_operator.domain.verification import Answer, Caller, Question
from mtls_operator.outside.addresses import Directory, Place
from mtls_operator.outside.identities import Identity, self_signed
from mtls_operator.outside.visits import Papers, Visitor
from testbed.cloudflare.edge.server_certificates import ServerCertificates

HOSTNAME = "api.example.com"
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[object, object, None]]


@dataclass
class Served:
    """A server that runs: where it is, whom to trust, and what it was sent."""

    port: int
    trusted: str
    requests: list[bytes] = field(default_factory=list)
    server_names: list[str] = field(default_factory=list)

    def visitor(self, *, patience: float = 10.0, trusted: str | None = None) -> Visitor:
        """Who asks there."""
        known = {HOSTNAME: Place("127.0.0.1", self.port)}
        return Visitor(Directory(allow_private=True, known=known), trusted or self.trusted, patience)

    async def answers(self, papers: Papers | None = None, patience: float = 10.0) -> dict[Question, Answer]:
        """What each client was answered."""
        report = await self.visitor(patience=patience).visit([HOSTNAME], "/health?deep=1", papers or Papers())
        return dict(report.answers)

    async def answer(self, caller: Caller = Caller.WITHOUT, patience: float = 10.0) -> Answer:
        """What one of the clients was answered."""
        return (await self.answers(patience=patience))[Question(HOSTNAME, caller)]


@asynccontextmanager
async def served(answer: bytes | Answering) -> AsyncIterator[Served]:
    """A server on the loopback interface that asks for no certificate."""
    certificates = ServerCertificates()
    context = _context(certificates)
    running = Served(0, certificates.authority_pem)
    context.sni_callback = lambda _connection, name, _context: running.server_names.append(name)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            running.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    running.port = server.sockets[0].getsockname()[1]
    async with server:
        yield running


@contextmanager
def insisting(client_ca: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Iterator[Served]:
    """A server that ends the handshake of whoever has no certificate of this CA (PEM), with an alert. In a thread,
    because asyncio's servers cut the connection before the alert is sent."""
    certificates = ServerCertificates()
    context = _context(certificates, newest)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=client_ca)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with self.request.dup() as raw:
                with suppress(OSError), context.wrap_socket(self.request, server_side=True) as tls:
                    tls.recv(65536)
                # What the client has sent must be read, or the kernel cuts the connection before it has read the alert.
                with suppress(OSError):
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65536):
                        pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Served(server.server_address[1], certificates.authority_pem)
        finally:
            server.shutdown()
            thread.join()


def _context(certificates: ServerCertificates, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "server.pem"
        key = certificates.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(key + certificates.issue(HOSTNAME).public_bytes(Encoding.PEM))
        context.load_cert_chain(path)
    return context


def somebody() -> Identity:
    """A client certificate with its key."""
    return self_signed()
