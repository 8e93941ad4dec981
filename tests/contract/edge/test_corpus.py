"""Certificates as the world has them: OpenSSL, the edge and the operator say the same of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from mtls_operator.domain.certificates import InvalidBundleError, read_bundle
from testbed.cloudflare.edge.certificate_fields import certificate_fields
from testbed.cloudflare.edge.settings import Serials
from testbed.cloudflare.edge.verification import Verification, verify
from tests.contract.edge.pkits import MOMENT, Suite, pem, suite

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")


@pytest.fixture
def pkits() -> Suite:
    """The suite."""
    return suite()


def _edge_says(pkits: Suite, name: str, *, partial_chains: bool) -> Verification:
    return verify(pkits.chain(name), (pkits.root_pem,), MOMENT.timestamp(), partial_chains=partial_chains)


@pytest.mark.parametrize("partial_chains", [True, False])
def test_the_edge_and_openssl_agree_about_every_certificate_of_the_suite(
    pkits: Suite, tmp_path: Path, partial_chains: bool
) -> None:
    openssl = pkits.openssl_verifies(tmp_path, partial_chains=partial_chains)

    edge = {name: _edge_says(pkits, name, partial_chains=partial_chains).verified for name in pkits.readable}

    assert edge == openssl
    assert 150 < sum(openssl.values()) < len(openssl) - 150


def test_the_operator_pins_of_a_ca_what_the_edge_shows_of_the_issuer(pkits: Suite) -> None:
    verified = {
        name: found for name in pkits.readable if (found := _edge_says(pkits, name, partial_chains=True)).verified
    }

    shown = {name: _issuer_shown(pkits, name, found) for name, found in verified.items()}

    pinned = {name: _pins(_issuer(pkits, found)) for name, found in verified.items()}
    assert {name for name, pins in pinned.items() if not pins} == {"ValidDSASignaturesTest4EE"}
    assert {name: pins for name, pins in pinned.items() if pins} == {
        name: {issuer} for name, issuer in shown.items() if pinned[name]
    }


def test_under_a_ca_that_the_operator_refuses_nobody_verifies(pkits: Suite) -> None:
    refused = {name: each for name, each in pkits.readable.items() if not _pins(each)}

    verified = {
        ca
        for ca, certificate in refused.items()
        for name, each in pkits.readable.items()
        if each.issuer == certificate.subject and name != ca and _verifies_under(pkits, name, certificate)
    }

    # OpenSSL would take these; by Cloudflare's documentation they are no CAs for client certificates.
    assert verified == {"DSACACert", "MissingbasicConstraintsCACert"}
    assert len(refused) > 200


def _issuer(pkits: Suite, verification: Verification) -> x509.Certificate:
    return pkits.root if verification.issuer is None else x509.load_der_x509_certificate(verification.issuer)


def _pins(certificate: x509.Certificate) -> frozenset[str]:
    """The key identifiers that the operator pins for a bundle of one CA, none for a CA that it refuses."""
    try:
        return read_bundle(pem(certificate).encode(), MOMENT).key_identifiers
    except InvalidBundleError:
        return frozenset()


def _issuer_shown(pkits: Suite, name: str, verification: Verification) -> object:
    fields = certificate_fields(pkits.chain(name), verification, Serials.BYTES, revoked=False)
    return fields["cf.tls_client_auth.cert_issuer_ski"]


def _verifies_under(pkits: Suite, name: str, certificate: x509.Certificate) -> bool:
    chain = pkits.chain(name)[:1]
    return verify(chain, (pem(certificate),), MOMENT.timestamp(), partial_chains=True).verified
