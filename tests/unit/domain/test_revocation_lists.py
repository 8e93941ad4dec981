"""Revocation lists as the world has them: which are believed, and what they say together."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.domain.certificates import CaCertificate, uploaded_bundle
from mtls_operator.domain.revocation_lists import ReadLists, read_lists
from mtls_operator.domain.serial_numbers import serial_number
from tests.certificates import Ca, crl_pem, make_ca, make_crl, make_intermediate, make_leaf, of_version

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ROOT, RSA, OTHER = make_ca("Root"), make_ca("RSA Root", key="rsa"), make_ca("Other")
MINUTE = timedelta(minutes=1)
POINT = x509.IssuingDistributionPoint(
    full_name=[x509.UniformResourceIdentifier("http://crl.example.com/1")],
    relative_name=None,
    only_contains_user_certs=False,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)
INDIRECT = x509.IssuingDistributionPoint(
    full_name=None,
    relative_name=None,
    only_contains_user_certs=False,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=True,
    only_contains_attribute_certs=False,
)


def known(*authorities: Ca) -> frozenset[CaCertificate]:
    bundles = [uploaded_bundle(each.pem) for each in authorities]
    return frozenset(each for bundle in bundles if bundle for each in bundle.certificates)


def read(data: str | bytes, *authorities: Ca) -> ReadLists:
    return read_lists(data.encode() if isinstance(data, str) else data, known(*(authorities or (ROOT,))))


def serials(found: ReadLists, issuer: Ca = ROOT) -> list[int]:
    """What an issuer has revoked, in the order of the list."""
    return [int(serial, 16) for _, serial in dict(found.by_issuer)[issuer.key_identifier].revoked.entries]


def der(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(Encoding.DER)


@pytest.mark.parametrize("ca", [ROOT, RSA], ids=["ec", "rsa"])
def test_a_list_is_read_newest_revocation_first(ca: Ca) -> None:
    found = read(crl_pem(make_crl(ca, {1: NOW - MINUTE, 2: NOW, 3: NOW - 2 * MINUTE}, now=NOW)), ca)

    assert serials(found, ca) == [2, 1, 3]
    assert (found.problems, found.strangers) == ((), ())
    assert found.by_issuer[0][1].next_update == NOW + timedelta(days=7)


def test_what_was_revoked_at_one_moment_is_in_the_order_of_the_numbers() -> None:
    assert serials(read(crl_pem(make_crl(ROOT, [3, 1, 2])))) == [1, 2, 3]


def test_comments_and_line_ends_do_not_matter() -> None:
    text = f"# of the partners\r\n{crl_pem(make_crl(ROOT, [1]))}\nand:\n{crl_pem(make_crl(OTHER, [2]))}# end"

    found = read(text.replace("\n", "\r\n"), ROOT, OTHER)

    assert (serials(found), serials(found, OTHER)) == ([1], [2])


@pytest.mark.parametrize("behind", [b"", b"\n", b" \r\n"])
def test_der_lists_may_stand_one_after_the_other(behind: bytes) -> None:
    found = read(der(make_crl(ROOT, [1])) + der(make_crl(OTHER, range(2, 2000))) + behind, ROOT, OTHER)

    assert serials(found) == [1]
    assert len(serials(found, OTHER)) == 1998
    assert found.problems == ()


NO_LISTS = {
    "nothing": b"",
    "text": b"none yet",
    "a certificate": ROOT.pem.encode(),
    "an empty block": b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----",
    "no base64": b"-----BEGIN X509 CRL-----\n%%%\n-----END X509 CRL-----",
    "a cut block": crl_pem(make_crl(ROOT, [1])).encode()[:-20],
    "a cut list": der(make_crl(ROOT, [1]))[:-1],
    "one byte": b"0",
    "a short sequence": b"0\x03\x02\x01\x01",
    "a length without end": b"0\x80\x00\x00",
    "a length of lengths": b"0\x89" + bytes(9),
    "an unknown version": of_version(make_crl(ROOT, [1]), 3),
    "something behind": der(make_crl(ROOT, [1])) + b"x",
}


@pytest.mark.parametrize("data", NO_LISTS.values(), ids=NO_LISTS.keys())
def test_what_is_no_list_is_said(data: bytes) -> None:
    assert read(data).problems


def test_a_list_that_is_none_does_not_hide_the_others() -> None:
    text = crl_pem(make_crl(ROOT, [1])) + NO_LISTS["no base64"].decode() + crl_pem(make_crl(OTHER, [2]))

    found = read(text, ROOT, OTHER)

    assert (serials(found), serials(found, OTHER)) == ([1], [2])
    assert found.problems == ("list 2 of 3 is not a revocation list that can be parsed",)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    found = read(data)

    assert (found.by_issuer, bool(found.problems)) == ((), True)


def test_a_list_of_nobody_known_is_a_strangers() -> None:
    found = read(crl_pem(make_crl(OTHER, [1])))

    assert (found.by_issuer, found.problems) == ((), ())
    assert found.strangers == ("list 1 of 1 (CN=Other)",)


def test_the_name_alone_does_not_make_a_list_a_cas() -> None:
    assert read(crl_pem(make_crl(OTHER, [1], named="Root"))).strangers


def test_the_key_alone_does_not_make_a_list_a_cas() -> None:
    assert read(crl_pem(make_crl(ROOT, [1], named="Other"))).strangers


@pytest.mark.parametrize(("identifier", "is_believed"), [(ROOT, True), (OTHER, False)], ids=["its own", "another"])
def test_the_authority_key_identifier_has_to_be_the_cas(identifier: Ca, is_believed: bool) -> None:
    key = x509.AuthorityKeyIdentifier(bytes.fromhex(identifier.key_identifier), None, None)

    assert bool(read(crl_pem(make_crl(ROOT, [1], extensions=[key]))).by_issuer) is is_believed


def test_an_authority_key_identifier_without_a_key_says_nothing() -> None:
    name = [x509.DirectoryName(ROOT.certificate.subject)]
    key = x509.AuthorityKeyIdentifier(None, name, ROOT.certificate.serial_number)

    assert read(crl_pem(make_crl(ROOT, [1], extensions=[key]))).by_issuer


def test_a_list_that_was_changed_after_it_was_signed_is_not_believed() -> None:
    data = bytearray(der(make_crl(ROOT, {0x1122334455: NOW}, now=NOW)))
    data[data.index(bytes.fromhex("1122334455"))] ^= 1

    assert read(bytes(data)).strangers


def test_a_signature_of_a_kind_that_nobody_knows_is_not_believed() -> None:
    ecdsa_with_sha256 = bytes.fromhex("06082a8648ce3d040302")
    data = der(make_crl(ROOT, [1])).replace(ecdsa_with_sha256, ecdsa_with_sha256[:-1] + b"\x63")

    assert read(data).strangers


def test_a_list_with_an_entry_that_cannot_be_parsed_is_said_and_none_of_it_counts() -> None:
    nonsense = x509.UnrecognizedExtension(x509.CRLReason.oid, b"\x0a\x01\x63")
    entry = (
        x509.RevokedCertificateBuilder().serial_number(1).revocation_date(NOW).add_extension(nonsense, critical=False)
    )
    builder = x509.CertificateRevocationListBuilder().issuer_name(ROOT.certificate.subject)
    builder = builder.last_update(NOW).next_update(NOW + MINUTE).add_revoked_certificate(entry.build())

    found = read(crl_pem(builder.sign(ROOT.key, hashes.SHA256())))

    assert found.by_issuer == ()
    assert "an entry cannot be parsed" in found.problems[0]


def test_a_certificate_that_may_not_sign_lists_signs_none() -> None:
    leaf = make_leaf(ROOT, "not a CA")

    assert read(crl_pem(make_crl(leaf, [1])), leaf).strangers


@pytest.mark.parametrize("key", ["ed25519"])
def test_a_ca_that_cloudflare_does_not_take_signs_no_list_that_counts(key: str) -> None:
    ca = make_ca("Edwards", key="ed25519")

    assert read(crl_pem(make_crl(ca, [1])), ca).strangers


def test_a_list_of_a_ca_that_no_rule_can_name_is_said() -> None:
    ca = make_ca("Nameless", subject_key_identifier=False)

    assert read(crl_pem(make_crl(ca, [1])), ca).problems == (
        "list 1 of 1 is of a CA without a subject key identifier, which no rule can name",
    )


def test_an_indirect_list_is_refused() -> None:
    assert "indirect" in read(crl_pem(make_crl(ROOT, [1], extensions=[INDIRECT]))).problems[0]


def test_an_intermediates_list_is_told_by_its_own_key_identifier() -> None:
    intermediate = make_intermediate(ROOT)

    found = read(crl_pem(make_crl(intermediate, [1]), make_crl(ROOT, [2])), ROOT, intermediate)

    assert (serials(found), serials(found, intermediate)) == ([2], [1])


def test_of_two_lists_of_a_ca_the_newer_counts() -> None:
    older, newer = make_crl(ROOT, [1, 2], now=NOW, number=1), make_crl(ROOT, [2, 3], now=NOW + MINUTE, number=2)

    assert serials(read(crl_pem(newer, older))) == [2, 3]


def test_of_two_lists_of_one_moment_that_with_the_higher_number_counts() -> None:
    older, newer = make_crl(ROOT, [1, 2], now=NOW, number=1), make_crl(ROOT, [2, 3], now=NOW, number=2)

    assert serials(read(crl_pem(newer, older))) == [2, 3]


def test_lists_for_different_distribution_points_count_together() -> None:
    assert serials(read(crl_pem(make_crl(ROOT, [1]), make_crl(ROOT, [2], extensions=[POINT])))) == [1, 2]


def test_lists_of_a_ca_that_was_renamed_and_kept_its_key_count_together() -> None:
    renamed = make_ca("Renamed", key_of=ROOT)
    older, newer = make_crl(ROOT, [1, 2], now=NOW), make_crl(ROOT, [3], named="Renamed", now=NOW + MINUTE)

    assert sorted(serials(read(crl_pem(older, newer), ROOT, renamed))) == [1, 2, 3]


def test_a_delta_list_adds_and_takes_away() -> None:
    full = make_crl(ROOT, [1, 2], now=NOW, number=1)
    delta = make_crl(
        ROOT, [3], removed=[1, 9], now=NOW + MINUTE, days=1, extensions=[x509.DeltaCRLIndicator(1)], number=2
    )

    found = read(crl_pem(delta, full))

    assert sorted(serials(found)) == [2, 3]
    assert found.by_issuer[0][1].next_update == NOW + MINUTE + timedelta(days=1)


def test_a_delta_list_from_before_the_full_one_does_not_count() -> None:
    full = make_crl(ROOT, [1], now=NOW + MINUTE, number=2)
    delta = make_crl(ROOT, removed=[1], now=NOW, extensions=[x509.DeltaCRLIndicator(1)], number=1)

    assert serials(read(crl_pem(delta, full))) == [1]


def test_a_delta_list_without_the_full_one_is_said() -> None:
    found = read(crl_pem(make_crl(ROOT, [1], extensions=[x509.DeltaCRLIndicator(1)])))

    assert "without the full list" in found.problems[0]
    assert found.by_issuer == ()


def test_what_a_full_list_takes_back_is_not_revoked() -> None:
    assert serials(read(crl_pem(make_crl(ROOT, [1], removed=[2])))) == [1]


@given(st.sets(st.integers(1, 2**159 - 1), max_size=40))
def test_every_number_of_a_list_is_read(numbers: set[int]) -> None:
    found = read(crl_pem(make_crl(ROOT, numbers)))

    assert dict(found.by_issuer)[ROOT.key_identifier].revoked.serials == {serial_number(each) for each in numbers}


def test_twenty_thousand_entries_are_read_once() -> None:
    data = der(make_crl(ROOT, range(1, 20_001), now=NOW))
    first = read(data)
    begun = time.process_time()

    again = [read(data) for _ in range(1000)]

    assert len(serials(first)) == 20_000
    assert all(each is first for each in again)
    assert time.process_time() - begun < 1.0
