"""The edge for real TLS clients in the same process: no sockets, no threads, and no time but the simulation's.

    edge = EdgeInMemory(Edge(simulation))
    answer = edge.ask(client, "api.example.com")             a connection of its own, as far as the edge can tell
    connection = edge.connect(client, "api.example.com")     one that stays, to be asked again after a change
    answer = connection.ask()

A client is an `ssl.SSLContext`: Python's own TLS client, with what it trusts and its certificate. A handshake takes
some milliseconds, so `ask` does it once for each client and server name, and once more when the edge begins or ceases
to ask for certificates; afterwards the connection is declared to be opened anew, which to the edge is the same.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import h11

from testbed.cloudflare.edge.conversation import Conversation
from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.handshakes import Handshakes
from testbed.cloudflare.edge.server_certificates import ServerCertificates
from testbed.cloudflare.edge.visit import Verdict

Headers = Sequence[tuple[str, str]]
_SOURCE = "192.0.2.1"
_MOST = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got: an answer, or an `error` in place of it (`status` is 0 then).

    `verdict` is what the edge decided, which the client cannot see.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    verdict: Verdict | None = None
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the request got to the origin."""
        return self.headers.get("x-simulated-origin") == "reached"

    @property
    def verified(self) -> bool:
        """Whether the edge has verified the client's certificate."""
        verification = None if self.verdict is None else self.verdict.verification
        return verification is not None and verification.verified


class ClientConnection:
    """A TLS connection of a client with the edge, from the client's side. Raises OSError when it breaks."""

    def __init__(self, conversation: Conversation, client: ssl.SSLContext, server_name: str) -> None:
        self._conversation = conversation
        self._hostname = server_name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = client.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._http = h11.Connection(h11.CLIENT)
        self._shake_hands()

    def ask(self, *, host: str | None = None, target: str = "/", method: str = "GET", headers: Headers = ()) -> Answer:
        """One request. `host` is the Host header, absent: the server name; `headers` are all others."""
        request = h11.Request(method=method, target=target, headers=[("host", host or self._hostname), *headers])
        self._send(self._http.send(request) + self._http.send(h11.EndOfMessage()))
        answer = self._answer()
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return answer

    def open_anew(self) -> None:
        """See Conversation."""
        self._conversation.open_anew()

    @property
    def usable(self) -> bool:
        """Whether it can be asked again."""
        return not self._conversation.ended

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._exchange()
            else:
                self._exchange()
                return

    def _send(self, data: bytes) -> None:
        self._tls.write(data)
        self._exchange()

    def _answer(self) -> Answer:
        status, headers, body = 0, dict[str, str](), b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(self._tls.read(_MOST))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return Answer(status, headers, body, self._conversation.verdict)

    def _exchange(self) -> None:
        """Carry what this side has to say to the other side, and its answer back. Raises ConnectionError."""
        said = self._outgoing.read()
        if self._conversation.ended or not said:
            raise ConnectionResetError("the edge has closed the connection")
        self._incoming.write(self._conversation.receive(said))


class EdgeInMemory:
    """`certificates` can be shared, so that clients trust many edges; absent: made anew."""

    def __init__(self, edge: Edge, certificates: ServerCertificates | None = None) -> None:
        self._edge = edge
        self._certificates = certificates or ServerCertificates()
        self._handshakes = Handshakes(edge, self._certificates)
        self._kept: dict[tuple[ssl.SSLContext, str, bool, str], ClientConnection] = {}

    @property
    def authority_pem(self) -> str:
        """The certificate of the CA that clients have to trust."""
        return self._certificates.authority_pem

    def connect(self, client: ssl.SSLContext, server_name: str, *, source: str = _SOURCE) -> ClientConnection:
        """A handshake. Raises ssl.SSLError when it fails."""
        return ClientConnection(Conversation(self._edge, self._handshakes, source), client, server_name)

    def ask(
        self,
        client: ssl.SSLContext,
        hostname: str,
        *,
        host: str | None = None,
        target: str = "/",
        method: str = "GET",
        headers: Headers = (),
        source: str = _SOURCE,
    ) -> Answer:
        """One request on a new connection. `hostname` is the server name, `host` the Host header where it differs."""
        key = (client, hostname, self._edge.connect(hostname).trust.asks, source)
        try:
            kept = self._kept.pop(key, None)
            if kept is None:
                connection = self.connect(client, hostname, source=source)
            else:
                connection = kept
                connection.open_anew()
            answer = connection.ask(host=host, target=target, method=method, headers=headers)
        except (OSError, h11.ProtocolError) as error:
            return Answer(0, error=str(error))
        if connection.usable:
            self._kept[key] = connection
        return answer
