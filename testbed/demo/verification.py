"""Who gets through, asked with `cfmtls verify` as a user would, at the simulated edge."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from testbed.cloudflare.edge.server import EdgeServer
from testbed.demo.client_ca import Client

SOURCE = Path(__file__).resolve().parents[2] / "operator"
"""Where the operator's code is in this checkout."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the command said: `table` is its output, or its complaint where it had none. `is_good`: whether every
    client that should get through did, and no other."""

    table: str
    is_good: bool


def arguments(hostname: str, where: Sequence[str], clients: Mapping[str, Client]) -> tuple[str, ...]:
    """Of `cfmtls`: ask for a hostname, `where` the edge is (see `whereabouts`), also as these clients: `client` is one
    that should get through, `revoked` one that should not any more."""
    who = (
        (f"--{role}-cert", str(client.certificate), f"--{role}-key", str(client.key))
        for role, client in clients.items()
    )
    return ("verify", hostname, *where, *chain.from_iterable(who))


def whereabouts(edge: EdgeServer, trusted: Path) -> tuple[str, ...]:
    """Arguments by which every hostname is at this edge, whatever the DNS says; `trusted` holds its test CA."""
    where = f"*:{edge.port}:127.0.0.1"
    return ("--resolve", where, "--allow-private-addresses", "--ca-file", str(trusted))


def run(words: Sequence[str]) -> Report:
    """Run `cfmtls` of this checkout with these arguments."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "mtls_operator.cli", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Report((done.stdout or done.stderr).rstrip(), done.returncode == 0)


def as_typed(words: Sequence[str]) -> str:
    """The command line with these arguments."""
    return shlex.join(("cfmtls", *words))
