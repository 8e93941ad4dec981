"""`cfmtls run`: the operator's process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable

from mtls_operator.cloudflare.client import open_http
from mtls_operator.cluster.api_server import ApiServer, connected
from mtls_operator.cluster.errors import ClusterError
from mtls_operator.configuration import Configuration
from mtls_operator.domain.marks import Installation
from mtls_operator.engine.clock import Clock
from mtls_operator.engine.engine import Engine, Identity
from mtls_operator.handlers.watching import watch
from mtls_operator.observability.health import Health, serving
from mtls_operator.observability.logging import configure_logging
from mtls_operator.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)
_DEAD_AFTER_SECONDS = 120.0
_RETRY_SECONDS = 2.0


def run_operator(configuration: Configuration) -> None:
    """Run until SIGTERM or SIGINT. Taking the operator away at any moment leaves everything in force."""
    configure_logging(configuration.logging)
    asyncio.run(_until_told_to_stop(configuration))


async def _until_told_to_stop(configuration: Configuration) -> None:
    operator: asyncio.Future[None] = asyncio.ensure_future(_run(configuration, lambda: _stop_on_signals(operator)))
    _stop_on_signals(operator)
    with contextlib.suppress(asyncio.CancelledError):
        await operator
    _LOG.info("stopped; what is in force at Cloudflare stays in force")


def _stop_on_signals(operator: asyncio.Future[None]) -> None:
    def stop(number: signal.Signals) -> None:
        _LOG.info("told to stop", extra={"signal": number.name})
        operator.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)


async def _run(configuration: Configuration, take_signals: Callable[[], None]) -> None:
    metrics, health = Metrics(), Health(_DEAD_AFTER_SECONDS, time.monotonic)
    async with (
        connected() as api,
        open_http(configuration.cloudflare.base_url) as http,
        serving(health, metrics.registry, configuration.server.port) as port,
    ):
        identity = await _identity(configuration, api)
        _LOG.info("started", extra={"owner": identity.installation.owner, "port": port, "pod": identity.pod})
        engine = Engine(configuration, identity, api=api, http=http, clock=Clock(), metrics=metrics, health=health)
        await _until_one_ends(asyncio.create_task(_watch(engine, take_signals)), asyncio.create_task(engine.run()))


async def _watch(engine: Engine, take_signals: Callable[[], None]) -> None:
    """kopf looks once which kinds are served, so it begins when both have been listed. It takes the signals for
    itself, and would wait for the engine's tasks when one comes, so they are taken back."""
    await engine.listed.wait()
    await watch(engine, take_signals)


async def _until_one_ends(*tasks: asyncio.Task[None]) -> None:
    """A watch without an engine, or an engine without a watch, must never go on alone. Raises what the first of them
    raised."""
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


async def _identity(configuration: Configuration, api: ApiServer) -> Identity:
    cluster = await _cluster_uid(api)
    return Identity(
        pod=os.environ.get("POD_NAME", "cloudflare-mtls-operator"),
        namespace=os.environ["POD_NAMESPACE"],
        installation=Installation(owner=configuration.owner_id or cluster, cluster=cluster),
    )


async def _cluster_uid(api: ApiServer) -> str:
    while True:
        try:
            return await api.cluster_uid()
        except ClusterError as error:
            _LOG.warning("cannot tell which cluster this is, trying again: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)
