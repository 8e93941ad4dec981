"""A Deployment like the chart's, in a namespace of its own."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from testbed.controlplane import ControlPlane

Manifest = dict[str, Any]
Change = Callable[[Manifest], None]
"""Of the container of the pod."""

CONTAINER: Manifest = {
    "name": "operator",
    "image": "none",
    "args": ["run", "--config=/etc/cfmtls/config.yaml", "/etc/cfmtls/config.yaml"],
    "env": [
        {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "token"}}},
        {"name": "CFMTLS_SERVER_PORT", "value": "8080"},
    ],
    "ports": [{"name": "http", "containerPort": 8080}],
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
    "volumeMounts": [
        {"name": "config", "mountPath": "/etc/cfmtls"},
        {"name": "empty", "mountPath": tempfile.gettempdir()},
    ],
}


def deployment(container: Manifest) -> Manifest:
    pod = {
        "serviceAccountName": "operator",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "config"}}, {"name": "empty", "emptyDir": {}}],
    }
    labels = {"app": "operator"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "operator"}, "spec": spec}


@pytest.fixture
def deploy(control_plane: ControlPlane, namespace: str) -> Callable[[Change], str]:
    """Applies the Deployment and what it needs, after a change of its container; gives the namespace."""
    config = {"metadata": {"name": "config"}, "data": {"config.yaml": "ownerId: first\n"}}
    items = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}},
        {"apiVersion": "v1", "kind": "ConfigMap", **config},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"token": "from-a-secret"}},
    ]

    def apply(change: Change) -> str:
        container = copy.deepcopy(CONTAINER)
        change(container)
        manifest = {"apiVersion": "v1", "kind": "List", "items": [*items, deployment(container)]}
        control_plane.kubectl("apply", "--namespace", namespace, "--filename", "-", stdin=json.dumps(manifest))
        return namespace

    return apply
