"""Whom strangers imitate."""

from __future__ import annotations

import pytest

from mtls_operator.outside.identities import Imitated, imitated_by
from tests.certificates import make_ca, make_leaf, of_version

ROOT = make_ca("Root")
LEAF = make_leaf(ROOT)


@pytest.mark.parametrize("certificate", [b"", LEAF.pem.encode(), of_version(LEAF.certificate, 2)])
def test_a_certificate_that_says_nothing_of_its_issuer_or_cannot_be_read_gives_nobody_to_imitate(
    certificate: bytes,
) -> None:
    assert imitated_by(certificate) == Imitated()
