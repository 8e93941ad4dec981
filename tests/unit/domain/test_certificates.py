"""CA bundles: what is taken, what is refused and why, and that nothing else of a source is ever repeated."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mtls_operator.domain.certificates import (
    MAX_SOURCE_BYTES,
    InvalidBundleError,
    bundle_fingerprint,
    certificates_of_ca,
    read_bundle,
    uploaded_bundle,
)
from tests.certificates import Ca, make_ca, of_version

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = make_ca("Root", now=NOW)
OTHER = make_ca("Other", now=NOW, days=100)
LEAF = make_ca("client", now=NOW, issuer=ROOT, is_ca=False)

NOT_A_CA = "is not a CA: it has no Basic Constraints that say CA:TRUE"


def read(*parts: str, now: datetime = NOW) -> tuple[str, ...]:
    """The fingerprints of what is read, in order."""
    return tuple(each.fingerprint for each in read_bundle("".join(parts).encode(), now).certificates)


def refusal(*parts: str, now: datetime = NOW) -> InvalidBundleError:
    with pytest.raises(InvalidBundleError) as caught:
        read_bundle("".join(parts).encode(), now)
    return caught.value


@pytest.mark.parametrize(
    "ca",
    [
        ROOT,
        make_ca("RSA", key="rsa", now=NOW),
        make_ca("Intermediate", issuer=ROOT, now=NOW),
        make_ca("No id", now=NOW, subject_key_identifier=False),
    ],
    ids=["ecdsa", "rsa", "intermediate", "without a key identifier"],
)
def test_a_ca_certificate_is_taken(ca: Ca) -> None:
    assert read(ca.pem) == (ca.fingerprint,)


def test_what_is_needed_of_a_certificate_is_described() -> None:
    (described,) = read_bundle(ROOT.pem.encode(), NOW).certificates

    assert described.fingerprint == ROOT.fingerprint
    assert described.key_identifier == ROOT.key_identifier
    assert described.subject == "CN=Root"
    assert described.not_after == ROOT.certificate.not_valid_after_utc
    assert described.pem == ROOT.pem


def test_a_certificate_without_a_key_identifier_says_so() -> None:
    bundle = read_bundle(make_ca("No id", now=NOW, subject_key_identifier=False).pem.encode(), NOW)

    assert bundle.certificates[0].key_identifier is None
    assert bundle.key_identifiers == frozenset()


@pytest.mark.parametrize(
    ("identifier", "read"), [(b"", None), (b"\x0f", "0F"), (b"\x01" * 64, "01" * 64), (b"\x01" * 65, None)]
)
def test_a_key_identifier_counts_only_if_a_rule_could_name_it(identifier: bytes, read: str | None) -> None:
    pem = make_ca("Odd id", now=NOW, subject_key_identifier=identifier).pem.encode()

    assert read_bundle(pem, NOW).certificates[0].key_identifier == read


def test_a_bundle_is_described_by_its_first_certificate_and_by_the_first_expiry() -> None:
    bundle = read_bundle((ROOT.pem + OTHER.pem).encode(), NOW)

    assert bundle.subject == "CN=Root"
    assert bundle.not_after == OTHER.certificate.not_valid_after_utc
    assert bundle.key_identifiers == {ROOT.key_identifier, OTHER.key_identifier}
    assert bundle.fingerprints == {ROOT.fingerprint, OTHER.fingerprint}


@pytest.mark.parametrize(
    "text",
    [
        ROOT.pem + OTHER.pem,
        ROOT.pem + OTHER.pem + ROOT.pem,
        (ROOT.pem + OTHER.pem).replace("\n", "\r\n"),
        f"# Root\nsubject=CN = Root\n\n{ROOT.pem}\n\n# Other\n{OTHER.pem}\ntrailing words",
        ROOT.pem.rstrip("\n") + "\n" + OTHER.pem,
        ROOT.key_pem + ROOT.pem + OTHER.key_pem + OTHER.pem,
        "\ufeff" + ROOT.pem + OTHER.pem,
    ],
    ids=["plain", "repeated", "CRLF", "comments", "no newline at the end", "private keys beside", "byte order mark"],
)
def test_order_is_kept_and_everything_but_certificates_is_dropped(text: str) -> None:
    bundle = read_bundle(text.encode(), NOW)

    assert bundle.pem == ROOT.pem + OTHER.pem


def test_the_bundle_fingerprint_does_not_depend_on_order_or_repetition() -> None:
    one = read_bundle((ROOT.pem + OTHER.pem).encode(), NOW)
    other = read_bundle((OTHER.pem + ROOT.pem + OTHER.pem).encode(), NOW)

    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != read_bundle(ROOT.pem.encode(), NOW).fingerprint


def test_the_bundle_fingerprint_is_the_hash_of_the_sorted_fingerprints() -> None:
    raw = sorted([bytes.fromhex(ROOT.fingerprint), bytes.fromhex(OTHER.fingerprint)])

    assert bundle_fingerprint([OTHER.fingerprint, ROOT.fingerprint]) == hashlib.sha256(b"".join(raw)).hexdigest()


@pytest.mark.parametrize(
    "text",
    ["", "no PEM at all", ROOT.public_key_pem, ROOT.key_pem, "-----BEGIN CERTIFICATE-----\nMIIB"],
    ids=["empty", "words", "public key", "private key", "cut off"],
)
def test_a_source_without_a_certificate_is_refused(text: str) -> None:
    assert str(refusal(text)) == "the source holds no PEM block of type CERTIFICATE"


def test_a_block_that_is_no_certificate_is_named_by_its_position() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ\n-----END CERTIFICATE-----\n"

    assert str(refusal(ROOT.pem, broken)) == "PEM block 2 is not a certificate that can be parsed"


@pytest.mark.parametrize("version", [2, 5])
def test_a_certificate_of_a_version_that_the_parser_does_not_know_is_refused(version: int) -> None:
    text = of_version(OTHER.certificate, version)

    assert str(refusal(ROOT.pem, text.decode())) == "PEM block 2 is not a certificate that can be parsed"
    assert (uploaded_bundle(text.decode()), certificates_of_ca(text)) == (None, None)


@pytest.mark.parametrize(
    ("ca", "problem"),
    [
        (LEAF, NOT_A_CA),
        (make_ca("Bad", now=NOW, basic_constraints=False), NOT_A_CA),
        (make_ca("Bad", now=NOW, key_cert_sign=False), "may not issue certificates: its Key Usage lacks keyCertSign"),
        (make_ca("Bad", now=NOW, days=-1), "expired on 2026-02-28T00:00:00+00:00"),
        (make_ca("Bad", now=NOW + timedelta(days=60)), "is not valid before 2026-03-31T00:00:00+00:00"),
        (
            make_ca("Bad", now=NOW, key="ed25519"),
            "has a key that Cloudflare does not take: RSA and ECDSA are supported",
        ),
        (
            make_ca("Bad", now=NOW, key="rsa-pss"),
            "has a signature that Cloudflare does not take: RSA (PKCS #1 v1.5) or ECDSA with SHA-1, SHA-256,"
            " SHA-384 or SHA-512 are supported",
        ),
    ],
    ids=["leaf", "no basic constraints", "cannot sign", "expired", "not yet valid", "Ed25519", "RSA-PSS"],
)
def test_what_cloudflare_would_refuse_is_refused_with_its_place_subject_and_reason(ca: Ca, problem: str) -> None:
    subject = ca.certificate.subject.rfc4514_string()

    assert str(refusal(ROOT.pem, ca.pem)) == f"certificate 2 of 2 ({subject}) {problem}"


def odd_ca(*extensions: x509.ExtensionType, subject: str = "CN=Odd") -> str:
    """A certificate with these extensions and no others, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def patched(pem: str, before: bytes, after: bytes) -> str:
    """The certificate with other bytes in their last place; its signature is wrong then, which nobody checks."""
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    head, found, tail = der.rpartition(before)
    assert found
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(head + after + tail).decode()}-----END CERTIFICATE-----\n"


