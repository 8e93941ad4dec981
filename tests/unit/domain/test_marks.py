"""Marks are read as they were written (docs/marks.md), and nothing is taken for a mark of ours that is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.domain.marks import (
    REF_PREFIX,
    Claim,
    ClaimState,
    Enforcement,
    Installation,
    Revocation,
    Unreadable,
    certificate_name,
    certificate_owner,
    claim_body,
    enforcement_body,
    read_mark,
    revocation_body,
    rule_ref,
)
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule, RuleBody
from mtls_operator.domain.serial_numbers import serial_number

US = Installation("cluster.one", "11111111-2222-4333-8444-555555555555")
CERTIFICATE = CertificateId("aaaaaaaa-0000-4000-8000-000000000000")
CLAIM = Claim(
    US, ClaimState.HELD, frozenset({CERTIFICATE}), frozenset({"a.example.com"}), frozenset({"0" * 16}), frozenset()
)
RULE = Enforcement(US, frozenset({"a.example.com"}), frozenset({"AB12"}), "block", None, enabled=True)

owners = st.from_regex(r"[A-Za-z0-9._-]{1,63}", fullmatch=True)
installations = st.builds(Installation, owners, st.uuids().map(str))
hostnames = st.frozensets(st.sampled_from(["a.example.com", "b.example.com", "example.com"]), min_size=1)
fingerprints = st.frozensets(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), max_size=2)
claims = st.builds(
    Claim,
    installation=installations,
    state=st.sampled_from(ClaimState),
    certificate_ids=st.frozensets(st.uuids().map(lambda each: CertificateId(str(each))), min_size=1, max_size=3),
    hostnames=hostnames,
    aim=fingerprints,
    in_force=fingerprints,
    until=st.none() | st.just("2026-03-01T00:00:00Z"),
)
rules = st.builds(
    Enforcement,
    installation=installations,
    hostnames=hostnames,
    issuers=st.none() | st.frozensets(st.from_regex(r"([0-9A-F]{2}){1,20}", fullmatch=True), min_size=1, max_size=3),
    action=st.sampled_from(["block", "log"]),
    response=st.none() | st.just(BlockResponse(403, "text/plain", "no")),
    enabled=st.booleans(),
    retained=st.booleans(),
)


revocations = st.builds(
    Revocation,
    installation=installations,
    hostnames=hostnames,
    issuer=st.from_regex(r"([0-9A-F]{2}){1,20}", fullmatch=True),
    serials=st.frozensets(st.integers(0, 2**160).map(serial_number), min_size=1, max_size=5),
    action=st.sampled_from(["block", "log"]),
    response=st.none() | st.just(BlockResponse(403, "text/plain", "no")),
    enabled=st.booleans(),
    retained=st.booleans(),
    tolerant=st.booleans(),
)


def body_of(mark: Claim | Enforcement | Revocation) -> RuleBody:
    if isinstance(mark, Revocation):
        return revocation_body(mark, "ref")
    return claim_body(mark, "ref") if isinstance(mark, Claim) else enforcement_body(mark, "ref")


@given(claims | rules | revocations)
def test_a_mark_is_read_as_it_was_written(mark: Claim | Enforcement | Revocation) -> None:
    assert read_mark(Rule("id", body_of(mark))) == mark


@given(claims)
def test_a_claim_acts_on_nothing_even_if_somebody_enables_it(claim: Claim) -> None:
    body = claim_body(claim, "ref")

    assert (body.enabled, body.action, body.response) == (False, "log", None)


@given(claims | rules, st.integers(0, 400), st.sampled_from(["", "x", " ", ","]))
def test_a_damaged_description_is_unreadable_or_an_equal_mark_but_never_somebody_elses(
    mark: Claim | Enforcement, position: int, inserted: str
) -> None:
    body = body_of(mark)
    start = len("mtls-operator/")
    cut = start + position % (len(body.description) - start)
    damaged = replace(body, description=body.description[:cut] + inserted + body.description[cut + 1 :])

    assert _hostnames(damaged) >= mark.hostnames


def _hostnames(body: RuleBody) -> frozenset[str]:
    """What the mark keeps on a list; nothing if the rule is taken for somebody else's."""
    mark = read_mark(Rule("id", body))
    if mark is None:
        return frozenset()
    return mark.names if isinstance(mark, Unreadable) else mark.hostnames


UNREADABLE = {
    "another version": claim_body(CLAIM, "ref").description.replace("/1 ", "/2 "),
    "an unknown kind": "mtls-operator/1 wish owner=a cluster=b",
    "an unknown state": claim_body(CLAIM, "ref").description.replace("held", "kept"),
    "a word too many": claim_body(CLAIM, "ref").description + " more=1",
    "a word too few": claim_body(CLAIM, "ref").description.rsplit(" ", 1)[0],
    "an id that is none": claim_body(CLAIM, "ref").description.replace(CERTIFICATE, "abc"),
    "no version": "mtls-operator/",
}


@pytest.mark.parametrize("description", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_names_us_and_cannot_be_read_keeps_every_name_in_it(description: str) -> None:
    body = RuleBody("ref", "log", 'something in {"a.example.com" "b.example.com"}', description, enabled=False)

    assert read_mark(Rule("id", body)) == Unreadable(frozenset({"a.example.com", "b.example.com"}))


@pytest.mark.parametrize("mark", [CLAIM, RULE])
def test_a_mark_whose_expression_cannot_be_read_keeps_every_name_in_it(mark: Claim | Enforcement) -> None:
    body = replace(body_of(mark), expression='http.host eq "c.example.com"')

    assert read_mark(Rule("id", body)) == Unreadable(frozenset({"c.example.com"}), US, is_claim=mark is CLAIM)


@pytest.mark.parametrize("description", ["", "block bots", "our mtls-operator/1 claim", "MTLS-operator/1 claim"])
def test_any_other_description_is_somebody_elses(description: str) -> None:
    body = RuleBody("mtls_operator_x", "block", claim_body(CLAIM, "ref").expression, description, enabled=True)

    assert read_mark(Rule("id", body)) is None


@given(owners, st.text(max_size=30), st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
def test_the_name_of_a_certificate_says_who_uploaded_it(owner: str, display: str, fingerprint: str) -> None:
    assert certificate_owner(certificate_name(display, fingerprint, owner)) == owner


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Example Root",
        "Example Root (mtls-operator one)",
        "Example Root 0123abcd (mtls-operator one) copy",
        "Example Root 0123abcd (mtls-operator )",
        "Example Root 0123abcd (mtls-operator one two)",
    ],
)
def test_any_other_name_of_a_certificate_carries_no_mark(name: str) -> None:
    assert certificate_owner(name) is None


def test_refs_are_under_our_prefix_and_differ_with_the_installation_and_with_what_they_are_for() -> None:
    other = replace(US, cluster="99999999-2222-4333-8444-555555555555")

    refs = {
        rule_ref(US, "claim", "a"),
        rule_ref(US, "claim", "b"),
        rule_ref(US, "claima"),
        rule_ref(other, "claim", "a"),
    }

    assert len(refs) == 4
    assert all(ref.startswith(REF_PREFIX) for ref in refs)


@given(revocations)
def test_a_rule_about_revoked_certificates_that_was_altered_is_its_installations_unless_it_was_retained(
    mark: Revocation,
) -> None:
    body = body_of(mark)

    read = read_mark(Rule("id", replace(body, expression=f"{body.expression} or true")))

    assert isinstance(read, Unreadable)
    assert (read.installation, read.revokes) == (None if mark.retained else mark.installation, True)
    assert mark.hostnames <= read.names
