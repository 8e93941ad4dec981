"""One cluster, one Cloudflare, and one installation of the operator between them: a real process with the chart's
rights, which tests configure otherwise, kill and restart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from testbed.cloudflare.journal import LogEntry
from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.server import CloudflareServer
from testbed.cloudflare.settings import RateLimit, Settings
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.state import State
from testbed.controlplane import ControlPlane
from testbed.installation import CHART, RELEASE, Site, helm_install
from testbed.kubelet import Pod
from tests.e2e import resources
from tests.e2e.held_calls import HeldCalls
from tests.e2e.waiting import PATIENCE

WINDOW = 0.4
"""Seconds. The consistency window and settle time that the operator is told, where a test does not choose another."""
OWNER = "cluster-a"
TOKEN = "e2e-0perator-t0ken-" + "Zq7x" * 6
RELEASE_NAMESPACE = "cfmtls-system"
_ALL = ("mtlsca,mtlshb", "--all", "--all-namespaces")
_IN_NAMESPACE = ("--namespace", RELEASE_NAMESPACE)
_NAMESPACES_AT_ONCE = 50
"""They are made in one go, because each kubectl takes as long as everything that a test waits for."""


@dataclass(frozen=True, slots=True)
class Handled:
    """A request that reached Cloudflare, with the truth before and after it."""

    entry: LogEntry
    before: State
    after: State


@dataclass(frozen=True, slots=True, repr=False)
class Cloudflare:
    """A simulated Cloudflare that is served at an address, and what is held of the calls to it."""

    simulation: CloudflareSimulation
    held: HeldCalls
    url: str


@dataclass(repr=False)
class World:
    """What a test acts on. `history` holds every request since the beginning, oldest first."""

    cluster: ControlPlane
    simulation: CloudflareSimulation
    held: HeldCalls
    pod: Pod
    history: list[Handled] = field(default_factory=list)
    _tenants: int = 0

    def next_number(self) -> int:
        """Of a new tenant, whose namespace is there."""
        if self._tenants % _NAMESPACES_AT_ONCE == 0:
            numbers = range(self._tenants + 1, self._tenants + 1 + _NAMESPACES_AT_ONCE)
            manifests = [resources.namespace(namespace_of(number)) for number in numbers]
            self.cluster.kubectl("create", "--filename", "-", stdin=json.dumps(resources.as_list(manifests)))
        self._tenants += 1
        return self._tenants

    def apply(self, *manifests: resources.Manifest) -> None:
        """Objects of any namespaces at once."""
        self.cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(resources.as_list(manifests)))

    def clear(self) -> None:
        """Delete all CAs and bindings of the cluster, and wait until they are gone."""
        self.cluster.kubectl("delete", *_ALL, f"--timeout={PATIENCE:.0f}s")

    def restart(self) -> None:
        """The operator ends and begins again, as after an upgrade of a node."""
        self.pod.restart()
        self.pod.wait_until_ready()

    def crash(self) -> None:
        """`kill -9`. What it has sent and is not answered never will be."""
        self.pod.kill9()
        self.held.let_go()

    @contextmanager
    def configured(self, values: Mapping[str, Any]) -> Iterator[None]:
        """The chart upgraded with these values on top, until the block ends; the operator restarts both times."""
        before = json.loads(self.cluster.helm("get", "values", RELEASE, *_IN_NAMESPACE, "--output", "json").stdout)
        self._upgrade(_merged(before, values))
        try:
            yield
        finally:
            self._upgrade(before)

    def _upgrade(self, values: Mapping[str, Any]) -> None:
        upgrade(self.cluster, values)
        self.crash()
        self.restart()


def _merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Values as helm merges two files of them."""
    both = {
        key: _merged(values[key], more[key])
        for key in values.keys() & more.keys()
        if isinstance(values[key], dict) and isinstance(more[key], dict)
    }
    return {**values, **more, **both}


def namespace_of(number: int) -> str:
    """The namespace of that tenant."""
    return f"tenant-{number}"


@contextmanager
def cloudflare() -> Iterator[Cloudflare]:
    """One without accounts, until the block ends."""
    settings = Settings(rate_limit=RateLimit(requests=1_000_000))
    simulation = CloudflareSimulation(time.time, settings, seed=1, monitor=Monitor(window=WINDOW))
    held = HeldCalls()
    with CloudflareServer(simulation, sleep=held.sleep) as server:
        yield Cloudflare(simulation, held, server.url)


@contextmanager
def world_on(cluster: ControlPlane, api: Cloudflare, *, owner: str = OWNER, token: str = TOKEN) -> Iterator[World]:
    """The chart installed by helm, the operator running and ready, until the block ends.

    It logs at DEBUG, so that whatever a test says about the log holds for every level.
    """
    api.simulation.add_token(token, owner=owner)
    with ExitStack() as ends:
        helm_install(cluster, Site(RELEASE_NAMESPACE, api.url, token, window=WINDOW, owner=owner))
        ends.callback(cluster.helm, "uninstall", RELEASE, "--namespace", RELEASE_NAMESPACE)
        # On top of the values of the installation.
        cluster.helm("upgrade", RELEASE, str(CHART), *_IN_NAMESPACE, "--reuse-values", "--set", "logging.level=DEBUG")
        pod = ends.enter_context(Pod.start(cluster, RELEASE_NAMESPACE, RELEASE))
        ends.callback(api.held.let_go)
        world = World(cluster, api.simulation, api.held, pod)
        _keep_history(world)
        pod.wait_until_ready()
        yield world


def upgrade(cluster: ControlPlane, values: Mapping[str, Any]) -> None:
    """The installed release with these values and no others."""
    cluster.helm("upgrade", RELEASE, str(CHART), *_IN_NAMESPACE, "--values", "-", stdin=json.dumps(values))


def _keep_history(world: World) -> None:
    last = [world.simulation.state]
    # A change from outside the API belongs to no request, so the state before is taken when one begins.
    world.simulation.before_request.append(lambda *_: last.__setitem__(0, world.simulation.state))
    world.simulation.on_entry.append(
        lambda entry: world.history.append(Handled(entry, last[0], world.simulation.state))
    )
