"""The way of one operator process to Cloudflare: slow, and what was sent once arrives even when its sender is dead.

The operator may change nothing after its death, but a request that has left it cannot be called back. So a
request that is under way is carried by a task of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from testbed.cloudflare.faults import Moment
from testbed.cloudflare.monitor.case import SENT_HEADER
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.transport import AsyncSimulationTransport


@dataclass(frozen=True, slots=True)
class Luck:
    """How the network is. `latency`: the longest way in seconds, for each direction. With probability `late` the
    connection breaks after a request was sent, which is handled up to `latest` seconds later."""

    rng: random.Random
    latency: float = 0.0
    late: float = 0.0
    latest: float = 20.0


class Wire(httpx.AsyncBaseTransport):
    """`alive` says whether the process lives; one that does not is told so by CancelledError."""

    def __init__(self, cloudflare: CloudflareSimulation, alive: Callable[[], bool]) -> None:
        self.luck: Luck | None = None
        self.cuts = 0
        """How many connections broke by bad luck."""
        self.on_request: Callable[[str, Moment], object] = lambda _what, _moment: None
        self._cloudflare = cloudflare
        self._inner = AsyncSimulationTransport(cloudflare, self._travel)
        self._alive = alive
        self._under_way: set[asyncio.Task[httpx.Response]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.ReadError for a broken connection."""
        what = f"{request.method} {_template(request.url.path)}"
        self._check()
        self.on_request(what, Moment.BEFORE)
        self._check()
        response = await self._carried(request)
        self._check()
        self.on_request(what, Moment.AFTER)
        self._check()
        return response

    async def _carried(self, request: httpx.Request) -> httpx.Response:
        luck = self.luck
        if luck is not None and luck.late and luck.rng.random() < luck.late:
            self.cuts += 1
            request.headers[SENT_HEADER] = str(self._cloudflare.clock())
            self._send(request, luck.rng.uniform(0.0, luck.latest))
            await asyncio.sleep(luck.latency)
            raise httpx.ReadError("broken by bad luck", request=request)
        if luck is None and not self._cloudflare.faults.armed:
            return await self._inner.handle_async_request(request)
        return await asyncio.shield(self._send(request, 0.0))

    def _send(self, request: httpx.Request, delay: float) -> asyncio.Task[httpx.Response]:
        async def arrive() -> httpx.Response:
            await asyncio.sleep(delay)
            return await self._inner.handle_async_request(request)

        task = asyncio.create_task(arrive())
        self._under_way.add(task)
        task.add_done_callback(self._arrived)
        return task

    def _arrived(self, task: asyncio.Task[httpx.Response]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            # Whoever sent it may be gone, so that nobody else asks how it went.
            task.exception()

    async def _travel(self, delay: float) -> None:
        luck = self.luck
        longer = luck.rng.uniform(0.0, luck.latency) if luck is not None else 0.0
        await asyncio.sleep(delay + longer)

    def _check(self) -> None:
        if not self._alive():
            raise asyncio.CancelledError("the process has been killed")


def _template(path: str) -> str:
    """A path without its ids."""
    parts = path.removeprefix("/client/v4/").split("/")
    return "/".join("{id}" if any(sign.isdigit() for sign in part) or len(part) == 32 else part for part in parts)
