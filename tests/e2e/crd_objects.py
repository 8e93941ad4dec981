"""Objects of both kinds: the smallest that are valid, and ones with every field of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

API_VERSION = "apishield-mtls.io/v1alpha1"
ACCOUNT = "0123456789abcdef0123456789abcdef"
ZONE = "fedcba9876543210fedcba9876543210"


def certificate_authority(namespace: str, **spec: Any) -> dict[str, Any]:
    """The smallest valid one, with these fields of the spec added or replaced."""
    smallest = {"accountId": ACCOUNT, "source": {"secretRef": {"name": "partners-ca"}}}
    return _object("MtlsCertificateAuthority", namespace, {**smallest, **spec})


def host_binding(namespace: str, **spec: Any) -> dict[str, Any]:
    """The smallest valid one, with these fields of the spec added or replaced."""
    smallest = {
        "certificateAuthorityRef": {"name": "partners"},
        "zone": {"name": "example.com"},
        "hostnames": ["api.example.com"],
    }
    return _object("MtlsHostBinding", namespace, {**smallest, **spec})


def _object(kind: str, namespace: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": "partners", "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}


FULL_CERTIFICATE_AUTHORITY: Mapping[str, Any] = {
    "accountId": ACCOUNT,
    "displayName": "Partners of team-a/prod",
    "source": {"configMapRef": {"name": "partners", "key": "ca-bundle.pem"}},
    "credentialsRef": {"name": "cloudflare", "key": "token"},
    "managementPolicy": "Observe",
    "adoptionPolicy": "Never",
    "deletionPolicy": "Retain",
    "rotation": {"overlap": "1h30m", "strategy": "SideBySide"},
    "revocation": {"secretRef": {"name": "partners-crl", "key": "crl.pem"}},
    "allowedBindings": {
        "namespaces": {
            "from": "Selector",
            "selector": {
                "matchLabels": {"team": "payments"},
                "matchExpressions": [
                    {"key": "stage", "operator": "In", "values": ["prod", "canary"]},
                    {"key": "legacy", "operator": "DoesNotExist"},
                ],
            },
        },
        "hostnames": ["*.example.com", "example.org"],
    },
    "suspend": True,
}

FULL_HOST_BINDING: Mapping[str, Any] = {
    "certificateAuthorityRef": {"name": "partners", "namespace": "pki"},
    "zone": {"id": ZONE},
    "hostnames": ["api.example.com", "xn--bcher-kva.example.com", "example.com"],
    "credentialsRef": {"name": "cloudflare", "key": "token"},
    "enforcement": {
        "action": "Block",
        "issuerPinning": "Always",
        "additionalIssuers": ["0A1B2C3D4E5F60718293A4B5C6D7E8F901234567"],
        "response": {"statusCode": 403, "contentType": "application/json", "content": '{"error": "certificate"}'},
    },
    "verification": {"interval": "5m", "path": "/healthz?deep=1", "clientCertificateRef": {"name": "good-client"}},
    "adoptionPolicy": "Never",
    "managementPolicy": "Observe",
    "deletionPolicy": "Retain",
    "suspend": True,
}
