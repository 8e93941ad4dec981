"""Probes and the scrape, over a real socket."""

from __future__ import annotations

import httpx
from prometheus_client import CollectorRegistry

from mtls_operator.observability import Health, Metrics, serving


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


async def asked(health: Health, path: str, registry: CollectorRegistry | None = None) -> httpx.Response:
    async with serving(health, registry or CollectorRegistry(), 0, "127.0.0.1") as port, httpx.AsyncClient() as http:
        return await http.get(f"http://127.0.0.1:{port}{path}")


async def test_an_operator_that_starts_is_alive_but_not_ready() -> None:
    health = Health(30, Clock())

    assert (await asked(health, "/healthz")).status_code == 200
    assert (await asked(health, "/readyz")).status_code == 503


async def test_an_operator_whose_engine_works_is_ready() -> None:
    health = Health(30, Clock())

    health.ready()

    answer = await asked(health, "/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\n")


async def test_a_loop_that_hangs_is_neither_alive_nor_ready() -> None:
    clock = Clock()
    health = Health(30, clock)
    health.ready()

    clock.now += 31

    answer = await asked(health, "/healthz")
    assert (answer.status_code, answer.text) == (503, "the engine has not moved for 31 s\n")
    assert (await asked(health, "/readyz")).status_code == 503


async def test_a_beat_keeps_the_loop_alive() -> None:
    clock = Clock()
    health = Health(30, clock)

    clock.now += 29
    health.beat()
    clock.now += 29

    assert (await asked(health, "/healthz")).status_code == 200


async def test_metrics_are_served_beside_the_probes() -> None:
    metrics = Metrics()
    metrics.deaf_watch("MtlsHostBinding", 1)

    answer = await asked(Health(30, Clock()), "/metrics", metrics.registry)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'cfmtls_deaf_watches_total{kind="MtlsHostBinding"} 1.0' in answer.text


async def test_the_port_is_free_again_when_the_context_is_left() -> None:
    health = Health(30, Clock())

    async with serving(health, CollectorRegistry(), 0, "127.0.0.1") as port:
        pass
    async with serving(health, CollectorRegistry(), port, "127.0.0.1") as again:
        pass

    assert again == port
