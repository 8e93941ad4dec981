"""The edge's side of one TLS connection: bytes in, bytes out, and no I/O.

The server moves these bytes between sockets, in_memory.py between two TLS libraries in one process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import h11
from OpenSSL import SSL

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.handshakes import Handshakes, established
from testbed.cloudflare.edge.request_fields import EdgeRequest
from testbed.cloudflare.edge.visit import Connection, Verdict

_MOST: Final = 65536


class Conversation:
    """`source` is the client's address.

    `connection` is there from the end of the handshake on, `verdict` is that of the last request. Once it has `ended`,
    what `receive` gave is to be sent and the connection closed.
    """

    def __init__(self, edge: Edge, handshakes: Handshakes, source: str) -> None:
        self.connection: Connection | None = None
        self.verdict: Verdict | None = None
        self.ended = False
        self._edge = edge
        self._source = source
        self._tls = handshakes.begin()
        self._http = h11.Connection(h11.SERVER)
        self._request: EdgeRequest | None = None

    def receive(self, data: bytes) -> bytes:
        """Take what the client has sent, nothing when it has closed, and give what to send to it."""
        if not data:
            self.ended = True
            return b""
        self._tls.bio_write(data)
        try:
            if self.connection is None:
                self._tls.do_handshake()
                self.connection = established(self._tls)
            while not self.ended:
                self._http.receive_data(self._tls.recv(_MOST))
                self._take_requests(self.connection)
        except SSL.WantReadError:
            pass
        except SSL.Error:
            # What a client does to its connection, it does to itself. A refused handshake has left an alert to send.
            self.ended = True
        return self._to_send()

    def open_anew(self) -> None:
        """Let the connection be one that the same client opens now: a handshake saved where it would be the same.

        Only for a server name that asks for a certificate now if it did then.
        """
        if self.connection is not None:
            self.connection = replace(self._edge.connect(self.connection.server_name), chain=self.connection.chain)

    def _take_requests(self, connection: Connection) -> None:
        while not self.ended:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._say(error.error_status_hint, "text/plain", f"{error}\n")
                self._end()
                return
            if event is h11.NEED_DATA:
                return
            if isinstance(event, h11.Request):
                self._request = _read(event, self._source)
            elif isinstance(event, h11.EndOfMessage):
                self._answer(connection)
            elif isinstance(event, h11.ConnectionClosed):
                self._end()

    def _answer(self, connection: Connection) -> None:
        if self._request is None:
            raise RuntimeError("h11 has ended a message that it never began")
        verdict = self.verdict = self._edge.answer(connection, self._request)
        origin = (("x-simulated-origin", "reached"),) if verdict.passed else ()
        body = "" if self._request.method == "HEAD" else verdict.body
        self._say(verdict.status, verdict.content_type, body, *origin)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self._end()

    def _say(self, status: int, content_type: str, body: str, *headers: tuple[str, str]) -> None:
        content = body.encode()
        fixed = (("content-type", content_type), ("content-length", str(len(content))), ("server", "cloudflare"))
        events = (
            h11.Response(status_code=status, headers=[*fixed, *headers]),
            h11.Data(data=content),
            h11.EndOfMessage(),
        )
        self._tls.sendall(b"".join(self._http.send(event) or b"" for event in events))

    def _end(self) -> None:
        self.ended = True
        self._tls.shutdown()

    def _to_send(self) -> bytes:
        parts = []
        while True:
            try:
                parts.append(self._tls.bio_read(_MOST))
            except SSL.WantReadError:
                return b"".join(parts)


def _read(event: h11.Request, source: str) -> EdgeRequest:
    headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
    return EdgeRequest(
        host=dict(headers).get("host", ""),
        target=event.target.decode("ascii"),
        method=event.method.decode("ascii"),
        headers=headers,
        source=source,
    )
