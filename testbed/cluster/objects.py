"""The objects of a cluster as plain JSON, and what the API server knows of each kind.

A body that has been stored is never changed in place: a write makes a new one. Users, who do change what they read, get
copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

Body = dict[str, Any]

GROUP: Final = "apishield-mtls.io"
CERTIFICATE_AUTHORITY: Final = "MtlsCertificateAuthority"
HOST_BINDING: Final = "MtlsHostBinding"
SECRET: Final = "Secret"
CONFIG_MAP: Final = "ConfigMap"
NAMESPACE: Final = "Namespace"
EVENT: Final = "Event"
OUR_KINDS: Final = (CERTIFICATE_AUTHORITY, HOST_BINDING)


@dataclass(frozen=True, slots=True)
class Kind:
    """`custom`: of a CRD with a status subresource, so with a generation and a status that only it writes."""

    name: str
    api_version: str
    namespaced: bool = True
    custom: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(CERTIFICATE_AUTHORITY, f"{GROUP}/v1alpha1", custom=True),
        Kind(HOST_BINDING, f"{GROUP}/v1alpha1", custom=True),
        Kind(SECRET, "v1"),
        Kind(CONFIG_MAP, "v1"),
        Kind(NAMESPACE, "v1", namespaced=False),
        Kind(EVENT, "events.k8s.io/v1"),
    )
}


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """An object by its place. `namespace` is empty for a Namespace."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def key_of(body: Mapping[str, Any]) -> ObjectKey:
    """The place of an object. Raises KeyError for a body without kind or name."""
    metadata = body["metadata"]
    return ObjectKey(body["kind"], metadata.get("namespace", ""), metadata["name"])


def copied(body: Mapping[str, Any]) -> Body:
    """A copy of a JSON object that shares nothing with it."""
    # Texts first, and by exact types: copying is a good part of what a simulated cluster costs.
    return {name: each if type(each) is str else copied_value(each) for name, each in body.items()}


def copied_value(value: Any) -> Any:
    """A copy of a JSON value that shares nothing with it."""
    kind = type(value)
    if kind is dict:
        return copied(value)
    if kind is list:
        return [each if type(each) is str else copied_value(each) for each in value]
    if isinstance(value, Mapping):
        return copied(value)
    return [copied_value(each) for each in value] if isinstance(value, tuple) else value


def timestamp(seconds: float) -> str:
    """Unix time as the API server writes it in metadata: whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
