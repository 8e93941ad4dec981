"""What rules see of certificates and requests, in the forms that Cloudflare documents."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from testbed.cloudflare.edge.certificate_fields import certificate_fields, serial_text
from testbed.cloudflare.edge.hostnames import shown, zone_of
from testbed.cloudflare.edge.request_fields import EdgeRequest, clock_fields, normalised, request_fields
from testbed.cloudflare.edge.settings import AS_SENT, NORMALISED, HostForm, Serials
from testbed.cloudflare.edge.verification import NOT_PRESENTED, verify
from testbed.cloudflare.expressions import typed
from testbed.cloudflare.expressions.vocabulary import FIELDS
from testbed.cloudflare.state import State, Zone
from tests.contract.cloudflare_simulation.world import NOW
from tests.contract.edge.clients import Identity, authority, identity

ZONE = Zone("b" * 32, "example.com", "a" * 32)
ROOT = authority("Root")
INTERMEDIATE = authority("Intermediate", ROOT)
CLIENT = identity("client", ROOT, serial=0x0ABC)


def _fields(who: Identity, *trusted: Identity, serials: Serials = Serials.BYTES) -> dict[str, object]:
    verification = verify(who.chain, tuple(each.pem for each in trusted), NOW.timestamp(), partial_chains=True)
    seen = certificate_fields(who.chain, verification, serials, revoked=False)
    return {name.removeprefix("cf.tls_client_auth."): value for name, value in seen.items()}


def test_a_connection_without_a_certificate_has_no_field_set() -> None:
    assert certificate_fields((), NOT_PRESENTED, Serials.BYTES, revoked=False) == {}


def test_every_field_exists_and_has_its_type() -> None:
    verification = verify(CLIENT.chain, (ROOT.pem,), NOW.timestamp(), partial_chains=True)

    values = typed(certificate_fields(CLIENT.chain, verification, Serials.BYTES, revoked=True))

    assert values.keys() - {"true", "false"} == {name for name in FIELDS if name.startswith("cf.tls_client_auth.")}


def test_the_issuer_is_the_direct_one_of_the_verified_chain() -> None:
    client = identity("client", INTERMEDIATE).sending(INTERMEDIATE)

    fields = _fields(client, ROOT)

    assert fields["cert_verified"] is True
    assert fields["cert_issuer_ski"] == INTERMEDIATE.key_identifier
    assert fields["cert_issuer_serial"] == f"{INTERMEDIATE.certificate.serial_number:040X}"


def test_key_identifiers_are_upper_case_hex_without_separators() -> None:
    root = authority("A root with letters in its key identifier")

    assert _fields(identity("client", root), root)["cert_issuer_ski"] == root.key_identifier.upper()


def test_an_issuer_without_a_key_identifier_has_none_that_could_be_pinned() -> None:
    extensions = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    root = identity("Root without a key identifier", extensions=extensions)

    fields = _fields(identity("client", root), root)

    assert (fields["cert_verified"], fields["cert_issuer_ski"]) == (True, "")


def test_a_chain_that_does_not_verify_says_of_its_issuer_what_the_client_says() -> None:
    impostor = Identity(ROOT.certificate, authority("Impostor").key)

    fields = _fields(identity("client", impostor).sending(ROOT), authority("Other root"))

    assert (fields["cert_presented"], fields["cert_verified"]) == (True, False)
    assert fields["cert_issuer_ski"] == ROOT.key_identifier


def test_a_chain_that_does_not_verify_can_name_an_issuer_it_does_not_send() -> None:
    claimed = x509.AuthorityKeyIdentifier(bytes.fromhex(ROOT.key_identifier), None, None)
    client = identity("client", authority("Impostor"), extensions=[(claimed, False)])

    assert _fields(client, ROOT)["cert_issuer_ski"] == ROOT.key_identifier


@pytest.mark.parametrize(
    ("serial", "form", "text"),
    [
        (0x0ABC, Serials.BYTES, "0ABC"),
        (0x0ABC, Serials.DER, "0ABC"),
        (0x0ABC, Serials.SHORTEST, "ABC"),
        (0xABCD, Serials.BYTES, "ABCD"),
        (0xABCD, Serials.DER, "00ABCD"),
        (0xABCD, Serials.SHORTEST, "ABCD"),
        (1, Serials.BYTES, "01"),
        (1, Serials.SHORTEST, "1"),
        (0x7F << 152, Serials.DER, "7F" + "00" * 19),
        (0x80 << 144, Serials.DER, "0080" + "00" * 18),
        (0x80 << 144, Serials.BYTES, "80" + "00" * 18),
    ],
)
def test_a_serial_number_is_upper_case_hex_with_the_leading_zeros_of_the_form(
    serial: int, form: Serials, text: str
) -> None:
    assert serial_text(identity("client", ROOT, serial=serial).certificate, form) == text


def test_dates_are_as_openssl_prints_them() -> None:
    now = datetime(2026, 3, 2, 13, 35, tzinfo=UTC)
    client = identity("client", ROOT, now=now, begins=timedelta(0), ends=timedelta(days=30))

    fields = _fields(client)

    assert fields["cert_not_before"] == "Mar  2 13:35:00 2026 GMT"
    assert fields["cert_not_after"] == "Apr  1 13:35:00 2026 GMT"


def test_names_come_in_two_forms() -> None:
    parts = [
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Access, Inc"),
        (NameOID.COMMON_NAME, "James"),
        (NameOID.EMAIL_ADDRESS, "j@example.com"),
    ]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    certificate = _named(subject)

    fields = _fields(certificate)

    modern = "emailAddress=j@example.com,CN=James,O=Access\\, Inc,C=US"
    assert fields["cert_subject_dn"] == fields["cert_subject_dn_rfc2253"] == modern
    assert fields["cert_issuer_dn"] == modern
    assert fields["cert_subject_dn_legacy"] == "/C=US/O=Access, Inc/CN=James/emailAddress=j@example.com"


def _named(subject: x509.Name) -> Identity:
    like = identity("client")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(like.key.public_key())
        .serial_number(1)
        .not_valid_before(like.certificate.not_valid_before_utc)
        .not_valid_after(like.certificate.not_valid_after_utc)
    )
    return Identity(builder.sign(like.key, hashes.SHA256()), like.key)


def test_the_chain_is_shown_as_it_was_sent() -> None:
    client = identity("client", INTERMEDIATE).sending(INTERMEDIATE, ROOT)

    fields = _fields(client)

    encoded = [f":{base64.b64encode(der).decode()}:" for der in client.chain]
    assert fields["cert_rfc9440"] == encoded[0]
    assert fields["cert_chain_rfc9440"] == f"{encoded[1]}, {encoded[2]}"


def test_a_certificate_that_is_too_large_for_a_header_says_so() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(f"{number}.example.com") for number in range(800)])

    fields = _fields(identity("client", ROOT, extensions=[(names, False)]))

    assert (fields["cert_rfc9440"], fields["cert_rfc9440_too_large"]) == ("", True)


def test_a_certificate_that_cannot_be_read_is_presented_and_not_verified() -> None:
    seen = certificate_fields(
        (b"\x30\x00",), verify((b"\x30\x00",), (ROOT.pem,), 0, partial_chains=True), Serials.BYTES, revoked=False
    )

    assert seen["cf.tls_client_auth.cert_presented"] is True
    assert seen["cf.tls_client_auth.cert_verified"] is False


@pytest.mark.parametrize(
    ("host", "form", "expected"),
    [
        ("A.example.com.:443", AS_SENT, "A.example.com.:443"),
        ("A.example.com.:443", NORMALISED, "a.example.com"),
        ("A.example.com.:443", HostForm(port=False), "A.example.com."),
        ("A.example.com.:443", HostForm(dot=False), "A.example.com:443"),
        ("a.example.com:", NORMALISED, "a.example.com"),
        ("", NORMALISED, ""),
        ("[::1]:443", NORMALISED, "[::1]"),
    ],
)
def test_http_host_keeps_what_its_form_says(host: str, form: HostForm, expected: str) -> None:
    assert shown(host, form) == expected


def test_the_most_specific_zone_serves_a_hostname() -> None:
    state = State().with_zone(ZONE).with_zone(Zone("c" * 32, "sub.example.com", "a" * 32))

    zones = [zone_of(state, name) for name in ("a.example.com", "a.sub.example.com", "notexample.com")]

    assert [zone and zone.name for zone in zones] == ["example.com", "sub.example.com", None]


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a//b", "/a/b"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../b", "/b"),
        ("/a/..", "/"),
        ("/a/b/.", "/a/b/"),
        ("/%61%2fb", "/a%2Fb"),
        ("/%2e%2e/b", "/b"),
        ("/a\\b", "/a/b"),
    ],
)
def test_rules_see_a_normalised_path(path: str, seen: str) -> None:
    assert normalised(path) == seen


def test_rules_see_the_request() -> None:
    headers = (("host", "a.example.com"), ("user-agent", "curl"), ("x-a", "1"), ("x-a", "2"), ("cookie", "a=b"))
    request = EdgeRequest("a.example.com", "/x/../y.TXT?b=1&c=%20", "POST", headers, "203.0.113.7")

    fields = {**request_fields(request, ZONE, AS_SENT), **clock_fields(12.5)}

    expected = {
        "http.host": "a.example.com",
        "http.request.method": "POST",
        "http.request.uri": "/y.TXT?b=1&c=%20",
        "http.request.uri.path": "/y.TXT",
        "http.request.uri.path.extension": "txt",
        "http.request.uri.query": "b=1&c=%20",
        "http.request.full_uri": "https://a.example.com/y.TXT?b=1&c=%20",
        "raw.http.request.uri.path": "/x/../y.TXT",
        "http.request.uri.args": {"b": ["1"], "c": [" "]},
        "http.request.headers": {
            "host": ["a.example.com"],
            "user-agent": ["curl"],
            "x-a": ["1", "2"],
            "cookie": ["a=b"],
        },
        "http.user_agent": "curl",
        "http.cookie": "a=b",
        "http.referer": "",
        "ip.src": "203.0.113.7",
        "ssl": True,
        "cf.zone.name": "example.com",
        "cf.zone.plan": "ENT",
        "http.request.timestamp.sec": 12,
        "http.request.timestamp.msec": 500,
    }
    assert {name: fields[name] for name in expected} == expected
    assert typed(fields)["http.host"] == b"a.example.com"


def test_a_whole_url_as_target_names_host_and_path() -> None:
    request = EdgeRequest("b.example.com", "https://a.example.com:443?q")

    assert (request.authority, request.path_and_query) == ("a.example.com:443", "/?q")
