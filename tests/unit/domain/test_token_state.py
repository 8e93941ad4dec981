"""What follows from what Cloudflare says of a token."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mtls_operator.api.conditions import Condition
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.authority_assessment import OperatorCredentials, assess_authority
from mtls_operator.domain.consent import Grant
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from mtls_operator.domain.token_state import TokenState, next_verification, no_remark, remark_on_token
from mtls_operator.domain.verdicts import Outcome, Verdict, blocked, ok
from tests.certificates import make_ca
from tests.unit.domain.binding_records import authority
from tests.unit.domain.binding_surroundings import AROUND, CONTENTS, OF_OPERATOR, assess

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLACE = CredentialKey(SourceKey(SourceKind.SECRET, "apps", "cloudflare"), "token")
USELESS = blocked(Reason.CREDENTIALS_INVALID, "the token is disabled")
WARNING = ok(Reason.CREDENTIALS_EXPIRING, "the token expires soon")


def told_before(reason: Reason) -> Condition:
    return Condition(
        type="ResolvedRefs",
        status="True",
        reason=reason.value,
        message="as said",
        observed_generation=1,
        last_transition_time=NOW,
    )


def remark(state: TokenState | None, before: Condition | None = None) -> tuple[Outcome, str] | None:
    said = remark_on_token(PLACE, state, NOW, before)
    return (said.outcome, said.reason.value) if said else None


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TokenState("active"), None),
        (TokenState(None), None),
        (TokenState("of an unknown kind"), None),
        (TokenState("active", NOW + timedelta(days=8)), None),
        (TokenState("active", NOW + timedelta(days=7)), (Outcome.OK, "CredentialsExpiring")),
        (TokenState("active", NOW + timedelta(seconds=1)), (Outcome.OK, "CredentialsExpiring")),
        (TokenState("active", NOW), (Outcome.BLOCKED, "CredentialsInvalid")),
        (TokenState("disabled"), (Outcome.BLOCKED, "CredentialsInvalid")),
        (TokenState("expired", NOW - timedelta(days=1)), (Outcome.BLOCKED, "CredentialsInvalid")),
    ],
)
def test_only_what_cloudflare_says_in_so_many_words_counts_against_a_token(
    state: TokenState, said: tuple[Outcome, str] | None
) -> None:
    assert remark(state) == said


def test_a_remark_names_the_place_and_the_moment() -> None:
    said = remark_on_token(PLACE, TokenState("active", NOW + timedelta(days=2)), NOW, None)

    assert said is not None
    assert "Secret apps/cloudflare, key token" in said.message
    assert "2026-03-03T12:00:00Z" in said.message


def test_a_warning_stays_as_it_was_until_the_token_has_been_verified_anew() -> None:
    warned, resolved = told_before(Reason.CREDENTIALS_EXPIRING), told_before(Reason.RESOLVED)

    kept = remark_on_token(PLACE, None, NOW, warned)

    assert kept == ok(Reason.CREDENTIALS_EXPIRING, "as said")
    assert [remark(None, resolved), remark(None), remark(TokenState("active"), warned)] == [None, None, None]


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (TokenState("active"), timedelta(days=1)),
        (TokenState(None), timedelta(days=1)),
        (TokenState("active", NOW + timedelta(days=30)), timedelta(days=1)),
        (TokenState("active", NOW + timedelta(days=7, hours=5)), timedelta(hours=5)),
        (TokenState("active", NOW + timedelta(hours=3)), timedelta(hours=3)),
        (TokenState("active", NOW), timedelta(minutes=10)),
        (TokenState("disabled"), timedelta(minutes=10)),
    ],
)
def test_it_is_asked_again_in_a_day_or_when_something_else_is_to_be_said(state: TokenState, after: timedelta) -> None:
    assert next_verification(state, NOW) - NOW == after


@pytest.mark.parametrize(("said", "resolved", "has_target"), [(WARNING, WARNING, True), (USELESS, USELESS, False)])
def test_a_binding_is_told_of_its_token_and_one_of_no_use_leaves_what_is_in_force(
    said: Verdict, resolved: Verdict, has_target: bool
) -> None:
    found = assess(around=replace(AROUND, remark_on_token=lambda _place, _before: said))

    assert (found.resolved, found.target is not None, found.credential) == (resolved, has_target, OF_OPERATOR)


@pytest.mark.parametrize(("said", "is_acted_on"), [(WARNING, True), (USELESS, False), (None, True)])
def test_a_ca_is_told_of_its_token_and_nothing_is_uploaded_with_one_of_no_use(
    said: Verdict | None, is_acted_on: bool
) -> None:
    source = {SourceKey(SourceKind.SECRET, "apps", "ca"): {"ca.crt": make_ca(now=NOW).pem.encode()}}
    operator = OperatorCredentials(OF_OPERATOR, (Grant(),))

    found = assess_authority(authority(), {**CONTENTS, **source}, operator, NOW, lambda _place, _before: said)

    assert found.actionable is not None if is_acted_on else found.actionable is None
    assert found.source.reason == (said.reason if said else Reason.RESOLVED)


def test_where_nobody_verifies_nothing_is_said() -> None:
    assert no_remark(PLACE, None) is None
