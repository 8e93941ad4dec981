"""What of a binding is checked from outside, and what its condition says before, between and after checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import Condition
from mtls_operator.api.host_binding import HostBindingStatus, HostnameStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.marks import Enforcement, Installation, enforcement_body
from mtls_operator.domain.observed import BlockResponse, Rule, RuleBody, Ruleset
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.sources import SourceKey, SourceKind
from mtls_operator.domain.verdicts import Outcome, blocked, ok
from mtls_operator.domain.verification import Refusal
from mtls_operator.domain.verification_task import (
    client_certificate_of,
    covered_hostnames,
    refusals_in,
    task_of,
    verification_verdict,
)
from tests.unit.domain.binding_records import binding, metadata

API, WWW = "api.example.com", "www.example.com"
CHECKED: Mapping[str, object] = {"verification": {"interval": "5m"}}
RESPONSE = {"statusCode": 451, "contentType": "text/plain", "content": "no"}
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FOUND = ok(Reason.VERIFIED, "found")


def record(
    spec: Mapping[str, object] = CHECKED,
    states: Mapping[str, str] | None = None,
    *,
    seen: int = 3,
    said: tuple[str, int] | None = None,
    deleting: bool = False,
) -> BindingRecord:
    """A binding of two hostnames, of generation 3. `seen`: the generation that its status is about; `said`: reason and
    generation of its condition Verified."""
    condition = said and Condition(
        type="Verified",
        status="True",
        reason=said[0],
        message="said before",
        observed_generation=said[1],
        last_transition_time=NOW,
    )
    status = HostBindingStatus(
        observed_generation=seen,
        hostnames=tuple(
            HostnameStatus(name=name, state=state)
            for name, state in ({API: "Enforced", WWW: "Enforced"} if states is None else states).items()
        ),
        conditions=(condition,) if condition else (),
    )
    return binding("binding", WWW, API, spec=spec, status=status, meta=metadata("binding", deleting=deleting))


def test_covered_hostnames_are_asked_for_at_the_root_as_often_as_the_spec_says() -> None:
    task = task_of(record())

    assert task is not None
    assert (task.hostnames, task.path, task.interval) == ((API, WWW), "/", 300.0)
    assert (task.refusal, task.client) == (Refusal(), None)


def test_path_client_and_response_are_those_of_the_spec() -> None:
    verification = {"interval": "1h", "path": "/health", "clientCertificateRef": {"name": "client"}}
    task = task_of(record({"verification": verification, "enforcement": {"response": RESPONSE}}))

    assert task is not None
    assert (task.path, task.refusal) == ("/health", Refusal(451, "text/plain"))
    assert task.client == SourceKey(SourceKind.SECRET, "apps", "client")


@pytest.mark.parametrize("state", ["Pending", "Arriving", "Associated", "Leaving", "Conflicted", "Refused"])
def test_hostnames_that_no_rule_covers_are_not_asked_for(state: str) -> None:
    task = task_of(record(states={API: state, WWW: "Moving"}))

    assert task is not None
    assert task.hostnames == (WWW,)


def test_hostnames_that_the_spec_does_not_name_are_not_asked_for() -> None:
    assert covered_hostnames(record(states={API: "Enforced", "left.example.com": "Enforced"})) == (API,)


NOTHING_TO_DO = [
    record({}),
    record({**CHECKED, "enforcement": {"action": "Log"}}),
    record({**CHECKED, "enforcement": {"action": "None"}}),
    record(deleting=True),
    record(seen=2),
    record(states={}),
    replace(record(), spec=None),
]


@pytest.mark.parametrize(
    "found",
    NOTHING_TO_DO,
    ids=["off", "log", "none", "deleted", "spec not judged yet", "nothing covered", "unreadable"],
)
def test_nothing_is_asked_for(found: BindingRecord) -> None:
    assert task_of(found) is None


def test_a_binding_that_cannot_be_read_covers_nothing_and_names_no_client() -> None:
    unreadable = replace(record(), spec=None)

    assert (covered_hostnames(unreadable), client_certificate_of(unreadable)) == ((), None)


# What the condition says


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "spec.verification is absent"),
        ({**CHECKED, "enforcement": {"action": "Log"}}, "spec.enforcement.action is Log"),
        ({**CHECKED, "enforcement": {"action": "None"}}, "spec.enforcement.action is None"),
    ],
    ids=["off", "log", "none"],
)
def test_a_check_that_is_off_says_why_whatever_was_found(spec: Mapping[str, object], words: str) -> None:
    verdict = verification_verdict(record(spec, said=("BadClientAdmitted", 3)), FOUND)

    assert (verdict.reason, verdict.outcome) == (Reason.VERIFICATION_OFF, Outcome.OK)
    assert words in verdict.message


def test_before_the_first_check_nothing_is_known() -> None:
    assert verification_verdict(record(), None).reason is Reason.VERIFICATION_PENDING


def test_what_was_found_is_said() -> None:
    assert verification_verdict(record(said=("TargetUnreachable", 3)), FOUND) == FOUND


KEPT = [
    (record(said=("Verified", 3)), ok(Reason.VERIFIED, "said before")),
    (record(said=("TargetUnreachable", 3)), ok(Reason.TARGET_UNREACHABLE, "said before")),
    (record(said=("GoodClientRefused", 3)), ok(Reason.GOOD_CLIENT_REFUSED, "said before")),
    (record(said=("BadClientAdmitted", 2)), blocked(Reason.BAD_CLIENT_ADMITTED, "said before")),
    (record(said=("HostVariantOpen", 2), states={}), blocked(Reason.HOST_VARIANT_OPEN, "said before")),
    (replace(record(said=("BadClientAdmitted", 2)), spec=None), blocked(Reason.BAD_CLIENT_ADMITTED, "said before")),
]


@pytest.mark.parametrize(("before", "verdict"), KEPT, ids=[str(verdict.reason) for _, verdict in KEPT])
def test_a_process_that_has_not_checked_yet_takes_nothing_back(before: BindingRecord, verdict: object) -> None:
    assert verification_verdict(before, None) == verdict


FORGOTTEN = [
    record(said=("Verified", 2)),
    record(said=("Verified", 3), states={}),
    record(said=("VerificationOff", 3)),
    record(said=("FromTheFuture", 3)),
]


@pytest.mark.parametrize("before", FORGOTTEN, ids=["another spec", "nothing covered", "was off", "unknown word"])
def test_that_all_is_well_does_not_outlive_what_it_was_said_of(before: BindingRecord) -> None:
    assert verification_verdict(before, None).reason is Reason.VERIFICATION_PENDING


# How block rules answer


def rule(name: str, response: BlockResponse | None = None, *, action: str = "block", enabled: bool = True) -> Rule:
    """A rule of some installation on both hostnames."""
    us = Installation(name, "00000000-0000-4000-8000-000000000000")
    mark = Enforcement(us, frozenset({API, WWW}), frozenset({"AB"}), action, response, enabled)
    return Rule(f"id-{name}", enforcement_body(mark, f"ref-{name}"))


def test_every_enabled_block_rule_on_a_hostname_may_be_the_one_that_answers() -> None:
    teapot = BlockResponse(418, "text/html", "")
    foreign = Rule("id-x", RuleBody("x", "block", "true", "somebody's", enabled=True, response=teapot))
    ours = rule("ours", BlockResponse(451, "text/plain", "no"))
    more = (rule("logs", action="log"), rule("off", BlockResponse(499, "text/plain", ""), enabled=False))
    ruleset = Ruleset("ruleset", 1, (ours, rule("other"), foreign, *more))

    expected = frozenset({Refusal(451, "text/plain"), Refusal()})
    assert refusals_in(ruleset) == {API: expected, WWW: expected}


def test_a_zone_without_rules_has_none() -> None:
    assert refusals_in(None) == {}
