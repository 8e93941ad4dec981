"""httpx transports that carry requests to a simulation in the same process, without a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx

from testbed.cloudflare.faults import ConnectionCutError
from testbed.cloudflare.messages import Answer, Request
from testbed.cloudflare.simulation import CloudflareSimulation


class SimulationTransport(httpx.BaseTransport):
    """For httpx.Client. `sleep` serves delays of faults, in seconds."""

    def __init__(self, simulation: CloudflareSimulation, sleep: Callable[[float], None] = time.sleep) -> None:
        self._simulation = simulation
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; a cut connection is an httpx.ReadError."""
        delivery = self._simulation.arrive(_received(request, request.read()))
        self._sleep(delivery.delay_before)
        try:
            answer = self._simulation.process(delivery)
        except ConnectionCutError as cut:
            raise httpx.ReadError(str(cut), request=request) from None
        self._sleep(delivery.delay_after)
        return _sent(answer, request)


class AsyncSimulationTransport(httpx.AsyncBaseTransport):
    """For httpx.AsyncClient. `sleep` serves delays of faults, in seconds; a virtual clock's loop makes them free."""

    def __init__(
        self,
        simulation: CloudflareSimulation,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._simulation = simulation
        self._sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; a cut connection is an httpx.ReadError."""
        delivery = self._simulation.arrive(_received(request, await request.aread()))
        await self._sleep(delivery.delay_before)
        try:
            answer = self._simulation.process(delivery)
        except ConnectionCutError as cut:
            raise httpx.ReadError(str(cut), request=request) from None
        await self._sleep(delivery.delay_after)
        return _sent(answer, request)


def _received(request: httpx.Request, body: bytes) -> Request:
    return Request(
        method=request.method,
        path=request.url.path,
        query=tuple(request.url.params.multi_items()),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )


def _sent(answer: Answer, request: httpx.Request) -> httpx.Response:
    return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)
