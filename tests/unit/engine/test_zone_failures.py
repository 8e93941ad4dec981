"""What a refused write of a rule about revoked certificates means: less room, not a failure, and only once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.cloudflare.errors import CloudflareError, QuotaExceeded, Rejected, Unreachable
from mtls_operator.domain.marks import (
    Claim,
    ClaimState,
    Enforcement,
    Installation,
    Revocation,
    claim_body,
    enforcement_body,
    revocation_body,
)
from mtls_operator.domain.observed import CertificateId, Rule, RuleBody, Ruleset
from mtls_operator.domain.zone_knowledge import Reading, ZoneKnowledge, nothing_known
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_steps import DeleteRule, WriteRule
from mtls_operator.engine.zone_calls import CloudflareStep
from mtls_operator.engine.zone_failures import after_failure, is_no_failure

US = Installation("us", "11111111-2222-4333-8444-555555555555")
NAMES = frozenset({"api.example.com"})
REVOKES = revocation_body(Revocation(US, NAMES, "AA01", frozenset({"1"}), "block", None, enabled=True), "ref")
ENFORCES = enforcement_body(Enforcement(US, NAMES, frozenset({"AA01"}), "block", None, enabled=True), "ref")
CERTIFICATES = frozenset({CertificateId("aaaaaaaa-0000-4000-8000-000000000000")})
CLAIMS = claim_body(Claim(US, ClaimState.ARRIVING, CERTIFICATES, NAMES, frozenset(), frozenset()), "ref")
FULL = QuotaExceeded("POST rules", "no place for one more", status=400)
TIMING = Timing(window=90.0, settle=90.0)
KNOWN = replace(nothing_known(0.0), rules_must_be_read=False)


def after(step: CloudflareStep, error: CloudflareError, known: ZoneKnowledge = KNOWN) -> tuple[int | None, bool]:
    """How many rules there may be then, and whether it counts as a failure."""
    became = after_failure(known, step, error, 1.0, us=US, timing=TIMING)
    assert became.rules_must_be_read
    return became.most_revocation_rules, not is_no_failure(known, became, step, error)


def created(body: RuleBody) -> WriteRule:
    return WriteRule(body)


def test_one_more_than_the_plan_has_is_less_room_and_no_failure() -> None:
    assert after(created(REVOKES), FULL) == (0, False)


def test_the_same_again_is_a_failure() -> None:
    assert after(created(REVOKES), FULL, replace(KNOWN, most_revocation_rules=0)) == (0, True)


@pytest.mark.parametrize("body", [ENFORCES, CLAIMS], ids=["enforcement", "claim"])
def test_a_rule_about_revoked_certificates_gives_way_to_another_as_long_as_there_is_one(body: RuleBody) -> None:
    with_two = replace(KNOWN, rules=Reading(Ruleset("set", 1, (Rule("1", REVOKES), Rule("2", REVOKES))), 0.0))

    assert after(created(body), FULL, with_two) == (1, False)
    assert after(created(body), FULL, replace(with_two, most_revocation_rules=2)) == (1, False)
    assert after(created(body), FULL, replace(with_two, most_revocation_rules=1)) == (1, True)
    assert after(created(body), FULL, replace(KNOWN, most_revocation_rules=0)) == (0, True)


def test_any_other_refusal_is_a_failure() -> None:
    assert after(created(REVOKES), Rejected("POST rules", "no", status=400)) == (None, True)
    assert after(created(ENFORCES), FULL) == (None, True)
    assert after(WriteRule(REVOKES, "rule"), FULL) == (None, True)
    assert after(DeleteRule("rule"), FULL) == (None, True)


def test_a_write_whose_answer_is_lost_may_be_carried_out_for_a_minute_and_is_read_a_window_later() -> None:
    error = Unreachable("POST rules", "the connection broke", answer_lost=True)
    read = replace(KNOWN, rules=Reading(None, 0.0))

    known = after_failure(read, created(ENFORCES), error, 1_000.0, us=US, timing=TIMING)

    assert known.rules_exact_from(TIMING.window) == 1_150.0
