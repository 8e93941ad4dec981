"""The pod that a Deployment describes, read from the API server.

Strict: what a real kubelet would do and this one cannot play is refused, so that no test passes on a pod that a real
cluster would run differently.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from testbed.controlplane import CommandFailedError, ControlPlane

Json = dict[str, Any]


class PodCannotStartError(RuntimeError):
    """The pod cannot be run: something it needs is missing, or it needs what only a real kubelet can do."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The Secrets and ConfigMaps of the pod's namespace."""

    control_plane: ControlPlane
    namespace: str

    def data(self, kind: str, name: str, *, optional: bool) -> dict[str, bytes] | None:
        """What that `secret` or `configmap` holds. None if it is optional and missing."""
        arguments = ("get", kind, name, "--namespace", self.namespace, "--output", "json", "--ignore-not-found")
        text = self.control_plane.kubectl(*arguments).stdout
        if not text.strip():
            if optional:
                return None
            raise PodCannotStartError(f'{kind} "{name}" not found in namespace {self.namespace}')
        document = json.loads(text)
        plain = {key: value.encode() for key, value in (document.get("data") or {}).items()}
        if kind == "secret":
            return {key: base64.b64decode(value) for key, value in plain.items()}
        binary = document.get("binaryData") or {}
        return plain | {key: base64.b64decode(value) for key, value in binary.items()}


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """The one container of a Deployment's pod, and what is around it."""

    namespace: str
    service_account: str
    grace_seconds: int
    container: Json
    volumes: Mapping[str, Json]

    @classmethod
    def read(cls, control_plane: ControlPlane, namespace: str, deployment: str) -> Self:
        """Raises PodCannotStartError if there is no such Deployment, or its pod has not exactly one container."""
        arguments = ("get", "deployment", deployment, "--namespace", namespace, "--output", "json")
        try:
            document = json.loads(control_plane.kubectl(*arguments).stdout)
        except CommandFailedError as error:
            raise PodCannotStartError(f"Deployment {namespace}/{deployment} cannot be read: {error}") from error
        spec: Json = document["spec"]["template"]["spec"]
        containers: list[Json] = spec["containers"]
        if len(containers) != 1 or spec.get("initContainers"):
            raise PodCannotStartError(f"the pod of {namespace}/{deployment} has more than one container")
        return cls(
            namespace=namespace,
            # The API server fills in the deprecated twin of this field; both are absent for the default account.
            service_account=spec.get("serviceAccountName", "default"),
            grace_seconds=spec["terminationGracePeriodSeconds"],
            container=containers[0],
            volumes={volume["name"]: volume for volume in spec.get("volumes", [])},
        )

    @property
    def arguments(self) -> list[str]:
        return list(self.container.get("args", ()))

    @property
    def command(self) -> list[str]:
        """Empty: the image's own."""
        return list(self.container.get("command", ()))

    @property
    def mounts(self) -> list[Json]:
        return list(self.container.get("volumeMounts", ()))

    @property
    def ports(self) -> dict[str, int]:
        """Container ports by name; one without a name goes by its number."""
        return {
            port.get("name", str(port["containerPort"])): port["containerPort"]
            for port in self.container.get("ports", ())
        }

    def probe(self, name: str) -> tuple[str, int]:
        """Path and container port of the HTTP probe `livenessProbe` or `readinessProbe`."""
        probe = self.container.get(name, {}).get("httpGet")
        if probe is None:
            raise PodCannotStartError(f"container {self.container['name']} has no {name} by HTTP")
        port = probe["port"]
        return probe["path"], port if isinstance(port, int) else self.ports[port]

    def environment(self, objects: Objects, fields: Mapping[str, str]) -> dict[str, str]:
        """Its environment variables; `fields` are what a fieldRef may name."""
        if self.container.get("envFrom"):
            raise PodCannotStartError("envFrom is not played here: name each variable in env")
        values = {entry["name"]: _value(entry, objects, fields) for entry in self.container.get("env", [])}
        return {name: value for name, value in values.items() if value is not None}


def _value(entry: Json, objects: Objects, fields: Mapping[str, str]) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return _literal(entry.get("value", ""))
    match source:
        case {"fieldRef": {"fieldPath": path}} if path in fields:
            return fields[path]
        case {"secretKeyRef": reference}:
            return _of_object("secret", reference, objects)
        case {"configMapKeyRef": reference}:
            return _of_object("configmap", reference, objects)
    raise PodCannotStartError(f"environment variable {entry['name']} is not played here: {source}")


def _literal(value: str) -> str:
    if "$(" in value:
        raise PodCannotStartError(f"references to other variables are not played here: {value}")
    return value


def _of_object(kind: str, reference: Json, objects: Objects) -> str | None:
    name, key, optional = reference["name"], reference["key"], reference.get("optional", False)
    data = objects.data(kind, name, optional=optional) or {}
    if key not in data and not optional:
        raise PodCannotStartError(f'couldn\'t find key {key} in {kind} "{name}" of namespace {objects.namespace}')
    return data[key].decode() if key in data else None
