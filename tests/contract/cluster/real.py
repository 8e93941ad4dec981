"""The real API server, for the contract."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

from kubernetes.aio import client, config

from mtls_operator.cluster.api_server import ApiServer
from mtls_operator.engine.engine import Engine
from mtls_operator.handlers.watching import watch
from tests.contract.cluster.world import Body, Cluster, Observe, Operations, RefusedError

_PATHS: Final = {
    "MtlsCertificateAuthority": "/apis/apishield-mtls.io/v1alpha1/namespaces/{namespace}/mtlscertificateauthorities",
    "MtlsHostBinding": "/apis/apishield-mtls.io/v1alpha1/namespaces/{namespace}/mtlshostbindings",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Namespace": "/api/v1/namespaces",
}


class RealUsers:
    """kubectl's requests without kubectl, as administrator."""

    def __init__(self, connection: client.ApiClient) -> None:
        self._connection = connection

    async def create(self, manifest: Mapping[str, Any]) -> Body:
        return await self._send("POST", _collection(manifest), manifest)

    async def apply(self, manifest: Mapping[str, Any]) -> Body:
        place = f"{_collection(manifest)}/{manifest['metadata']['name']}?fieldManager=user&force=true"
        return await self._send("PATCH", place, manifest, "application/apply-patch+yaml")

    async def replace(self, manifest: Mapping[str, Any]) -> Body:
        return await self._send("PUT", f"{_collection(manifest)}/{manifest['metadata']['name']}", manifest)

    async def patch(self, kind: str, namespace: str, name: str, operations: Operations) -> Body:
        return await self._send("PATCH", _place(kind, namespace, name), operations, "application/json-patch+json")

    async def write_status(self, kind: str, namespace: str, name: str, status: Mapping[str, Any] | None) -> Body:
        place = f"{_place(kind, namespace, name)}/status"
        if status is None:
            return await self._send("PATCH", place, {"status": None}, "application/merge-patch+json")
        patch = [{"op": "add", "path": "/status", "value": status}]
        return await self._send("PATCH", place, patch, "application/json-patch+json")

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        await self._send("DELETE", _place(kind, namespace, name), None)

    async def read(self, kind: str, namespace: str, name: str) -> Body | None:
        try:
            return await self._send("GET", _place(kind, namespace, name), None)
        except RefusedError as refusal:
            if refusal.status == 404:
                return None
            raise

    async def _send(self, method: str, path: str, body: object, content: str = "application/json") -> Body:
        url = self._connection.configuration.host + path
        answer = await self._connection.call_api(method, url, {"Content-Type": content}, body)
        said = json.loads(await answer.read())
        if answer.status >= 400:
            raise RefusedError(answer.status, said.get("message", ""))
        return dict(said)


@asynccontextmanager
async def real_cluster(kubeconfig: Path, namespace: str) -> AsyncIterator[Cluster]:
    """The API server of a kubeconfig, which `KUBECONFIG` names as well for kopf."""
    settings = client.Configuration()
    await config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings)
    async with client.ApiClient(settings) as connection:
        yield Cluster(ApiServer(connection), RealUsers(connection), namespace, _watch)


async def _watch(observe: Observe) -> None:
    class Audience:
        def observe(self, kind: str, body: Mapping[str, Any], *, deleted: bool) -> None:
            observe(kind, body, deleted=deleted)

    await watch(cast(Engine, Audience()), lambda: None)


def _collection(manifest: Mapping[str, Any]) -> str:
    return _PATHS[manifest["kind"]].format(namespace=manifest["metadata"].get("namespace", ""))


def _place(kind: str, namespace: str, name: str) -> str:
    return f"{_PATHS[kind].format(namespace=namespace)}/{name}"
