"""Secrets and ConfigMaps that resources refer to, by name, and what is known of their contents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec
from mtls_operator.api.references import CredentialsRef


class SourceKind(StrEnum):
    """The kinds of object that the operator reads data from."""

    SECRET = "Secret"
    CONFIG_MAP = "ConfigMap"


@dataclass(frozen=True, slots=True, order=True)
class SourceKey:
    """One object by kind, namespace and name."""

    kind: SourceKind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class CredentialKey:
    """The key of a Secret that holds an API token."""

    source: SourceKey
    key: str

    def __str__(self) -> str:
        return f"{self.source}, key {self.key}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that could never be read, and why: the operator's ServiceAccount may not, or the API server fails."""

    why: str


SourceData = Mapping[str, bytes] | Unreadable | None
"""The data of an object; None says that it does not exist."""

Contents = Mapping[SourceKey, SourceData]
"""What has been read: an object that is not in it has not been read yet."""


_TOKEN = re.compile(rb"[A-Za-z0-9._~+/=-]+")


def is_token(value: bytes) -> bool:
    """Whether the value can be an API token at all (RFC 6750), white space around it aside."""
    return _TOKEN.fullmatch(value.strip()) is not None


def source_of(spec: CertificateAuthoritySpec, namespace: str) -> tuple[SourceKey, str | None] | None:
    """Object and key of a CA's source, None when the spec names neither kind."""
    if spec.source.secret_ref is not None:
        return SourceKey(SourceKind.SECRET, namespace, spec.source.secret_ref.name), spec.source.secret_ref.key
    if spec.source.config_map_ref is not None:
        reference = spec.source.config_map_ref
        return SourceKey(SourceKind.CONFIG_MAP, namespace, reference.name), reference.key
    return None


def revocation_source_of(spec: CertificateAuthoritySpec, namespace: str) -> tuple[SourceKey, str] | None:
    """Object and key of a CA's revocation lists, None when the spec names none."""
    named = spec.revocation
    if named is not None and named.secret_ref is not None:
        return SourceKey(SourceKind.SECRET, namespace, named.secret_ref.name), named.secret_ref.key
    if named is not None and named.config_map_ref is not None:
        return SourceKey(SourceKind.CONFIG_MAP, namespace, named.config_map_ref.name), named.config_map_ref.key
    return None


def credential_of(reference: CredentialsRef | None, namespace: str) -> CredentialKey | None:
    """The token's place for a `credentialsRef`, which always names a Secret of the resource's own namespace."""
    if reference is None:
        return None
    return CredentialKey(SourceKey(SourceKind.SECRET, namespace, reference.name), reference.key)
