"""What is ours by mark and that no resource knows of is told of, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import ClaimState, Revocation, claim_body, enforcement_body, revocation_body
from mtls_operator.domain.observed import Rule, Ruleset
from mtls_operator.domain.zone_orphans import orphans
from mtls_operator.domain.zone_stakes import Stake
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, KEY, OTHERS, TARGET, US, WEB, claim, enforced

OURS = Rule("claim", claim_body(claim(ClaimState.HELD, API, WEB), "claim"))
RULE = Rule("rule", enforcement_body(enforced(API), "rule"))
LEFT = Rule("left", enforcement_body(replace(enforced(API), retained=True), "left"))
GONE = Revocation(US, frozenset({API}), "AA01", frozenset({"1"}), "block", None, enabled=True)
REVOKED = Rule("gone", revocation_body(GONE, "gone"))
THEIRS = Rule("theirs", claim_body(claim(ClaimState.HELD, API, by=OTHERS), "theirs"))


@pytest.mark.parametrize(
    ("rules", "stakes", "found"),
    [
        ([OURS], [], {API, WEB}),
        ([RULE], [], {API}),
        ([OURS, RULE], [Stake(KEY, managed={CERTIFICATE: frozenset({API})})], {WEB}),
        ([OURS], [Stake(KEY, wants={API: TARGET, WEB: TARGET})], set()),
        ([REVOKED], [], {API}),
        ([replace(REVOKED, body=revocation_body(replace(GONE, retained=True), "gone"))], [], set()),
        ([LEFT, THEIRS], [], set()),
        ([], [], set()),
    ],
    ids=[
        "claimed",
        "enforced",
        "one is recorded",
        "wanted",
        "revoked",
        "revoked and retained",
        "retained, and of others",
        "nothing",
    ],
)
def test_hostnames_of_ours_that_no_binding_records_or_wants_are_orphans(
    rules: list[Rule], stakes: list[Stake], found: set[str]
) -> None:
    assert orphans(Ruleset("set", 1, tuple(rules)), US, stakes) == found


def test_a_zone_without_rules_has_none() -> None:
    assert orphans(None, US, []) == frozenset()
