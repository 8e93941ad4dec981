"""The operator as a process between a simulated cluster and a simulated Cloudflare, in virtual time.

It consists of what `cfmtls run` consists of: the engine, and beside it kopf's watch once everything has been listed.
`kill` ends it between two instructions, as `kill -9` does: nothing that it would do afterwards reaches either side.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from mtls_operator.cloudflare.client import open_http
from mtls_operator.configuration import Configuration
from mtls_operator.domain.marks import Installation
from mtls_operator.engine.engine import Engine, Identity
from mtls_operator.observability.health import Health
from mtls_operator.observability.metrics import Metrics
from mtls_operator.outside.visits import Outside
from testbed.chaos.wire import Wire
from testbed.cloudflare.faults import Moment
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cluster import Request, SimulatedClient, SimulatedCluster, VirtualClock

_IN_ORDER_SECONDS: Final = 1e-6
Boundary = Callable[[str, Moment], object]
"""Told of every request of a process, to whichever side, before it is sent and after it was handled."""


class Workers:
    """kopf's workers: events of one object keep their order, those of different objects need not. `lag`: seconds that
    an event waits, drawn between two bounds."""

    def __init__(self, engine: Engine, rng: random.Random, alive: Callable[[], bool]) -> None:
        self.lag: tuple[float, float] = (0.0, 0.0)
        self._engine = engine
        self._rng = rng
        self._alive = alive
        self._latest: dict[str, float] = {}

    def observe(self, kind: str, body: Mapping[str, Any], *, deleted: bool) -> None:
        """Something was seen of an object."""
        loop, uid = asyncio.get_running_loop(), body["metadata"]["uid"]
        # A timer that is due at the same time as another may come before it.
        due = max(loop.time() + self._rng.uniform(*self.lag), self._latest.get(uid, 0.0) + _IN_ORDER_SECONDS)
        self._latest[uid] = due
        loop.call_at(due, self._tell, kind, body, deleted)

    def _tell(self, kind: str, body: Mapping[str, Any], deleted: bool) -> None:
        if self._alive():
            self._engine.observe(kind, body, deleted=deleted)


@dataclass(eq=False)
class OperatorProcess:
    """A process that runs. `client` is its side of the cluster: faults, latency, watches; `wire` that of Cloudflare.

    A function in `boundaries` may let the process `die`: then the request is not sent, or its answer never arrives.
    """

    client: SimulatedClient
    wire: Wire
    engine: Engine
    workers: Workers
    metrics: Metrics
    boundaries: list[Boundary] = field(default_factory=list)
    _cluster: SimulatedCluster | None = None
    _task: asyncio.Task[None] | None = None

    def begin(self, cluster: SimulatedCluster) -> None:
        """Start to work, and tell the boundaries of every request."""
        self._cluster = cluster
        self._before, self._after = (
            partial(self._asked, moment=Moment.BEFORE),
            partial(self._asked, moment=Moment.AFTER),
        )
        cluster.before_request.append(self._before)
        cluster.after_request.append(self._after)
        self.wire.on_request = self._crossed
        self._task = asyncio.create_task(self._run())

    def die(self) -> None:
        """`kill -9`: from this moment on it has no effect on anything."""
        self.client.kill()
        if self._task is not None:
            self._task.cancel()
        if self._cluster is not None:
            self._cluster.before_request.remove(self._before)
            self._cluster.after_request.remove(self._after)
            self._cluster = None

    async def kill(self) -> None:
        """`die`; returns when nothing of it is left."""
        self.die()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def ended(self) -> bool:
        """Whether it has come to an end, by itself or not."""
        return self._task is not None and self._task.done()

    def failure(self) -> BaseException | None:
        """Why it ended by itself; None when it has not."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception() or RuntimeError("the operator ended without a reason")

    def _asked(self, _index: int, request: Request, *, moment: Moment) -> None:
        if request.client == self.client.name:
            self._crossed(f"{request.verb} {request.key.kind}", moment)

    def _crossed(self, what: str, moment: Moment) -> None:
        for boundary in list(self.boundaries):
            if self.client.alive:
                boundary(what, moment)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.engine.run())
            await self.engine.listed.wait()
            await self.client.watch(self.workers.observe)


def start(
    configuration: Configuration,
    cluster: SimulatedCluster,
    cloudflare: CloudflareSimulation,
    clock: VirtualClock,
    *,
    prepare: Callable[[OperatorProcess], object] = lambda _: None,
    outside: Outside | None = None,
) -> OperatorProcess:
    """A new process of an installation: its memory is empty. `prepare` sees it before it does anything. `outside` asks
    for hostnames from outside."""
    client = cluster.client("operator")
    owner = configuration.owner_id or "operator"
    uid = cluster.users.read("Namespace", "", "kube-system") or {}
    installation = Installation(owner=owner, cluster=uid["metadata"]["uid"])
    wire = Wire(cloudflare, lambda: client.alive)
    metrics = Metrics(clock.now)
    engine = Engine(
        configuration,
        Identity(pod="operator-0", namespace="cfmtls-system", installation=installation),
        api=client,
        http=open_http(transport=wire),
        clock=clock,
        metrics=metrics,
        health=Health(120.0, clock.now),
        outside=outside,
    )
    workers = Workers(engine, random.Random(clock.chance.getrandbits(64)), lambda: client.alive)
    process = OperatorProcess(client, wire, engine, workers, metrics)
    prepare(process)
    process.begin(cluster)
    return process


@asynccontextmanager
async def running_operator(
    configuration: Configuration,
    cluster: SimulatedCluster,
    cloudflare: CloudflareSimulation,
    clock: VirtualClock,
    outside: Outside | None = None,
) -> AsyncIterator[OperatorProcess]:
    """A process until the block ends."""
    process = start(configuration, cluster, cloudflare, clock, outside=outside)
    try:
        yield process
    finally:
        await process.kill()
