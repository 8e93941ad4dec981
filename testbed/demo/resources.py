"""The resources as the API server has them, asked for again and again while the demo goes on."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from testbed.controlplane import ControlPlane

_GROUP = "apishield-mtls.io/v1alpha1"
_KINDS = {"mtlsca": "mtlscertificateauthorities", "mtlshb": "mtlshostbindings"}
_PAUSE = 0.1
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What a person wants to know of a resource."""

    kind: str
    """Its short name."""
    name: str
    """namespace/name."""
    ready: str
    reason: str
    message: str
    deleting: bool


Watcher = Callable[[tuple[Resource, ...]], object]


class ResourceWatch:
    """Tells `changed` all resources of both kinds whenever one of them has changed, while its block runs."""

    def __init__(self, control_plane: ControlPlane, changed: Watcher) -> None:
        self._client = httpx.Client(base_url=control_plane.url, verify=_trust(control_plane), trust_env=False)
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="resources", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if error is None:
            self._changed(self.look())
        self._client.close()

    def look(self) -> tuple[Resource, ...]:
        """All resources of the cluster now; none while the CRDs are not there. Raises httpx.HTTPError."""
        return tuple(
            _resource(short, item)
            for short, plural in _KINDS.items()
            for item in self._items(f"/apis/{_GROUP}/{plural}")
        )

    def _items(self, path: str) -> list[dict[str, Any]]:
        answer = self._client.get(path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    def _follow(self) -> None:
        last: tuple[Resource, ...] = ()
        while not self._stop.wait(_PAUSE):
            try:
                now = self.look()
            except httpx.TransportError:
                # The control plane is going: whoever ends it also ends this watch.
                continue
            if now != last:
                self._changed(now)
                last = now


def _resource(short: str, item: Mapping[str, Any]) -> Resource:
    metadata = item["metadata"]
    conditions = item.get("status", {}).get("conditions", ())
    ready: Mapping[str, str] = next((condition for condition in conditions if condition["type"] == "Ready"), {})
    return Resource(
        kind=short,
        name=f"{metadata['namespace']}/{metadata['name']}",
        ready=ready.get("status", "-"),
        reason=ready.get("reason", "-"),
        message=ready.get("message", "not seen by the operator yet"),
        deleting="deletionTimestamp" in metadata,
    )


def _trust(control_plane: ControlPlane) -> ssl.SSLContext:
    """The administrator of the kubeconfig, as an HTTP client needs it."""
    context = ssl.create_default_context(cadata=control_plane.ca_pem.decode())
    user = yaml.safe_load(control_plane.kubeconfig.read_text())["users"][0]["user"]
    pair = control_plane.directory / "demo.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(b"".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("key", "certificate")))
    context.load_cert_chain(pair)
    return context
