"""What the demo says about each call to Cloudflare."""

from __future__ import annotations

import pytest

from testbed.demo.calls import Meaning, Reader
from tests.unit.demo.calls import CERTIFICATES, ENFORCE, ENTRY_POINT, LIST, REVOKE, RULES, claim, entry, rule


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("arriving", Meaning.CLAIM_ARRIVING),
        ("held", Meaning.CLAIM_HELD),
        ("leaving", Meaning.CLAIM_LEAVING),
    ],
)
def test_a_claim_is_named_by_its_state(state: str, meaning: Meaning) -> None:
    call = Reader().read(entry("PATCH", f"{RULES}/1", sent=rule(claim(state), "a.example.com", "b.example.com")))

    assert (call.meaning, call.about) == (meaning, "a.example.com, b.example.com")


def test_a_claim_that_creates_the_zones_ruleset_is_a_claim() -> None:
    sent = {"name": "default", "rules": [rule(claim("arriving"), "a.example.com")]}

    call = Reader().read(entry("POST", "/client/v4/zones/z/rulesets", sent=sent))

    assert (call.meaning, call.about) == (Meaning.CLAIM_ARRIVING, "a.example.com")


@pytest.mark.parametrize(("description", "meaning"), [(ENFORCE, Meaning.BLOCK), (REVOKE, Meaning.REVOKE)])
def test_a_rule_that_blocks_is_about_its_hostnames_and_not_its_issuers(description: str, meaning: Meaning) -> None:
    call = Reader().read(entry("POST", RULES, sent=rule(description, "a.example.com")))

    assert (call.meaning, call.about) == (meaning, "a.example.com")


@pytest.mark.parametrize(
    ("description", "meaning"),
    [(ENFORCE, Meaning.UNBLOCK), (REVOKE, Meaning.UNREVOKE), (claim("leaving"), Meaning.CLAIM_GONE)],
)
def test_a_deleted_rule_is_known_from_an_earlier_answer(description: str, meaning: Meaning) -> None:
    reader = Reader()
    reader.read(entry("POST", RULES, sent=rule(ENFORCE), result={"rules": [{"id": "1", **rule(description, "a.b.c")}]}))

    call = reader.read(entry("DELETE", f"{RULES}/1"))

    assert (call.meaning, call.about) == (meaning, "a.b.c")


def test_a_put_that_adds_associates_what_is_on_the_list_then() -> None:
    call = Reader().read(entry("PUT", LIST, sent={"mtls_certificate_id": "x", "hostnames": ["b.c", "a.b"]}))

    assert (call.meaning, call.about) == (Meaning.ASSOCIATE, "a.b, b.c")


def test_a_put_that_takes_away_names_what_it_takes_away() -> None:
    reader = Reader()
    reader.read(entry("PUT", LIST, sent={"mtls_certificate_id": "x", "hostnames": ["a.b", "b.c"]}))

    call = reader.read(entry("PUT", LIST, sent={"mtls_certificate_id": "x", "hostnames": ["a.b"]}))

    assert (call.meaning, call.about) == (Meaning.DISSOCIATE, "b.c")


def test_the_lists_of_two_certificates_are_told_apart() -> None:
    reader = Reader()
    reader.read(entry("PUT", LIST, sent={"mtls_certificate_id": "x", "hostnames": ["a.b"]}))

    call = reader.read(entry("PUT", LIST, sent={"mtls_certificate_id": "y", "hostnames": []}))

    assert call.meaning is Meaning.ASSOCIATE


@pytest.mark.parametrize(
    ("method", "path", "meaning"),
    [
        ("GET", "/client/v4/zones", Meaning.FIND_ZONE),
        ("GET", CERTIFICATES, Meaning.READ_CERTIFICATES),
        ("POST", CERTIFICATES, Meaning.UPLOAD),
        ("DELETE", f"{CERTIFICATES}/x", Meaning.DELETE_CERTIFICATE),
        ("GET", LIST, Meaning.READ_LIST),
        ("GET", ENTRY_POINT, Meaning.READ_RULES),
        ("GET", "/client/v4/user/tokens/verify", Meaning.OTHER),
    ],
)
def test_other_calls_are_known_by_method_and_path(method: str, path: str, meaning: Meaning) -> None:
    assert Reader().read(entry(method, path)).meaning is meaning
