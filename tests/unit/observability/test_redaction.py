"""What is made unreadable, and what stays readable."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.observability.redaction import Redaction

SECRETS = st.text(alphabet=string.ascii_letters + string.digits + "_-", min_size=8, max_size=60)
WORDS = st.text(alphabet=string.ascii_letters + ' ."{}:\n', max_size=30)


@given(SECRETS, WORDS, WORDS)
def test_a_registered_secret_is_unreadable_wherever_it_stands(secret: str, before: str, after: str) -> None:
    redaction = Redaction()

    redaction.add(secret)

    assert secret not in redaction.apply(f"{before}{secret}{after}")


@given(SECRETS)
def test_a_registered_secret_is_unreadable_in_base64_too(secret: str) -> None:
    redaction = Redaction()
    encoded = base64.b64encode(secret.encode()).decode()

    redaction.add(secret)

    assert redaction.apply(f"data: {encoded}") == "data: ***"


def test_a_secret_that_contains_another_one_is_unreadable_as_a_whole() -> None:
    redaction = Redaction()

    redaction.add("token-12345")
    redaction.add("token-12345-and-more")

    assert redaction.apply("<token-12345-and-more>") == "<***>"


def test_a_secret_is_not_read_as_a_pattern() -> None:
    redaction = Redaction()

    redaction.add("a+b.c(d)*e|f")

    assert redaction.apply("<a+b.c(d)*e|f> and aab-c") == "<***> and aab-c"


def test_a_secret_too_short_to_be_one_does_not_blot_out_words() -> None:
    redaction = Redaction()

    redaction.add("")
    redaction.add("zone")

    assert redaction.apply("the zone is ready") == "the zone is ready"


KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA==\n-----END EC PRIVATE KEY-----"
OLD_KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\nMHcCAQ==\n"
    "-----END RSA PRIVATE KEY-----"
)
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nTUlJQ\n-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"key: {KEY} end", "key: *** end"),
        (f"key: {OLD_KEY} end", "key: *** end"),
        (KEY.replace("\n", "\\n"), "***"),
        (f"{KEY}\n{CERTIFICATE}\n{KEY}", f"***\n{CERTIFICATE}\n***"),
        ('{"key": "-----BEGIN PRIVATE KEY-----\\nMHcCAQEE", "more": 1}', '{"key": "***", "more": 1}'),
        (base64.b64encode(KEY.encode()).decode(), "***"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("authorization: bearer abc", "authorization: bearer ***"),
        ("token cfat_abcdefghijklmnopqrstuvwxyz was refused", "token *** was refused"),
    ],
)
def test_what_looks_like_a_secret_is_unreadable_without_being_registered(text: str, shown: str) -> None:
    assert Redaction().apply(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "zone example.com: 3 hostnames associated",
        CERTIFICATE,
        "the certificate has no private key",
        "0123456789abcdef0123456789abcdef",
        "11111111-2222-4333-8444-555555555555",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert Redaction().apply(text) == text
