"""The Secrets and ConfigMaps that a resource refers to."""

from __future__ import annotations

from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.domain.sources import SourceKey, credential_of, revocation_source_of, source_of
from mtls_operator.domain.verification_task import client_certificate_of


def sources_of_authority(authority: AuthorityRecord) -> frozenset[SourceKey]:
    """The objects that a CA refers to."""
    if authority.spec is None:
        return frozenset()
    namespace = authority.metadata.namespace
    source = source_of(authority.spec, namespace)
    credential = credential_of(authority.spec.credentials_ref, namespace)
    lists = revocation_source_of(authority.spec, namespace)
    named = [each[0] for each in (source, lists) if each is not None]
    return frozenset([*named, *([credential.source] if credential else [])])


def sources_of_binding(binding: BindingRecord) -> frozenset[SourceKey]:
    """The objects that a binding refers to itself."""
    if binding.spec is None:
        return frozenset()
    credential = credential_of(binding.spec.credentials_ref, binding.metadata.namespace)
    client = client_certificate_of(binding)
    return frozenset(({credential.source} if credential else set()) | ({client} if client else set()))