def test_a_certificate_without_key_usage_may_issue() -> None:
    assert len(read(odd_ca(x509.BasicConstraints(ca=True, path_length=None)))) == 1


def test_a_certificate_without_a_subject_is_named_as_such() -> None:
    assert str(refusal(odd_ca(subject=""))).startswith("certificate 1 of 1 (without a subject) is not a CA")


def test_a_long_subject_is_cut() -> None:
    subject = "CN=" + ",CN=".join("x" * 60 for _ in range(5))

    assert f"({subject[:128]})" in str(refusal(odd_ca(subject=subject)))


CA = x509.BasicConstraints(ca=True, path_length=None)
FIRST, SECOND = (x509.ObjectIdentifier(f"1.3.6.1.4.1.55555.{number}") for number in (1, 2))
UNPARSABLE = {
    "extension of the wrong shape": odd_ca(x509.UnrecognizedExtension(x509.BasicConstraints.oid, b"garbage")),
    "extension twice": patched(
        odd_ca(CA, x509.UnrecognizedExtension(FIRST, b"x"), x509.UnrecognizedExtension(SECOND, b"x")),
        bytes.fromhex("2b0601040183b20302"),
        bytes.fromhex("2b0601040183b20301"),
    ),
    "subject that is no text": patched(odd_ca(CA, subject="CN=strange"), b"strange", b"str\xff\xfege"),
    "key on a point that is not on its curve": patched(odd_ca(CA), b"\x03\x42\x00\x04", b"\x03\x42\x00\x05"),
}


