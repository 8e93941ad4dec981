"""The operator as a process between a simulated cluster and a simulated Cloudflare, in virtual time.

It consists of what `cfmtls run` consists of: the engine, and beside it kopf's watch once everything has been listed.
`kill` ends it between two instructions, as `kill -9` does: nothing that it would do afterwards reaches either side.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from mtls_operator.cloudflare.client import open_http
from mtls_operator.configuration import Configuration
from mtls_operator.domain.marks import Installation
from mtls_operator.engine.engine import Engine, Identity
from mtls_operator.observability.health import Health
from mtls_operator.observability.metrics import Metrics
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.transport import AsyncSimulationTransport
from testbed.cluster import SimulatedClient, SimulatedCluster, VirtualClock


class MortalTransport(httpx.AsyncBaseTransport):
    """Carries requests for as long as the process lives."""

    def __init__(self, cloudflare: CloudflareSimulation, process: SimulatedClient) -> None:
        self._inner = AsyncSimulationTransport(cloudflare)
        self._process = process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises CancelledError in a process that has been killed."""
        self._check()
        response = await self._inner.handle_async_request(request)
        self._check()
        return response

    def _check(self) -> None:
        if not self._process.alive:
            raise asyncio.CancelledError("the process has been killed")


@dataclass
class OperatorProcess:
    """A process that runs. `client` is its side of the cluster: faults, latency, watches."""

    client: SimulatedClient
    engine: Engine
    _task: asyncio.Task[None]

    async def kill(self) -> None:
        """`kill -9`; returns when nothing of it is left."""
        self.client.kill()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def ended(self) -> bool:
        return self._task.done()


def start(
    configuration: Configuration, cluster: SimulatedCluster, cloudflare: CloudflareSimulation, clock: VirtualClock
) -> OperatorProcess:
    """A new process of an installation: its memory is empty."""
    client = cluster.client("operator")
    owner = configuration.owner_id or "operator"
    uid = cluster.users.read("Namespace", "", "kube-system") or {}
    installation = Installation(owner=owner, cluster=uid["metadata"]["uid"])
    engine = Engine(
        configuration,
        Identity(pod="operator-0", namespace="cfmtls-system", installation=installation),
        api=client,
        http=open_http(transport=MortalTransport(cloudflare, client)),
        clock=clock,
        metrics=Metrics(clock.now),
        health=Health(120.0, clock.now),
    )
    return OperatorProcess(client, engine, asyncio.create_task(_run(engine, client)))


@asynccontextmanager
async def running_operator(
    configuration: Configuration, cluster: SimulatedCluster, cloudflare: CloudflareSimulation, clock: VirtualClock
) -> AsyncIterator[OperatorProcess]:
    """A process until the block ends."""
    process = start(configuration, cluster, cloudflare, clock)
    try:
        yield process
    finally:
        await process.kill()


async def _run(engine: Engine, client: SimulatedClient) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run())
        await engine.listed.wait()
        await client.watch(engine.observe)
