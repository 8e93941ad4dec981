"""Secrets and ConfigMaps by name: where a source and a token are, and what can be a token at all."""

from __future__ import annotations

import pytest

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec
from mtls_operator.api.references import CredentialsRef
from mtls_operator.domain.sources import (
    CredentialKey,
    SourceKey,
    SourceKind,
    credential_of,
    is_token,
    revocation_source_of,
    source_of,
)


def spec(source: dict[str, object]) -> CertificateAuthoritySpec:
    return CertificateAuthoritySpec.model_validate({"accountId": "0" * 32, "source": source})


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"secretRef": {"name": "ca"}}, (SourceKey(SourceKind.SECRET, "pki", "ca"), None)),
        ({"secretRef": {"name": "ca", "key": "tls.crt"}}, (SourceKey(SourceKind.SECRET, "pki", "ca"), "tls.crt")),
        ({"configMapRef": {"name": "trust"}}, (SourceKey(SourceKind.CONFIG_MAP, "pki", "trust"), None)),
        ({"configMapRef": {"name": "trust", "key": "a"}}, (SourceKey(SourceKind.CONFIG_MAP, "pki", "trust"), "a")),
        ({}, None),
    ],
    ids=["Secret", "Secret and key", "ConfigMap", "ConfigMap and key", "neither"],
)
def test_a_source_is_an_object_of_the_namespace_of_the_ca(
    source: dict[str, object], found: tuple[SourceKey, str | None] | None
) -> None:
    assert source_of(spec(source), "pki") == found


def test_a_token_is_in_a_secret_of_the_namespace_of_the_resource() -> None:
    reference = CredentialsRef(name="cloudflare", key="api-token")

    assert credential_of(reference, "apps") == CredentialKey(
        SourceKey(SourceKind.SECRET, "apps", "cloudflare"), "api-token"
    )


def test_without_a_reference_there_is_no_token_of_the_resource() -> None:
    assert credential_of(None, "apps") is None


@pytest.mark.parametrize(
    "value",
    [b"v1.0-abcDEF_123", b"  padded\n", b"a~b+c/d=", b"x"],
    ids=["usual", "white space around it", "every kind of character", "short"],
)
def test_what_can_be_sent_as_a_bearer_token_may_be_one(value: bytes) -> None:
    assert is_token(value)


@pytest.mark.parametrize(
    "value",
    [b"", b" \n", b"two words", b"one\ntwo", b'{"token": "x"}', b"Bearer abc", "t\u00f6ken".encode(), b"a\x00b"],
    ids=["empty", "blank", "words", "lines", "JSON", "with its scheme", "not ASCII", "binary"],
)
def test_what_cannot_be_sent_as_a_bearer_token_is_none(value: bytes) -> None:
    assert not is_token(value)


def test_objects_are_named_for_a_human() -> None:
    source = SourceKey(SourceKind.CONFIG_MAP, "pki", "trust")

    assert str(source) == "ConfigMap pki/trust"
    assert str(CredentialKey(source, "ca.crt")) == "ConfigMap pki/trust, key ca.crt"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({"secretRef": {"name": "crl", "key": "a"}}, (SourceKey(SourceKind.SECRET, "apps", "crl"), "a")),
        ({"configMapRef": {"name": "crl", "key": "b"}}, (SourceKey(SourceKind.CONFIG_MAP, "apps", "crl"), "b")),
        ({}, None),
        (None, None),
    ],
    ids=["Secret", "ConfigMap", "neither", "none"],
)
def test_revocation_lists_are_at_a_key_of_an_object_of_the_namespace(
    named: dict[str, object] | None, found: tuple[SourceKey, str] | None
) -> None:
    manifest = {"accountId": "0" * 32, "source": {"secretRef": {"name": "ca"}}, "revocation": named}

    assert revocation_source_of(CertificateAuthoritySpec.model_validate(manifest), "apps") == found
