"""The edge as a real TLS server on the loopback interface, for clients that connect to it as to Cloudflare.

Every hostname of every zone is at its one address: connect there, with the hostname as server name and Host header.
What is decided is decided in visit.py; this file carries bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

import h11
from OpenSSL import SSL

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.handshakes import Channel, Handshakes, presented_chain, server_name
from testbed.cloudflare.edge.request_fields import EdgeRequest
from testbed.cloudflare.edge.server_certificates import ServerCertificates
from testbed.cloudflare.edge.visit import Connection, Verdict

_PATIENCE = 30.0
"""Seconds that a client may take for its handshake."""


class EdgeServer:
    """Serves `edge` in a thread of its own while the `with` block runs; port 0 takes a free one.

    HTTP/1.1 with keep-alive. `authority_pem` is the CA that clients have to trust.
    """

    def __init__(self, edge: Edge, *, port: int = 0) -> None:
        self.port = port
        self._edge = edge
        self._certificates = ServerCertificates()
        self._handshakes = Handshakes(edge, self._certificates)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="edge", daemon=True)
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    @property
    def authority_pem(self) -> str:
        """The certificate of the CA that has issued the server's."""
        return self._certificates.authority_pem

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = server.sockets[0].getsockname()[1]
        except OSError as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        await self._closing.wait()
        server.close()
        # Broken, not cancelled: asyncio's own callbacks complain of cancelled connections.
        for writer in self._connections:
            writer.transport.abort()
        await asyncio.gather(*(task for task in self._connections.values() if task is not None))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        tls = self._handshakes.begin()
        channel = Channel(tls, reader, writer)
        # Whatever a client does to its connection, it does to itself.
        with contextlib.suppress(SSL.Error, OSError, TimeoutError):
            try:
                async with asyncio.timeout(_PATIENCE):
                    await channel.shake_hands()
                connection = self._edge.connect(server_name(tls), presented_chain(tls))
                await self._converse(channel, connection, writer.get_extra_info("peername")[0])
                await channel.close()
            finally:
                del self._connections[writer]
                writer.close()

    async def _converse(self, channel: Channel, connection: Connection, source: str) -> None:
        http = h11.Connection(h11.SERVER)
        while True:
            try:
                request = await _next_request(http, channel, source)
            except h11.RemoteProtocolError as error:
                await channel.write(_bytes(http, error.error_status_hint, "text/plain", f"{error}\n"))
                return
            if request is None:
                return
            await channel.write(_answer(http, request, self._edge.answer(connection, request)))
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()


async def _next_request(http: h11.Connection, channel: Channel, source: str) -> EdgeRequest | None:
    """The next request, read to its end; None when the client has closed. Raises h11.RemoteProtocolError."""
    request: EdgeRequest | None = None
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await channel.read())
        elif isinstance(event, h11.Request):
            request = _received(event, source)
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif isinstance(event, h11.ConnectionClosed):
            return None


def _received(event: h11.Request, source: str) -> EdgeRequest:
    headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
    named = dict(headers)
    return EdgeRequest(
        host=named.get("host", ""),
        target=event.target.decode("ascii"),
        method=event.method.decode("ascii"),
        headers=headers,
        source=source,
    )


def _answer(http: h11.Connection, request: EdgeRequest, verdict: Verdict) -> bytes:
    origin = (("x-simulated-origin", "reached"),) if verdict.passed else ()
    body = "" if request.method == "HEAD" else verdict.body
    return _bytes(http, verdict.status, verdict.content_type, body, *origin)


def _bytes(http: h11.Connection, status: int, content_type: str, body: str, *headers: tuple[str, str]) -> bytes:
    content = body.encode()
    fixed = (("content-type", content_type), ("content-length", str(len(content))), ("server", "cloudflare"))
    events = (
        h11.Response(status_code=status, headers=[*fixed, *headers]),
        h11.Data(data=content),
        h11.EndOfMessage(),
    )
    return b"".join(http.send(event) or b"" for event in events)
