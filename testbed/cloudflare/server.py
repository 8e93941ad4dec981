"""A simulation behind a real HTTP server on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from testbed.cloudflare.control import answer_control
from testbed.cloudflare.faults import ConnectionCutError
from testbed.cloudflare.messages import Answer, Request
from testbed.cloudflare.simulation import CloudflareSimulation

CONTROL = "/simulation"


class CloudflareServer:
    """Serves `simulation` in threads of its own while the `with` block runs; port 0 takes a free one.

    Keep-alive as with the real API. Under `/simulation` is the control API (control.py).
    """

    def __init__(
        self,
        simulation: CloudflareSimulation,
        *,
        port: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.simulation = simulation
        self._server = _Server(("127.0.0.1", port), simulation, sleep)
        self._thread = threading.Thread(
            target=lambda: self._server.serve_forever(poll_interval=0.02), name="cloudflare", daemon=True
        )

    @property
    def origin(self) -> str:
        """Where the server is, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The base URL for clients, in place of https://api.cloudflare.com/client/v4."""
        return f"{self.origin}/client/v4"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.break_connections()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        simulation: CloudflareSimulation,
        sleep: Callable[[float], None],
    ) -> None:
        super().__init__(address, _Handler)
        self.simulation = simulation
        self.sleep = sleep
        self.connections: set[socket.socket] = set()

    def break_connections(self) -> None:
        """End connections that clients keep alive, so that nobody is served once the server is closed."""
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection. Nagle's algorithm is off: with it each small answer would wait for an acknowledgement."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        """Note the connection, so that the server can end it."""
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.connections.discard(self.connection)
        super().finish()

    def handle_one_request(self) -> None:
        """Serve one request. Clients that are killed reset their connections; that is no fault of the server."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline:
                self.close_connection = True
            elif self.parse_request():
                self._serve()
        except (ConnectionResetError, BrokenPipeError):
            self.close_connection = True

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Silent: the simulation keeps the log."""

    def _serve(self) -> None:
        request = self._received()
        if request.path.startswith(CONTROL):
            self._send(answer_control(self.server.simulation, request))
            return
        simulation = self.server.simulation
        delivery = simulation.arrive(request)
        self.server.sleep(delivery.delay_before)
        try:
            answer = simulation.process(delivery)
        except ConnectionCutError:
            self.close_connection = True
            return
        self.server.sleep(delivery.delay_after)
        self._send(answer)

    def _received(self) -> Request:
        target = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        return Request(
            method=self.command,
            path=unquote(target.path),
            query=tuple(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()
