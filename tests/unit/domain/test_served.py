"""What is not served yet is named with its value; everything else passes."""

from __future__ import annotations

import pytest

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec
from mtls_operator.domain.served import unserved_of_authority

POLICIES = [
    ({"managementPolicy": "Observe"}, ()),
    ({"managementPolicy": "Manage"}, ()),
    ({"adoptionPolicy": "Never"}, ()),
    ({"adoptionPolicy": "IfIdentical"}, ()),
    ({"deletionPolicy": "Retain"}, ()),
    ({"deletionPolicy": "Delete"}, ()),
    ({"suspend": True}, ()),
    ({"suspend": False}, ()),
    ({}, ()),
]


def unserved_ca(fields: dict[str, object]) -> tuple[str, ...]:
    manifest = {"accountId": "0" * 32, "source": {"secretRef": {"name": "ca"}}, **fields}
    return unserved_of_authority(CertificateAuthoritySpec.model_validate(manifest))


@pytest.mark.parametrize(
    ("fields", "unserved"),
    [
        *POLICIES,
        ({"rotation": {"overlap": "24h", "strategy": "SideBySide"}}, ()),
        ({"revocation": {"secretRef": {"name": "crl", "key": "crl.pem"}}}, ("spec.revocation",)),
        ({"displayName": "Corporate", "credentialsRef": {"name": "token", "key": "token"}}, ()),
        ({"allowedBindings": {"namespaces": {"from": "All"}, "hostnames": ["*.example.com"]}}, ()),
    ],
    ids=str,
)
def test_fields_of_a_ca_that_are_not_served_are_named(fields: dict[str, object], unserved: tuple[str, ...]) -> None:
    assert unserved_ca(fields) == unserved


def test_everything_that_a_ca_asks_for_in_vain_is_named_at_once() -> None:
    fields: dict[str, object] = {
        "revocation": {"secretRef": {"name": "crl", "key": "k"}},
    }

    assert unserved_ca(fields) == ("spec.revocation",)
