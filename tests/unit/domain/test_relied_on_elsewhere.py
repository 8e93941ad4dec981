"""Certificates that other installations rely on in a zone."""

from __future__ import annotations

from mtls_operator.domain.marks import Claim, ClaimState, Installation, claim_body
from mtls_operator.domain.observed import CertificateId, Rule, RuleBody, Ruleset
from mtls_operator.domain.relied_on_elsewhere import relied_on_elsewhere
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE

US = Installation("us", "11111111-2222-4333-8444-555555555555")
THEY = Installation("they", "99999999-2222-4333-8444-555555555555")


def rule(whose: Installation, state: ClaimState, certificate: CertificateId) -> Rule:
    name = f"{whose.owner}-{state}-{certificate}"
    aim = frozenset({"a" * 16})
    claim = Claim(whose, state, frozenset({certificate}), frozenset({"api.example.com"}), aim, aim)
    return Rule(name, claim_body(claim, name))


def test_what_another_installation_claims_is_relied_on_unless_it_only_leaves() -> None:
    rules = (
        rule(US, ClaimState.HELD, CERTIFICATE),
        rule(THEY, ClaimState.LEAVING, CERTIFICATE),
        rule(THEY, ClaimState.ARRIVING, OTHER_CERTIFICATE),
        Rule("bots", RuleBody("bots", "block", "cf.client.bot", "block bots", enabled=True)),
    )

    assert relied_on_elsewhere(Ruleset("set", 1, rules), [US]) == {OTHER_CERTIFICATE}
    assert relied_on_elsewhere(Ruleset("set", 1, rules), [THEY]) == {CERTIFICATE}
    assert relied_on_elsewhere(Ruleset("set", 1, rules), [US, THEY]) == frozenset()


def test_in_a_zone_without_rules_nobody_relies_on_anything() -> None:
    assert relied_on_elsewhere(None, [US]) == frozenset()
