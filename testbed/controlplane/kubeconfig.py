"""Writes kubeconfig files: self-contained, readable by this user alone."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from testbed.controlplane.certificates import KeyPair

User = dict[str, str]


def certificate_user(pair: KeyPair) -> User:
    return {
        "client-certificate-data": _base64(pair.certificate.read_bytes()),
        "client-key-data": _base64(pair.key.read_bytes()),
    }


def token_user(token: str) -> User:
    return {"token": token}


def write(path: Path, *, url: str, ca_pem: bytes, user: User, namespace: str = "default") -> Path:
    """One cluster, one user, one context, which is the current one."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "testbed",
        "clusters": [{"name": "testbed", "cluster": {"server": url, "certificate-authority-data": _base64(ca_pem)}}],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed", "namespace": namespace}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))
    return path


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
