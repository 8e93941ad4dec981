"""The marks of docs/marks.md as the monitor reads them."""

import pytest

from testbed.cloudflare.monitor.marks import Claim, Enforcement, Guard, Unreadable, certificate_owner, read_mark
from testbed.cloudflare.state import Rule

ID = "0b1f5e60-4f3c-4f0e-9f57-0d3c6d1d2a11"
OTHER_ID = "1b1f5e60-4f3c-4f0e-9f57-0d3c6d1d2a11"
DIGEST = "0123456789abcdef"
HOSTS = '(lower(http.host) in {"a.example.com" "b.example.com"})'
CLAIM = f"mtls-operator/1 claim owner=east cluster={ID} state=held certs={ID} aim={DIGEST} inforce=-"
ENFORCE = f"mtls-operator/1 enforce owner=east cluster={ID}"
NAMES = frozenset({"a.example.com", "b.example.com"})
UNPINNED = f"{HOSTS[:-1]} and not cf.tls_client_auth.cert_verified)"


def rule(description: str, expression: str) -> Rule:
    return Rule("1" * 32, "ref", 1, "log", expression, description, enabled=False, last_updated=0.0)


@pytest.mark.parametrize(
    ("description", "certificates"),
    [
        (CLAIM, {ID}),
        (CLAIM.replace(f"certs={ID}", f"certs={ID},{OTHER_ID}"), {ID, OTHER_ID}),
        (CLAIM.replace(f"aim={DIGEST}", "aim=-"), {ID}),
        (CLAIM.replace(f"aim={DIGEST}", f"aim={DIGEST},{DIGEST}"), {ID}),
        (CLAIM.replace("inforce=-", f"inforce={DIGEST} until=2026-12-01T00:00:00Z"), {ID}),
    ],
)
def test_a_claim_is_read(description: str, certificates: set[str]) -> None:
    assert read_mark(rule(description, HOSTS)) == Claim("east", "held", frozenset(certificates), NAMES)


@pytest.mark.parametrize(
    ("description", "expression", "mark"),
    [
        (ENFORCE, UNPINNED, Enforcement("east", retained=False, guard=Guard(NAMES, None))),
        (f"{ENFORCE} retained", UNPINNED, Enforcement("east", retained=True, guard=Guard(NAMES, None))),
        (
            ENFORCE,
            f"{HOSTS[:-1]} and not (cf.tls_client_auth.cert_verified and "
            'cf.tls_client_auth.cert_issuer_ski in {"AB12" "CD34"}))',
            Enforcement("east", retained=False, guard=Guard(NAMES, frozenset({"AB12", "CD34"}))),
        ),
    ],
)
def test_an_enforcement_rule_is_read(description: str, expression: str, mark: Enforcement) -> None:
    assert read_mark(rule(description, expression)) == mark


@pytest.mark.parametrize(
    "description",
    [
        "mtls-operator/",
        CLAIM.replace("mtls-operator/1", "mtls-operator/2"),
        CLAIM.replace("owner=east ", ""),
        CLAIM.replace("state=held", "state=gone"),
        CLAIM.replace(f"certs={ID}", "certs=-"),
        CLAIM.replace("inforce=-", "inforce="),
        f"{CLAIM} more=words",
        f"{ENFORCE} for ever",
        CLAIM.replace(" claim", "  claim"),
    ],
)
def test_what_only_begins_like_a_mark_protects_its_names(description: str) -> None:
    assert read_mark(rule(description, HOSTS)) == Unreadable(NAMES)


@pytest.mark.parametrize("expression", ["ssl", UNPINNED, '(lower(http.host) in {"b" "a"})', '(http.host in {"a"})'])
def test_a_claim_with_another_expression_is_unreadable(expression: str) -> None:
    assert isinstance(read_mark(rule(CLAIM, expression)), Unreadable)


@pytest.mark.parametrize("description", ["", "block bad bots", "about mtls-operator/1", f" {CLAIM}"])
def test_any_other_rule_is_somebody_else_s(description: str) -> None:
    assert read_mark(rule(description, HOSTS)) is None


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("team/ca 0123abcd (mtls-operator east.1)", "east.1"),
        ("team/ca 0123abcd (mtls-operator )", None),
        ("team/ca 0123ABCD (mtls-operator east)", None),
        ("0123abcd (mtls-operator east)", None),
        ("team/ca", None),
    ],
)
def test_the_name_of_a_certificate_says_whose_it_is(name: str, owner: str | None) -> None:
    assert certificate_owner(name) == owner
