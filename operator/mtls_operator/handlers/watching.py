"""Hands every event of our kinds to the engine.

Only `on.event` handlers: they leave no annotation and no finalizer on the object, are not skipped for restored
objects, and do not hold up the object's other events (see docs/adr).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any

import kopf

from mtls_operator.api.certificate_authority import MtlsCertificateAuthority
from mtls_operator.api.constants import GROUP, VERSION
from mtls_operator.api.host_binding import MtlsHostBinding
from mtls_operator.cluster.kinds import PLURALS
from mtls_operator.engine.engine import Engine

_TOKEN_LIFE = timedelta(minutes=10)


class _EndlessBackoffs:
    """Seconds between tries, growing up to half a minute, for ever and from the beginning each time."""

    def __iter__(self) -> Iterator[float]:
        return chain((1.0, 2.0, 4.0, 8.0, 15.0), repeat(30.0))


async def watch(engine: Engine, on_start: Callable[[], None]) -> None:
    """Watch both kinds in all namespaces until cancelled. `on_start` is called once kopf has set itself up: it has
    taken over the signals by then, which it has not yet when it calls a handler for its start."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_log_in)
    for kind in (MtlsCertificateAuthority.kind, MtlsHostBinding.kind):
        kopf.on.event(GROUP, VERSION, PLURALS[kind], registry=registry, id=kind)(_handler(engine, kind))
    others = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(registry=registry, settings=_settings(), clusterwide=True, standalone=True)
    on_start()
    await kopf.run_tasks(tasks, ignored=others)


def _handler(engine: Engine, kind: str) -> Any:
    async def handle(**event: Any) -> None:
        engine.observe(kind, dict(event["body"]), deleted=event["type"] == "DELETED")

    return handle


def _log_in(**kwargs: Any) -> kopf.ConnectionInfo | None:
    if os.environ.get("KUBECONFIG"):
        return kopf.login_with_kubeconfig(**kwargs)
    found = kopf.login_with_service_account(**kwargs)
    if found is None:
        return None
    # By the address that the kubelet gives us, as all other clients do: kopf's own choice needs the cluster's DNS.
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    # The kubelet renews the token within the hour; it is read again long before.
    return replace(found, server=server, expiration=datetime.now(UTC) + _TOKEN_LIFE)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # Events about our resources are posted by the engine, under our own name.
    settings.posting.enabled = False
    # An API server that is away for longer than a minute is no reason to end: what is in force stays, and we wait.
    settings.networking.error_backoffs = _EndlessBackoffs()
    # CRDs and namespaces are not scanned: the chart installs the CRDs before us, and we watch all namespaces.
    settings.scanning.disabled = True
    return settings
