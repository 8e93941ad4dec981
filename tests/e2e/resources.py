"""Manifests as users write them: namespaces, Secrets, CAs and bindings."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

Manifest = dict[str, Any]

API_VERSION = "apishield-mtls.io/v1alpha1"
AUTHORITY = "partners"
"""The name of a tenant's CA where a test has no need of another, and of the Secret that holds it."""
BINDING = "api"


def as_list(manifests: Sequence[Manifest]) -> Manifest:
    """One stream for kubectl."""
    return {"apiVersion": "v1", "kind": "List", "items": list(manifests)}


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def secret(namespace: str, name: str, data: Mapping[str, str], **metadata: Any) -> Manifest:
    """A Secret with these texts under these keys."""
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "data": encoded,
    }


def authority(namespace: str, account: str, name: str = AUTHORITY, **spec: Any) -> Manifest:
    """A CA whose certificates are in the Secret of the same name, with these fields of the spec added or replaced."""
    return _resource(
        "MtlsCertificateAuthority",
        namespace,
        name,
        {"accountId": account, "source": {"secretRef": {"name": name}}, **spec},
    )


def binding(namespace: str, zone: Mapping[str, str], *hostnames: str, name: str = BINDING, **spec: Any) -> Manifest:
    """A binding of these hostnames to the CA `partners`, with these fields of the spec added or replaced."""
    wanted = {
        "certificateAuthorityRef": {"name": AUTHORITY},
        "zone": dict(zone),
        "hostnames": list(hostnames),
        **spec,
    }
    return _resource("MtlsHostBinding", namespace, name, wanted)


def _resource(kind: str, namespace: str, name: str, spec: Mapping[str, Any]) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}
