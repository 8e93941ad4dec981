"""From verdicts to conditions, as kstatus understands them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.api.conditions import Condition, ConditionType, find, is_true
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.condition_set import conditions_of
from mtls_operator.domain.verdicts import Outcome, Verdict, blocked, ok, waiting, worst

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FINE = ok(Reason.ACCEPTED, "fine")
WAITING = waiting(Reason.ARRIVING, "settles")
BLOCKED = blocked(Reason.INVALID_SPEC, "no")
ASPECTS = (ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS, ConditionType.ASSOCIATED)

verdicts = st.builds(
    Verdict, st.sampled_from(Outcome), st.sampled_from([Reason.PROGRESSING, Reason.ARRIVING]), st.text()
)
several = st.lists(verdicts, min_size=3, max_size=3)


def conditions(
    aspects: Sequence[Verdict], others: Sequence[Verdict] = (), previous: Sequence[Condition] = (), now: datetime = NOW
) -> tuple[Condition, ...]:
    return conditions_of(dict(zip(ASPECTS, aspects, strict=True)), others, previous, 7, now)


@given(several, st.lists(verdicts, max_size=1))
def test_a_resource_is_ready_or_reconciling_or_stalled_and_only_one_of_them_unless_its_user_wants_nothing_done(
    aspects: list[Verdict], others: list[Verdict]
) -> None:
    found = conditions(aspects, others)

    kinds = [ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED]
    is_chosen = worst(*others, *aspects).outcome is Outcome.CHOSEN
    assert sum(is_true(found, kind) for kind in kinds) == (0 if is_chosen else 1)


@given(several, st.lists(verdicts, max_size=1))
def test_reconciling_and_stalled_are_never_written_as_false(aspects: list[Verdict], others: list[Verdict]) -> None:
    written = {each.type: each.status for each in conditions(aspects, others)}

    assert {written.get("Reconciling", "True"), written.get("Stalled", "True")} == {"True"}


@given(several)
def test_there_is_one_condition_of_each_type_and_ready_comes_first(aspects: list[Verdict]) -> None:
    types = [each.type for each in conditions(aspects)]

    assert types[0] == "Ready"
    assert len(types) == len(set(types))
    assert set(ASPECTS) <= set(types)


@given(several, several)
def test_a_transition_time_changes_exactly_when_the_status_does(before: list[Verdict], after: list[Verdict]) -> None:
    old = conditions(before)
    new = conditions(after, previous=old, now=NOW + timedelta(hours=1))

    kept = {each.type for each in new if each.last_transition_time == NOW}
    assert kept == {
        each.type for each in new for other in old if (other.type, other.status) == (each.type, each.status)
    }


@given(several, st.lists(verdicts, max_size=1))
def test_the_same_verdicts_later_give_equal_conditions(aspects: list[Verdict], others: list[Verdict]) -> None:
    first = conditions(aspects, others)

    assert conditions(aspects, others, first, NOW + timedelta(days=1)) == first


def test_all_well_is_ready_and_says_so() -> None:
    ready = find(conditions([FINE, FINE, FINE]), ConditionType.READY)

    assert ready is not None
    assert (ready.status, ready.reason, ready.observed_generation) == ("True", "Reconciled", 7)


def test_ready_names_what_is_blocked_before_what_waits() -> None:
    ready = find(conditions([FINE, WAITING, BLOCKED]), ConditionType.READY)

    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("False", "InvalidSpec", "no")


def test_a_blocked_resource_is_stalled_and_not_reconciling() -> None:
    found = conditions([BLOCKED, WAITING, FINE])

    assert is_true(found, ConditionType.STALLED)
    assert find(found, ConditionType.RECONCILING) is None


def test_waiting_is_reconciling_never_stalled() -> None:
    found = conditions([FINE, WAITING, FINE])

    assert is_true(found, ConditionType.RECONCILING)
    assert find(found, ConditionType.STALLED) is None


def test_what_explains_the_others_comes_before_an_aspect_that_is_as_bad() -> None:
    outage = waiting(Reason.CLOUDFLARE_UNAVAILABLE, "Cloudflare does not answer")

    ready = find(conditions([FINE, WAITING, FINE], [outage]), ConditionType.READY)

    assert ready is not None
    assert ready.reason == "CloudflareUnavailable"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (FINE, "True"),
        (WAITING, "False"),
        (BLOCKED, "False"),
        (waiting(Reason.PROGRESSING, "being read"), "Unknown"),
    ],
)
def test_the_status_of_an_aspect_follows_its_verdict(verdict: Verdict, status: str) -> None:
    accepted = find(conditions([verdict, FINE, FINE]), ConditionType.ACCEPTED)

    assert accepted is not None
    assert accepted.status == status


def test_a_very_long_message_is_cut_to_what_a_status_should_carry() -> None:
    ready = find(conditions([blocked(Reason.INVALID_SPEC, "x" * 10_000), FINE, FINE]), ConditionType.READY)

    assert ready is not None
    assert len(ready.message) == 4096


def test_the_worst_verdict_is_the_first_blocked_else_the_first_waiting_else_the_first() -> None:
    other_wait = waiting(Reason.LEAVING, "later")

    assert worst(FINE, other_wait, BLOCKED, WAITING) is BLOCKED
    assert worst(FINE, other_wait, WAITING) is other_wait
    assert worst(FINE, ok(Reason.RESOLVED, "too")) is FINE
