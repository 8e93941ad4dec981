"""What the demo plays on: a control plane, a simulated Cloudflare, and the operator as a user installs it.

Cloudflare lags behind by up to `CONSISTENCY_DELAY`, as the real one does by up to 90 s, and the operator is told a
window of `WINDOW`; so everything happens as in reality, 45 times as fast. Its edge lags behind the API by as much, and
shows rules the host name without the port and the trailing dot that a client may write, as the chart's default of
`hostMatch` takes for granted.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.server import EdgeServer
from testbed.cloudflare.edge.settings import NORMALISED, EdgeSettings
from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.server import CloudflareServer
from testbed.cloudflare.settings import Consistency, Settings
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.controlplane import ControlPlane
from testbed.demo.screen import Screen
from testbed.installation import CHART, RELEASE, Site, installed
from testbed.kubelet import Image, Pod

CONSISTENCY_DELAY = 1.0
"""Seconds."""
WINDOW = 2.0
"""Seconds."""
ROOT = Path(__file__).resolve().parents[2]
OWNER = "demo"
OPERATOR_NAMESPACE = RELEASE

ACCOUNT = "0123456789abcdef0123456789abcdef"
ZONE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ZONE_NAME = "example.com"
OTHER_ZONES = {"1" * 31 + "a": "example.org", "2" * 31 + "b": "example.net"}


@dataclass(frozen=True, slots=True)
class Stage:
    """All of it, running."""

    control_plane: ControlPlane
    simulation: CloudflareSimulation
    server: CloudflareServer
    edge: EdgeServer
    edge_ca: Path
    """PEM: what clients of the edge have to trust."""
    pod: Pod


def simulated_cloudflare() -> tuple[CloudflareSimulation, str]:
    """An account with its zones, and a token for the operator."""
    settings = Settings(
        consistency=Consistency.everywhere(CONSISTENCY_DELAY),
        edge=EdgeSettings(lists_delay=CONSISTENCY_DELAY, rules_delay=CONSISTENCY_DELAY, host=NORMALISED),
    )
    simulation = CloudflareSimulation(time.time, settings, monitor=Monitor(window=WINDOW))
    simulation.add_account(ACCOUNT)
    for zone_id, name in {ZONE: ZONE_NAME, **OTHER_ZONES}.items():
        simulation.add_zone(zone_id, name, ACCOUNT)
    token = secrets.token_urlsafe(30)
    simulation.add_token(token, owner=OWNER)
    return simulation, token


@contextmanager
def set_up(
    simulation: CloudflareSimulation,
    token: str,
    screen: Screen,
    *,
    controllers: bool,
    image_root: Path | None = None,
) -> Iterator[Stage]:
    """Start everything, one step after the other, and stop it in the opposite order. The operator runs from this
    checkout, or from the root file system of its image.

    Raises ProgramUnavailableError, StartError, CommandFailedError or PodCannotStartError.
    """
    with CloudflareServer(simulation) as server, EdgeServer(Edge(simulation)) as edge:
        screen.step("start etcd and kube-apiserver")
        with ControlPlane.start(controller_manager=controllers) as control_plane:
            edge_ca = control_plane.directory / "edge-ca.crt"
            edge_ca.write_text(edge.authority_pem)
            screen.say(f"ready at {control_plane.url}; the simulated Cloudflare is at {server.url}")
            screen.step("install the chart with helm, and start the operator")
            screen.command(
                f"helm upgrade --install {RELEASE} {CHART.relative_to(ROOT)} --namespace {OPERATOR_NAMESPACE} ..."
            )
            site = Site(OPERATOR_NAMESPACE, server.url, token, WINDOW, OWNER)
            with installed(control_plane, site, _image(image_root) if image_root else None) as pod:
                screen.say(f"runs as ServiceAccount {OPERATOR_NAMESPACE}/{RELEASE}, with the chart's permissions alone")
                try:
                    yield Stage(control_plane, simulation, server, edge, edge_ca, pod)
                finally:
                    screen.step("stop everything")


def _image(root: Path) -> Image:
    """As the Dockerfile configures it."""
    return Image(
        root,
        entrypoint=("/opt/cfmtls/bin/cfmtls",),
        user=65532,
        environment={"PATH": "/opt/cfmtls/bin:/usr/bin:/bin", "USER": "cfmtls", "HOME": "/"},
    )
