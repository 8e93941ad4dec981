"""Our rule disabled, moved or rewritten by hand: what is said while it is put right, and where nobody does so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.exposure import alteration
from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Installation, claim_body, enforcement_body
from mtls_operator.domain.observed import CertificateId, Rule, RuleBody, Ruleset
from mtls_operator.domain.verdicts import Outcome, Verdict
from mtls_operator.domain.zone_view import view_of

US = Installation("cluster-a", "11111111-1111-4111-8111-111111111111")
HOST = "api.example.com"
CERTIFICATE = CertificateId("00000000-0000-4000-8000-000000000001")
BLOCKS = Enforcement(US, frozenset({HOST}), frozenset({"AB"}), "block", None, enabled=True)
OURS = Rule("ours", enforcement_body(BLOCKS, "mtls_operator_1"))
CLAIM = Rule(
    "claim",
    claim_body(
        Claim(US, ClaimState.HELD, frozenset({CERTIFICATE}), frozenset({HOST}), frozenset(), frozenset()),
        "mtls_operator_2",
    ),
)
SKIPS = Rule("skips", RuleBody("theirs", "skip", "(true)", "health checks", enabled=True), skips_the_rest=True)


def told(*rules: Rule, set_aside: bool = False, hostname: str = HOST) -> Verdict | None:
    view = view_of(Ruleset("ruleset", 1, rules), US)
    return alteration(view, rules, {hostname}, set_aside=set_aside)


def changed(rule: Rule, **fields: Any) -> Rule:
    return replace(rule, body=replace(rule.body, **fields))


def test_of_a_rule_that_is_as_we_made_it_nothing_is_said() -> None:
    assert told(OURS, CLAIM, SKIPS) is None


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ((changed(OURS, enabled=False), CLAIM), "somebody has disabled our rule: it is being put right"),
        ((CLAIM, OURS), "somebody has moved behind a rule of somebody else our rule: it is being put right"),
        (
            (SKIPS, OURS, CLAIM),
            "somebody has moved behind a rule of somebody else our rule, and requests that match health checks (skips)"
            " skip it: it is being put right",
        ),
        ((changed(OURS, expression=f'(http.host eq "{HOST}")'), CLAIM), "somebody has rewritten our rule"),
        ((CLAIM, changed(OURS, enabled=False)), "somebody has disabled and moved behind"),
    ],
)
def test_what_was_done_to_our_rule_is_said_while_it_is_put_right(rules: tuple[Rule, ...], words: str) -> None:
    verdict = told(*rules)

    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == (Outcome.WAITING, Reason.RULE_ALTERED)
    assert verdict.message.startswith(words)


@pytest.mark.parametrize(
    "harmless",
    [
        changed(SKIPS, enabled=False),
        replace(SKIPS, skips_the_rest=False),
    ],
)
def test_a_rule_before_ours_that_does_not_skip_it_is_not_named(harmless: Rule) -> None:
    verdict = told(harmless, OURS)

    assert verdict is not None
    assert "health checks" not in verdict.message


def test_a_skip_rule_without_a_description_is_named_by_its_id() -> None:
    verdict = told(changed(SKIPS, description=""), OURS)

    assert verdict is not None
    assert "a rule without a description (skips)" in verdict.message


def test_where_nobody_puts_it_right_a_skip_rule_before_ours_bypasses_it() -> None:
    verdict = told(SKIPS, OURS, set_aside=True)

    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == (Outcome.BLOCKED, Reason.BYPASSED_BY_RULE)
    assert "health checks (skips)" in verdict.message


def test_where_nobody_puts_it_right_that_is_said() -> None:
    verdict = told(changed(OURS, enabled=False), set_aside=True)

    assert verdict is not None
    assert verdict.reason == Reason.RULE_ALTERED
    assert verdict.message.endswith("nothing is put right while the binding is set aside")


def test_rules_of_other_hostnames_do_not_matter() -> None:
    assert told(changed(OURS, enabled=False), hostname="b.example.com") is None
    assert told(changed(OURS, expression=f'(http.host eq "{HOST}")'), hostname="b.example.com") is None


def test_a_retained_rule_is_nobodys_to_put_right() -> None:
    retained = Rule("ours", enforcement_body(replace(BLOCKS, retained=True, enabled=False), "mtls_operator_1"))

    assert told(retained) is None


def test_a_rewritten_rule_is_not_spoken_of_once_another_covers_the_hostname() -> None:
    rewritten = Rule("old", replace(OURS.body, expression=f'(http.host eq "{HOST}")', ref="mtls_operator_3"))

    assert told(OURS, rewritten) is None
