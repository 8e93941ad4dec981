"""What the edge makes of HTTP itself, good and bad."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from testbed.cloudflare.edge.server import EdgeServer
from tests.contract.edge.clients import Site, client_context, get
from tests.contract.edge.world import HOSTNAME, EdgeWorld

ROOT = Path(__file__).parents[3]


def _say(world: EdgeWorld, said: bytes) -> bytes:
    """What comes back for these bytes on a connection of their own, until the edge closes it."""
    context = client_context(world.site.trusted)
    with (
        socket.create_connection(("127.0.0.1", world.site.port)) as plain,
        context.wrap_socket(plain, server_hostname=HOSTNAME) as tls,
    ):
        tls.sendall(said)
        return b"".join(iter(lambda: tls.recv(4096), b""))


def test_the_origin_answers_what_gets_through(world: EdgeWorld) -> None:
    answer = world.site.get(HOSTNAME)

    assert answer.text == "the origin of a.example.com\n"
    assert answer.headers["x-simulated-origin"] == "reached"


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n"])
def test_what_is_no_request_is_refused_and_the_connection_closed(world: EdgeWorld, request_line: bytes) -> None:
    assert _say(world, request_line).startswith(b"HTTP/1.1 400")


def test_two_host_headers_are_refused(world: EdgeWorld) -> None:
    said = b"GET / HTTP/1.1\r\nHost: a.example.com\r\nHost: b.example.com\r\n\r\n"

    assert _say(world, said).startswith(b"HTTP/1.1 400")


def test_requests_sent_at_once_are_answered_one_after_the_other(world: EdgeWorld) -> None:
    said = b"GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n"

    answers = _say(world, said + said + last)

    assert answers.count(b"HTTP/1.1 200") == 3


def test_a_client_that_speaks_no_tls_is_hung_up_on(world: EdgeWorld) -> None:
    with socket.create_connection(("127.0.0.1", world.site.port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
        heard = b"".join(iter(lambda: plain.recv(4096), b""))

    assert b"HTTP" not in heard


def test_a_client_that_goes_away_disturbs_nobody(world: EdgeWorld) -> None:
    socket.create_connection(("127.0.0.1", world.site.port)).close()
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(
            socket.create_connection(("127.0.0.1", world.site.port)), server_hostname=HOSTNAME
        )

    assert world.site.get(HOSTNAME).status_code == 200


def test_a_port_that_is_taken_says_so(world: EdgeWorld) -> None:
    with pytest.raises(OSError, match="in use"), EdgeServer(world.edge, port=world.site.port):
        pass


def test_a_closed_edge_serves_nobody_not_even_old_connections(world: EdgeWorld) -> None:
    with ExitStack() as running:
        server = running.enter_context(EdgeServer(world.edge))
        with Site(server.port, server.authority_pem).client() as client:
            served = get(client, HOSTNAME)
            running.close()

            with pytest.raises(httpx.TransportError):
                get(client, HOSTNAME)

    assert served.status_code == 200


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[str, Site]]:
    """`python -m testbed.cloudflare --edge`: its control API and its edge."""
    command = [sys.executable, "-m", "testbed.cloudflare", "--edge", str(tmp_path / "ca.pem")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = dict(running.stdout.readline().split() for _ in range(4))
        trusted = Path(said["EDGE-CA"]).read_text()
        yield said["CONTROL"], Site(int(said["EDGE"].rsplit(":", 1)[1]), trusted)
        running.terminate()


def test_a_process_of_its_own_has_an_edge_too(process: tuple[str, Site]) -> None:
    control, site = process
    rule = {"zone_id": "b" * 32, "expression": f'http.host eq "{HOSTNAME}"'}
    access = {"scope_id": "b" * 32, "mode": "whitelist", "target": "127.0.0.2"}

    httpx.post(f"{control}/rules", json=rule).raise_for_status()
    httpx.post(f"{control}/access-rules", content=json.dumps(access)).raise_for_status()

    assert [site.get(HOSTNAME, source=source).status_code for source in ("127.0.0.1", "127.0.0.2")] == [403, 200]
