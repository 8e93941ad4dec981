"""`python -m testbed.cloudflare`: a simulated Cloudflare as a process of its own.

Prints `URL <base url>` on its first line and each request live after it; violations of the safety invariants go to
stderr. With `--edge` its edge is there too: `EDGE <address>` is where every hostname of every zone is to be found, and
`EDGE-CA <file>` what clients have to trust. Ends with Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import random
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.server import EdgeServer
from testbed.cloudflare.edge.settings import AS_SENT, NORMALISED, EdgeSettings, SeveralCas
from testbed.cloudflare.journal import LogEntry
from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.server import CloudflareServer
from testbed.cloudflare.settings import Consistency, Duplicates, RateLimit, Settings, Staleness
from testbed.cloudflare.simulation import CloudflareSimulation

EXAMPLE_ACCOUNT = "a" * 32
EXAMPLE_ZONE = "b" * 32
EXAMPLE_TOKEN = "simulated-token-" + "0" * 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; 0 if no invariant was violated, else 1."""
    options = parser().parse_args(arguments)
    simulation = build(options)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    simulation.on_entry.append(_print_entry)
    with ExitStack() as running:
        server = running.enter_context(CloudflareServer(simulation, port=options.port))
        print(f"URL {server.url}", flush=True)
        print(f"CONTROL {server.origin}/simulation", flush=True)
        if options.edge is not None:
            edge = running.enter_context(EdgeServer(Edge(simulation), port=options.edge_port))
            options.edge.write_text(edge.authority_pem)
            print(f"EDGE 127.0.0.1:{edge.port}", flush=True)
            print(f"EDGE-CA {options.edge}", flush=True)
        stop.wait()
    return 1 if simulation.monitor.violations else 0


def build(options: argparse.Namespace) -> CloudflareSimulation:
    """The simulation that the flags describe."""
    settings = Settings(
        consistency=Consistency.everywhere(options.consistency_delay, Staleness(options.staleness)),
        rate_limit=RateLimit(requests=options.rate_limit),
        duplicates=Duplicates(options.duplicates),
        edge=EdgeSettings(
            lists_delay=options.edge_delay,
            rules_delay=options.edge_delay,
            several_cas=SeveralCas(options.several_cas),
            host=AS_SENT if options.host == "as-sent" else NORMALISED,
        ),
    )
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    simulation = CloudflareSimulation(time.time, settings, seed=seed, monitor=Monitor(window=options.window))
    for account in options.account or [EXAMPLE_ACCOUNT]:
        account_id, _, limit = account.partition(":")
        simulation.add_account(account_id, ca_limit=int(limit or 5))
    for zone in options.zone or [f"{EXAMPLE_ZONE}:example.com:{EXAMPLE_ACCOUNT}"]:
        zone_id, name, account_id, *plan = zone.split(":")
        simulation.add_zone(zone_id, name, account_id, plan=plan[0] if plan else "enterprise")
    for token in options.token or [EXAMPLE_TOKEN]:
        secret, _, owner = token.partition(":")
        simulation.add_token(secret, owner=owner or None)
    return simulation


def parser() -> argparse.ArgumentParser:
    """The flags."""
    flags = argparse.ArgumentParser(prog="python -m testbed.cloudflare", description=__doc__)
    flags.add_argument("--port", type=int, default=0, help="a free port when left out")
    flags.add_argument("--account", action="append", metavar="ID[:CA_LIMIT]")
    flags.add_argument("--zone", action="append", metavar="ID:NAME:ACCOUNT[:PLAN]")
    flags.add_argument("--token", action="append", metavar="SECRET[:OWNER]", help="with every permission")
    flags.add_argument("--consistency-delay", type=float, default=0.0, metavar="SECONDS")
    flags.add_argument("--staleness", choices=[item.value for item in Staleness], default=Staleness.RANDOM.value)
    flags.add_argument(
        "--window", type=float, default=90.0, metavar="SECONDS", help="the window that installations were told"
    )
    flags.add_argument("--rate-limit", type=int, default=RateLimit().requests, metavar="REQUESTS")
    flags.add_argument(
        "--duplicates", choices=[item.value for item in Duplicates], default=Duplicates.WHOLE_UPLOAD.value
    )
    flags.add_argument("--edge", type=Path, metavar="FILE", help="serve the edge too; its CA goes into the file")
    flags.add_argument("--edge-port", type=int, default=0, help="a free port when left out")
    flags.add_argument("--edge-delay", type=float, default=0.0, metavar="SECONDS", help="behind the API")
    flags.add_argument("--several-cas", choices=[item.value for item in SeveralCas], default=SeveralCas.ALL.value)
    flags.add_argument("--host", choices=["as-sent", "normalised"], default="as-sent", help="what http.host shows")
    flags.add_argument("--seed", type=int, default=None, help="a random one when left out")
    return flags


def _print_entry(entry: LogEntry) -> None:
    print(entry.line(), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
