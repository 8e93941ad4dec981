"""`cfmtls run`: the operator's process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time

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
    operator = asyncio.ensure_future(_run(configuration))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, operator.cancel)
    try:
        await operator
    except asyncio.CancelledError:
        _LOG.info("stopped; what is in force at Cloudflare stays in force")


async def _run(configuration: Configuration) -> None:
    metrics, health = Metrics(), Health(_DEAD_AFTER_SECONDS, time.monotonic)
    async with (
        connected() as api,
        open_http(configuration.cloudflare.base_url) as http,
        serving(health, metrics.registry, configuration.server.port) as port,
    ):
        identity = await _identity(configuration, api)
        _LOG.info("started", extra={"owner": identity.installation.owner, "port": port, "pod": identity.pod})
        engine = Engine(configuration, identity, api=api, http=http, clock=Clock(), metrics=metrics, health=health)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch(engine))
            tasks.create_task(engine.run())


async def _identity(configuration: Configuration, api: ApiServer) -> Identity:
    cluster = await _cluster_uid(api)
    return Identity(
        pod=os.environ.get("POD_NAME", "cloudflare-mtls-operator"),
        namespace=os.environ.get("POD_NAMESPACE", "default"),
        installation=Installation(owner=configuration.owner_id or cluster, cluster=cluster),
    )


async def _cluster_uid(api: ApiServer) -> str:
    while True:
        try:
            return await api.cluster_uid()
        except ClusterError as error:
            _LOG.warning("cannot tell which cluster this is, trying again", extra={"error": str(error)})
            await asyncio.sleep(_RETRY_SECONDS)
