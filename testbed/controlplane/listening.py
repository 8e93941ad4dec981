"""Starts servers on free ports, and waits until they are ready.

No port can be reserved for a child, so between choosing and listening somebody else may take it. A server that ends
because its port is taken is started again on another one; it is known to be ours because it proves so by TLS.
"""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from testbed.controlplane.certificates import KeyPair
from testbed.controlplane.child import Child

PortChoice = Callable[[], int]

_ATTEMPTS = 10
_TAKEN = "address already in use"
_POLL = 0.05


class StartError(RuntimeError):
    """A part of the control plane did not start. The text holds the end of its log."""


def free_port() -> int:
    """A port of the loopback address that is free now, and likely still is when a child comes to listen on it.

    Ports that the kernel chooses are also those it gives to outgoing connections, so one that is free may be in use
    a moment later; these are below that range (32768 on Linux, 49152 elsewhere).
    """
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(frozen=True, slots=True)
class Server:
    """A program to start: its command line, given the port, and the paths that all answer 200 once it is ready."""

    name: str
    command: Callable[[int], Sequence[str]]
    ready_paths: tuple[str, ...]
    ca: Path
    client: KeyPair
    patience: float = 120.0
    """Seconds until it must be ready. It takes 3 on an idle machine; a busy one is no reason to fail."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready."""

    child: Child
    port: int

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


def start(server: Server, directory: Path, choose_port: PortChoice) -> Running:
    """Start it and wait until it is ready; its log is in that directory.

    Raises StartError if it ends or is not ready in time.
    """
    log = directory / f"{server.name}.log"
    for _ in range(_ATTEMPTS):
        log.unlink(missing_ok=True)
        port = choose_port()
        child = Child.start(server.name, server.command(port), log)
        try:
            if _became_ready(server, child, port):
                return Running(child, port)
        except BaseException:
            child.kill9()
            raise
    raise StartError(f"{server.name}: {_ATTEMPTS} ports in a row were taken; the last was {port}")


def _became_ready(server: Server, child: Child, port: int) -> bool:
    """False if the port turned out to be taken."""
    deadline = time.monotonic() + server.patience
    with _client(server) as client:
        while time.monotonic() < deadline:
            if child.exit_code is not None:
                if _TAKEN in child.log_text():
                    return False
                raise StartError(_ended(child))
            if all(_answers(client, f"https://127.0.0.1:{port}{path}") for path in server.ready_paths):
                return True
            time.sleep(_POLL)
    raise StartError(
        f"{server.name} was not ready after {server.patience:.0f} s. The end of its log:\n{child.log_tail()}"
    )


def _answers(client: httpx.Client, url: str) -> bool:
    """True if a GET gives 200. Nobody there, or not the holder of our CA's certificate: False."""
    try:
        return client.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _client(server: Server) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(server.ca))
    context.load_cert_chain(server.client.certificate, server.client.key)
    # A proxy of the environment has no business between us and our own child.
    # Whoever took the port may accept and then say nothing, so connecting must not take long.
    return httpx.Client(verify=context, trust_env=False, timeout=httpx.Timeout(10.0, connect=1.0))


def _ended(child: Child) -> str:
    return f"{child.name} ended with exit code {child.exit_code}. The end of its log:\n{child.log_tail()}"
