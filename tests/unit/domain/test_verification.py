"""Who asks for a hostname, what the answers mean, and what is said of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.verdicts import Outcome
from mtls_operator.domain.verification import (
    ALWAYS,
    Answer,
    Answered,
    Caller,
    Effect,
    Finding,
    HostForm,
    NotContacted,
    Question,
    Refusal,
    RefusedInHandshake,
    Unanswered,
    interpret,
    judge,
    questions_about,
)

HOST = "api.example.com"
PLAIN = Question(HOST, Caller.WITHOUT)
DOTTED = Question(HOST, Caller.WITHOUT, HostForm.TRAILING_DOT)
GOOD = Question(HOST, Caller.GOOD)
DEFAULT = [Refusal()]
CUSTOM = [Refusal(451, "application/json")]


def found(question: Question, effect: Effect, seen: str = "seen") -> Finding:
    return Finding(question, effect, seen)


BLOCKED = [found(each, Effect.BLOCKED) for each in questions_about(HOST, ALWAYS)]
PASSED = found(GOOD, Effect.LET_THROUGH)


def test_bad_clients_ask_first_then_odd_forms_of_the_name_and_the_good_client_last() -> None:
    asked = [(each.caller, each.host) for each in questions_about(HOST, frozenset(Caller))]

    assert asked == [
        (Caller.WITHOUT, HOST),
        (Caller.SELF_SIGNED, HOST),
        (Caller.STRANGER, HOST),
        (Caller.REVOKED, HOST),
        (Caller.WITHOUT, "API.EXAMPLE.COM"),
        (Caller.WITHOUT, "api.example.com."),
        (Caller.WITHOUT, "api.example.com:443"),
        (Caller.WITHOUT, "api.example.com.:443"),
        (Caller.GOOD, HOST),
    ]


def test_clients_that_are_not_there_do_not_ask() -> None:
    assert {each.caller for each in questions_about(HOST, ALWAYS)} == ALWAYS


def test_only_the_good_client_should_pass() -> None:
    assert [each.caller for each in questions_about(HOST, frozenset(Caller)) if each.should_pass] == [Caller.GOOD]


MEANINGS = [
    (PLAIN, Answered(403), DEFAULT, Effect.BLOCKED),
    (PLAIN, Answered(403, "text/html"), DEFAULT, Effect.BLOCKED),
    (PLAIN, Answered(403, by_edge=False), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(403, challenged=True), DEFAULT, Effect.UNKNOWN),
    (PLAIN, Answered(200), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(301), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(401), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(404), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(400), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(421), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(429), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(503), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(522), DEFAULT, Effect.LET_THROUGH),
    (PLAIN, Answered(403), CUSTOM, Effect.LET_THROUGH),
    (PLAIN, Answered(451, "application/json"), CUSTOM, Effect.BLOCKED),
    (PLAIN, Answered(451, "Application/JSON; charset=utf-8"), CUSTOM, Effect.BLOCKED),
    (PLAIN, Answered(451, "text/html"), CUSTOM, Effect.LET_THROUGH),
    (PLAIN, Answered(451), CUSTOM, Effect.LET_THROUGH),
    (PLAIN, Answered(403), [*CUSTOM, *DEFAULT], Effect.BLOCKED),
    (PLAIN, RefusedInHandshake("unknown CA"), DEFAULT, Effect.BLOCKED),
    (PLAIN, Unanswered("silence"), DEFAULT, Effect.UNKNOWN),
    (PLAIN, NotContacted("10.0.0.1", "private"), DEFAULT, Effect.NOT_CONTACTED),
    (DOTTED, Answered(403), DEFAULT, Effect.BLOCKED),
    (DOTTED, Answered(400), DEFAULT, Effect.NOT_SERVED),
    (DOTTED, Answered(421), DEFAULT, Effect.NOT_SERVED),
    (DOTTED, Answered(404), DEFAULT, Effect.LET_THROUGH),
    (GOOD, Answered(200), DEFAULT, Effect.LET_THROUGH),
    (GOOD, Answered(403), DEFAULT, Effect.BLOCKED),
]


@pytest.mark.parametrize(("question", "answer", "refusals", "effect"), MEANINGS, ids=str)
def test_an_answer_means(question: Question, answer: Answer, refusals: Sequence[Refusal], effect: Effect) -> None:
    assert interpret(question, answer, refusals).effect is effect


answers = st.one_of(
    st.builds(Answered, st.integers(100, 599), st.sampled_from([None, "text/html"]), st.booleans(), st.booleans()),
    st.builds(RefusedInHandshake, st.just("unknown CA")),
    st.builds(Unanswered, st.just("silence")),
    st.builds(NotContacted, st.just("10.0.0.1"), st.just("private")),
)
forms = st.sampled_from(HostForm)


@given(forms, answers)
def test_nothing_but_a_block_counts_as_one(form: HostForm, answer: Answer) -> None:
    is_block = isinstance(answer, RefusedInHandshake) or (
        isinstance(answer, Answered) and answer.status == 403 and answer.by_edge and not answer.challenged
    )

    finding = interpret(Question(HOST, Caller.WITHOUT, form), answer, DEFAULT)

    assert (finding.effect is Effect.BLOCKED) == is_block


@given(answers)
def test_a_bad_client_under_the_plain_name_is_right_when_blocked_wrong_when_through_and_else_tells_nothing(
    answer: Answer,
) -> None:
    finding = interpret(PLAIN, answer, DEFAULT)

    expected = {Effect.BLOCKED: True, Effect.LET_THROUGH: False}.get(finding.effect)
    assert finding.is_as_it_should_be is expected


def test_a_redirect_an_alert_and_a_wrong_sender_are_told_as_such() -> None:
    seen = [
        interpret(PLAIN, answer, DEFAULT).seen
        for answer in (Answered(301), RefusedInHandshake("unknown CA"), Answered(403, by_edge=False), Answered(200))
    ]

    assert seen == ["HTTP 301, a redirect", "TLS alert: unknown CA", "HTTP 403, but not from Cloudflare", "HTTP 200"]


VERDICTS = [
    ([*BLOCKED, PASSED], Reason.VERIFIED, Outcome.OK, "1 hostname(s)"),
    (BLOCKED, Reason.VERIFIED, Outcome.OK, "No good client was tried"),
    ([*BLOCKED, found(DOTTED, Effect.NOT_SERVED)], Reason.VERIFIED, Outcome.OK, "was refused"),
    (
        [*BLOCKED, found(PLAIN, Effect.LET_THROUGH, "HTTP 200")],
        Reason.BAD_CLIENT_ADMITTED,
        Outcome.BLOCKED,
        "a client without a certificate, at api.example.com (HTTP 200)",
    ),
    (
        [found(DOTTED, Effect.LET_THROUGH), found(GOOD, Effect.BLOCKED)],
        Reason.HOST_VARIANT_OPEN,
        Outcome.BLOCKED,
        "as api.example.com., at api.example.com (seen). Set hostMatch to Tolerant",
    ),
    ([*BLOCKED, found(GOOD, Effect.BLOCKED)], Reason.GOOD_CLIENT_REFUSED, Outcome.OK, "spec.verification.path"),
    (
        [*BLOCKED, found(PLAIN, Effect.NOT_CONTACTED, "10.0.0.1 is private"), found(PLAIN, Effect.UNKNOWN)],
        Reason.VERIFICATION_REFUSED,
        Outcome.OK,
        "api.example.com (10.0.0.1 is private)",
    ),
    (
        [*BLOCKED, found(PLAIN, Effect.UNKNOWN, "silence"), PASSED],
        Reason.TARGET_UNREACHABLE,
        Outcome.OK,
        "api.example.com (silence)",
    ),
    (
        [found(DOTTED, Effect.LET_THROUGH), found(PLAIN, Effect.LET_THROUGH), found(PLAIN, Effect.UNKNOWN)],
        Reason.BAD_CLIENT_ADMITTED,
        Outcome.BLOCKED,
        "got through",
    ),
    ([found(GOOD, Effect.BLOCKED), found(PLAIN, Effect.UNKNOWN)], Reason.GOOD_CLIENT_REFUSED, Outcome.OK, "refused:"),
]


@pytest.mark.parametrize(("findings", "reason", "outcome", "said"), VERDICTS)
def test_the_worst_finding_is_said(findings: Sequence[Finding], reason: Reason, outcome: Outcome, said: str) -> None:
    verdict = judge(findings)

    assert (verdict.reason, verdict.outcome) == (reason, outcome)
    assert said in verdict.message


def test_who_could_not_ask_is_said_where_all_else_is_well() -> None:
    assert "Not tried: the good one, because it is gone" in judge(BLOCKED, ["the good one, because it is gone"]).message


def test_of_many_findings_some_are_named_and_the_rest_is_counted() -> None:
    many = [found(Question(f"h{number}.example.com", Caller.WITHOUT), Effect.LET_THROUGH) for number in range(13)]

    message = judge(many).message

    assert "h9.example.com" in message
    assert "h10.example.com" not in message
    assert "and 3 more" in message


@given(st.permutations([*BLOCKED, found(PLAIN, Effect.LET_THROUGH), PASSED]))
def test_a_bad_client_that_gets_through_is_never_called_verified_in_whatever_order(findings: list[Finding]) -> None:
    assert judge(findings).reason is Reason.BAD_CLIENT_ADMITTED
