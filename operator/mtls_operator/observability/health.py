"""Is the operator alive, and is it ready?

Alive means that the engine's loop turns: it beats, and a loop that hangs does not. Being unable to reach
Cloudflare or to reconcile a resource is neither dead nor unready: a restart would not help.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class Health:
    """`silence` is the number of seconds without a beat after which the loop counts as dead.

    The clock is monotonic. Making the object is the first beat, so that a start may take that long.
    """

    def __init__(self, silence: float, clock: Callable[[], float]) -> None:
        self._silence = silence
        self._clock = clock
        self._last_beat = clock()
        self._ready = False

    def beat(self) -> None:
        """The engine's loop turned once more."""
        self._last_beat = self._clock()

    def ready(self) -> None:
        """Every resource of the cluster has been listed and the engine works."""
        self._ready = True

    @property
    def seconds_since_beat(self) -> float:
        return self._clock() - self._last_beat

    @property
    def is_alive(self) -> bool:
        return self.seconds_since_beat <= self._silence

    @property
    def is_ready(self) -> bool:
        return self._ready and self.is_alive


def health_app(health: Health, registry: CollectorRegistry) -> web.Application:
    """`/healthz`, `/readyz` (200 or 503) and `/metrics`."""

    async def healthz(_: web.Request) -> web.Response:
        said = "alive" if health.is_alive else f"the engine has not moved for {health.seconds_since_beat:.0f} s"
        return _verdict(said, good=health.is_alive)

    async def readyz(_: web.Request) -> web.Response:
        said = "ready" if health.is_ready else "the resources of the cluster are not all known yet, or the engine hangs"
        return _verdict(said, good=health.is_ready)

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


@asynccontextmanager
async def serving(
    health: Health, registry: CollectorRegistry, port: int, host: str | None = None
) -> AsyncIterator[int]:
    """Serve while the context is open; gives the port, which matters for port 0. `host` None: all interfaces."""
    runner = web.AppRunner(health_app(health, registry), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _verdict(said: str, *, good: bool) -> web.Response:
    return web.Response(text=f"{said}\n", status=200 if good else 503)
