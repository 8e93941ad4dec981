"""What goes first when a token's rate limit runs low."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.account_steps import ReadCertificates
from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Installation, claim_body, enforcement_body
from mtls_operator.domain.observed import CertificateId, Rule, Ruleset
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.rotation import after_change
from mtls_operator.domain.urgency import Urgency, may_be_sent, urgency_in_account, urgency_in_zone
from mtls_operator.domain.zone_knowledge import Reading, ZoneKnowledge
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_stakes import Desired, Stake, Target
from mtls_operator.domain.zone_steps import ReadList, ReadRules, WriteList, ZoneStep
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.account_demands import CA, DELETED, HAS_ONE, ONE, TWO, WANTED, sent

US = Installation("us", "11111111-2222-4333-8444-555555555555")
CERTIFICATE = CertificateId("aaaaaaaa-0000-4000-8000-000000000000")
OTHER = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
API = "api.example.com"
AIM = frozenset({"a" * 16})
TARGET = Target(CERTIFICATE, AIM, AIM, Policy(frozenset({"AA01"}), "block"))
NOW = 1000.0
TIMING = Timing(window=90.0, settle=90.0)
HELD = Claim(US, ClaimState.HELD, frozenset({CERTIFICATE}), frozenset({API}), AIM, AIM)
BLOCK = Enforcement(US, frozenset({API}), frozenset({"AA01"}), "block", None, enabled=True)
RULESET = Ruleset("set", 1, (Rule("e", enforcement_body(BLOCK, "e")), Rule("c", claim_body(HELD, "c"))))
BOUND = Stake(ResourceKey("apps", "a"), {CERTIFICATE: frozenset({API})}, {API: TARGET}, has_finalizer=True)
ARRIVES = Stake(ResourceKey("apps", "b"), {}, {"www.example.com": TARGET}, has_finalizer=True)
LEAVES = replace(BOUND, wants={}, deleting=True)
MOVES = replace(BOUND, wants={API: replace(TARGET, certificate=OTHER)})
WELL = ZoneKnowledge(
    started=0.0,
    rules=Reading(RULESET, 500.0),
    rules_seen=500.0,
    rules_must_be_read=False,
    lists={CERTIFICATE: Reading(frozenset({API}), 500.0)},
)
DOUBTED = replace(WELL, doubted=NOW, rules_must_be_read=True)
LOOK = ReadList(CERTIFICATE)


@pytest.mark.parametrize(
    ("remaining", "withdrawal", "arrival", "drift_check"),
    [
        (1200, True, True, True),
        (301, True, True, True),
        (300, True, True, False),
        (121, True, True, False),
        (120, True, False, False),
        (1, True, False, False),
        (0, False, False, False),
    ],
)
def test_the_less_is_left_the_more_urgent_a_call_has_to_be(
    remaining: int, withdrawal: bool, arrival: bool, drift_check: bool
) -> None:
    urgencies = (Urgency.WITHDRAWAL, Urgency.ARRIVAL, Urgency.DRIFT_CHECK)

    assert [may_be_sent(each, remaining, 1200) for each in urgencies] == [withdrawal, arrival, drift_check]


@pytest.mark.parametrize(
    ("stakes", "known", "step", "urgency"),
    [
        ([BOUND], DOUBTED, ReadRules(), Urgency.DRIFT_CHECK),
        ([BOUND], DOUBTED, LOOK, Urgency.DRIFT_CHECK),
        ([BOUND], ZoneKnowledge(started=0.0), ReadRules(), Urgency.ARRIVAL),
        ([BOUND], replace(DOUBTED, rules=Reading(None, 500.0)), ReadRules(), Urgency.ARRIVAL),
        ([BOUND], DOUBTED, WriteList(CERTIFICATE, frozenset({API})), Urgency.ARRIVAL),
        ([BOUND, ARRIVES], DOUBTED, ReadRules(), Urgency.ARRIVAL),
        ([ARRIVES], ZoneKnowledge(started=0.0), ReadRules(), Urgency.ARRIVAL),
        ([LEAVES], DOUBTED, ReadRules(), Urgency.WITHDRAWAL),
        ([MOVES], WELL, LOOK, Urgency.WITHDRAWAL),
        ([LEAVES, ARRIVES], WELL, LOOK, Urgency.WITHDRAWAL),
    ],
    ids=[
        "all is well and the rules are doubted",
        "all is well and a list is doubted",
        "nothing is known after the start",
        "a rule is missing",
        "a repair",
        "a hostname comes into a zone that is doubted",
        "a hostname comes",
        "a binding goes",
        "a hostname moves to another certificate",
        "one goes, one comes",
    ],
)
def test_a_partys_call_is_as_urgent_as_the_most_urgent_thing_that_it_has_to_do(
    stakes: list[Stake], known: ZoneKnowledge, step: ZoneStep, urgency: Urgency
) -> None:
    assert urgency_in_zone(Desired(US, tuple(stakes)), known, step, NOW, TIMING) is urgency


def test_a_ca_that_goes_or_rotates_is_more_urgent_than_one_that_comes() -> None:
    rotating = replace(HAS_ONE, standing=after_change(HAS_ONE.standing, TWO, 0.0, 60.0, {}))

    read, announced = ReadCertificates(CA), replace(HAS_ONE, pending_upload=ONE.fingerprints)

    assert [urgency_in_account(each, read) for each in (DELETED, rotating)] == [Urgency.WITHDRAWAL] * 2
    assert [urgency_in_account(each, read) for each in (WANTED, announced)] == [Urgency.ARRIVAL] * 2


def test_a_listing_for_a_ca_that_has_all_it_asks_for_is_a_look_for_changes() -> None:
    assert urgency_in_account(HAS_ONE, ReadCertificates(CA)) is Urgency.DRIFT_CHECK
    assert urgency_in_account(HAS_ONE, sent(CA, ONE)) is Urgency.ARRIVAL
