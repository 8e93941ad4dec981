"""The edge as a real TLS server on the loopback interface, for clients that connect to it as to Cloudflare.

Every hostname of every zone is at its one address: connect there, with the hostname as server name and Host header.
What is decided is decided in visit.py; this file carries bytes.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from testbed.cloudflare.edge.conversation import Conversation
from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.handshakes import Handshakes
from testbed.cloudflare.edge.server_certificates import ServerCertificates

_MOST = 65536


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
        conversation = Conversation(self._edge, self._handshakes, writer.get_extra_info("peername")[0])
        try:
            while not conversation.ended:
                writer.write(conversation.receive(await reader.read(_MOST)))
                await writer.drain()
        except OSError:
            # Gone; nobody is left who could be told.
            pass
        finally:
            del self._connections[writer]
            writer.close()
