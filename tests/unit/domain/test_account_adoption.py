"""CAs that may not adopt what is not marked, and CAs whose certificate is to stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.account_steps import ReadCertificates
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.authority_status import AuthorityView, authority_status
from mtls_operator.domain.observed import Certificate
from mtls_operator.domain.verdicts import Verdict, ok, waiting
from tests.unit.domain.account_demands import (
    ANNOUNCED,
    CA,
    DELETED,
    DELETED_ANNOUNCED,
    HAS_ONE,
    LET_GO,
    NOW,
    OTHERS,
    READ,
    SEND,
    STARTED,
    TAKE,
    TWO,
    USER,
    WANTED,
    WINDOW,
    listed,
    plan,
    steps,
    uploaded,
    waits_until,
)
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE, authority, metadata

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
FINE = AuthorityAssessment(ok(Reason.ACCEPTED, ""), ok(Reason.RESOLVED, ""), None, None)
NEVER = replace(WANTED, adopts=False)
UNMARKED = uploaded(owner=None)
OUTAGE = waiting(Reason.CLOUDFLARE_UNAVAILABLE, "Cloudflare does not answer.")


def test_what_may_not_be_adopted_is_said_and_looked_at_again_after_a_window() -> None:
    found = plan(NEVER, known=listed(UNMARKED))

    assert (found.steps, found.not_adopted) == ((), {CA: UNMARKED})
    assert found.wake_at == NOW - 1 + WINDOW


def test_what_may_not_be_adopted_is_said_on_while_it_is_being_looked_at_again() -> None:
    found = plan(NEVER, known=listed(UNMARKED), now=NOW - 1 + WINDOW)

    assert (found.steps, found.not_adopted) == ((ReadCertificates(CA),), {CA: UNMARKED})


@pytest.mark.parametrize(
    ("owner", "taken"), [("cluster-0", TAKE), (OTHERS, TAKE)], ids=["ours", "of another installation"]
)
def test_what_carries_a_mark_is_used_whatever_the_policy(owner: str, taken: object) -> None:
    assert steps(NEVER, known=listed(uploaded(owner=owner), replace(UNMARKED, id=OTHER_CERTIFICATE))) == taken


def test_a_missing_bundle_is_uploaded_whatever_the_policy() -> None:
    assert steps(NEVER, known=listed()) == SEND
    assert steps(NEVER, known=listed(uploaded(TWO, OTHER_CERTIFICATE, owner=None))) == SEND


def test_a_certificate_in_force_stays_in_force_whatever_the_policy() -> None:
    assert plan(replace(HAS_ONE, adopts=False), known=listed(UNMARKED)).not_adopted == {}


def test_what_somebody_else_made_of_a_bundle_that_was_announced_before_is_not_taken_either() -> None:
    announced = replace(ANNOUNCED, bundle=TWO, adopts=False)

    assert steps(announced, known=listed(UNMARKED), now=NOW + WINDOW) == READ
    assert steps(replace(DELETED_ANNOUNCED, adopts=False), known=listed(UNMARKED)) == LET_GO


def ready(view: AuthorityView, *, retain: bool = False, has: bool = False) -> tuple[str, str, str]:
    record = authority(
        spec={"deletionPolicy": "Retain"} if retain else None,
        status={"certificateId": CERTIFICATE} if has else None,
        meta=metadata("ca", deleting=retain),
    )
    found = find(authority_status(record, view, MOMENT).conditions, ConditionType.READY)
    assert found is not None
    return found.status, found.reason, found.message


@pytest.mark.parametrize("has", [False, True], ids=["nothing in force", "an earlier one in force"])
@pytest.mark.parametrize("name", ["by hand", ""])
def test_a_refused_adoption_names_the_certificate_and_the_ways_out(*, has: bool, name: str) -> None:
    certificate = Certificate(CERTIFICATE, name, "pem")

    status, reason, message = ready(AuthorityView(FINE, not_adopted=certificate), has=has)

    assert (status, reason) == ("False", "AdoptionRefused")
    assert f"certificate {CERTIFICATE} ({name or 'without a name'})" in message
    assert "IfIdentical" in message


@pytest.mark.parametrize(("generation", "reason"), [(3, "AdoptionRefused"), (4, "Progressing")])
def test_a_new_process_leaves_what_was_said_of_this_spec_until_it_has_listed_the_account(
    generation: int, reason: str
) -> None:
    certificate = Certificate(CERTIFICATE, "by hand", "pem")
    record = authority(meta=metadata("ca"))
    before = authority_status(record, AuthorityView(FINE, not_adopted=certificate), MOMENT)
    again = replace(record, metadata=metadata("ca", generation=generation), status=before)

    found = find(authority_status(again, AuthorityView(FINE), MOMENT).conditions, ConditionType.UPLOADED)
    listed_now = find(
        authority_status(again, AuthorityView(FINE, occupants=()), MOMENT).conditions, ConditionType.UPLOADED
    )

    assert found is not None
    assert listed_now is not None
    assert (found.reason, listed_now.reason) == (reason, "Progressing")


def test_a_retained_certificate_stays_when_no_binding_uses_it_any_more() -> None:
    retained = replace(DELETED, retains=True)

    assert steps(retained, known=listed(uploaded())) == LET_GO
    assert steps(replace(retained, used_by=(USER,)), known=listed(uploaded())) == ()


def test_a_certificate_that_was_uploaded_a_moment_ago_is_let_go_of_when_listings_show_it() -> None:
    retained = replace(DELETED, retains=True)
    new = STARTED.with_uploaded("t", uploaded(), NOW - 10)

    assert plan(retained, known=new) == waits_until(NOW - 10 + WINDOW)
    assert steps(retained, known=new, now=NOW - 10 + WINDOW) == LET_GO


def test_an_upload_whose_outcome_is_not_known_is_settled_before_it_is_retained() -> None:
    assert steps(replace(DELETED_ANNOUNCED, retains=True), known=listed(uploaded(), begun=NOW - 1)) == TAKE


@pytest.mark.parametrize(
    ("trouble", "reason", "words"),
    [(None, "Deleting", "the certificate stays"), (OUTAGE, "Deleting", "the certificate stays")],
)
def test_a_retained_ca_says_that_its_certificate_stays(trouble: Verdict | None, reason: str, words: str) -> None:
    _, told, message = ready(AuthorityView(FINE, trouble=trouble), retain=True, has=True)

    assert (told, words in message) == (reason, True)