@pytest.mark.parametrize("pem", UNPARSABLE.values(), ids=UNPARSABLE.keys())
def test_a_certificate_that_can_be_parsed_only_in_part_is_refused(pem: str) -> None:
    assert str(refusal(ROOT.pem, pem)) == (
        "PEM block 2 is a certificate whose subject, extensions or key cannot be parsed"
    )


@pytest.mark.parametrize("pem", UNPARSABLE.values(), ids=UNPARSABLE.keys())
def test_somebody_elses_upload_that_can_be_parsed_only_in_part_is_no_bundle(pem: str) -> None:
    assert uploaded_bundle(pem) is None


def test_a_refusal_says_whether_a_certificate_has_expired_and_when_one_becomes_valid() -> None:
    expired = refusal(make_ca("Bad", now=NOW, days=-1).pem)
    early = refusal(make_ca("Bad", now=NOW + timedelta(days=60)).pem)
    other = refusal("")

    assert (expired.expired, expired.valid_from) == (True, None)
    assert (early.expired, early.valid_from) == (False, NOW + timedelta(days=30))
    assert (other.expired, other.valid_from) == (False, None)


def test_a_certificate_is_valid_from_its_first_second_and_not_in_its_last() -> None:
    begins, ends = ROOT.certificate.not_valid_before_utc, ROOT.certificate.not_valid_after_utc

    assert read(ROOT.pem, now=begins) == (ROOT.fingerprint,)
    assert read(ROOT.pem, now=ends - timedelta(seconds=1)) == (ROOT.fingerprint,)
    assert refusal(ROOT.pem, now=ends).expired


def test_a_source_that_is_too_large_is_refused_before_it_is_parsed() -> None:
    padding = "#" * (MAX_SOURCE_BYTES - len(ROOT.pem))

    assert read(ROOT.pem, padding) == (ROOT.fingerprint,)
    assert str(refusal(ROOT.pem, padding, "#")) == "the source has 65537 bytes; at most 65536 are read"


def test_bytes_that_are_no_text_do_not_hide_a_certificate() -> None:
    bundle = read_bundle(b"\xff\xfe" + ROOT.pem.encode() + b"\x00", NOW)

    assert bundle.pem == ROOT.pem


@pytest.mark.parametrize(
    "text",
    [
        ROOT.key_pem,
        ROOT.key_pem + LEAF.pem,
        ROOT.key_pem + "-----BEGIN CERTIFICATE-----\nMIIBszCC\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n" + ROOT.key_pem.split("\n", 1)[1] + "-----END CERTIFICATE-----\n",
        ROOT.key_pem.replace("PRIVATE KEY", "CERTIFICATE"),
        ROOT.key_pem * 400,
    ],
    ids=["key alone", "beside a leaf", "beside a broken block", "inside a block", "labelled as one", "too large"],
)
def test_a_private_key_is_in_no_refusal_and_in_nothing_that_led_to_it(text: str) -> None:
    error = refusal(text)

    secret = "".join(ROOT.key_pem.splitlines()[1:-1])[:32]
    said = repr(error) + str(error) + repr(error.__cause__) + repr(error.__dict__)
    assert secret not in said
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_what_cloudflare_gives_back_is_compared_by_its_certificates_though_they_may_have_expired() -> None:
    expired = make_ca("Old", now=NOW, days=-1)

    bundle = uploaded_bundle((expired.pem + ROOT.pem).replace("\n", "\r\n"))

    assert bundle is not None
    assert bundle.fingerprints == {expired.fingerprint, ROOT.fingerprint}


@pytest.mark.parametrize("pem", ["", "-----BEGIN CERTIFICATE-----\nMIIBszCC\n-----END CERTIFICATE-----\n"])
def test_what_cloudflare_gives_back_and_cannot_be_read_is_no_bundle(pem: str) -> None:
    assert uploaded_bundle(pem) is None
