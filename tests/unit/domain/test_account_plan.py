"""How a CA gets its certificate, row by row; whole histories are in test_account_histories.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_plan import AccountPlan
from mtls_operator.domain.account_steps import (
    AccountStep,
    ConfirmGone,
    ReadCertificates,
    RecordCertificate,
    RecordPendingUpload,
    authority_of_step,
)
from mtls_operator.domain.observed import Certificate
from mtls_operator.domain.records import AddFinalizer
from mtls_operator.domain.rotation import Standing
from mtls_operator.domain.zone_places import Timing
from tests.unit.domain.account_demands import (
    ADOPT,
    ANNOUNCED,
    BOTH,
    CA,
    DELETED,
    HAS_ONE,
    NOW,
    ONE,
    OTHERS,
    READ,
    SEND,
    STARTED,
    TAKE,
    TWIN,
    TWO,
    USER,
    WANTED,
    WINDOW,
    listed,
    plan,
    sent,
    steps,
    uploaded,
    waits_until,
)
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE
from tests.unit.domain.simulated_account import failures


@pytest.mark.parametrize(
    "known",
    [
        STARTED,
        listed(begun=NOW - 10.1),
        STARTED.with_listing("another token", (uploaded(),), NOW),
        listed().with_listings_forgotten(),
    ],
    ids=["never", "too long ago", "by another token", "forgotten"],
)
def test_an_account_that_the_token_has_not_listed_just_now_is_listed_first(known: AccountKnowledge) -> None:
    assert plan(WANTED, known=known) == AccountPlan(READ, None)


@pytest.mark.parametrize("demand", [WANTED, ANNOUNCED, HAS_ONE, replace(HAS_ONE, bundle=TWO), DELETED])
def test_under_an_owner_id_that_is_used_twice_an_account_is_listed_when_a_look_is_due_and_nothing_else(
    demand: Demand,
) -> None:
    halted, looked = replace(demand, halted=True), listed(begun=NOW - 100)

    assert plan(halted) == AccountPlan(READ, NOW + WINDOW)
    assert plan(halted, known=looked) == AccountPlan((), NOW + WINDOW)
    assert steps(halted, known=replace(looked, doubted=NOW - 50)) == READ


def test_a_missing_bundle_is_announced_and_uploaded_by_a_resource_that_is_held() -> None:
    taken = steps(replace(WANTED, has_finalizer=False), known=listed())

    assert taken == (AddFinalizer(CA), *SEND)
    assert {authority_of_step(each) for each in taken} == {CA}
    assert steps(WANTED, known=listed()) == SEND
    assert steps(ANNOUNCED, known=listed()) == SEND[1:]


@pytest.mark.parametrize(
    ("certificate", "taken"),
    [
        (uploaded(), TAKE),
        (uploaded(owner=OTHERS), TAKE),
        (uploaded(owner=None), ADOPT),
        (replace(uploaded(owner=None), type="custom"), ADOPT),
    ],
    ids=["ours", "of another installation", "without a mark", "of a type of its own"],
)
def test_identical_certificates_are_used_and_their_name_says_whose_they_are(
    certificate: Certificate, taken: tuple[AccountStep, ...]
) -> None:
    assert steps(WANTED, known=listed(certificate)) == taken
    assert steps(replace(WANTED, has_finalizer=False), known=listed(certificate)) == (AddFinalizer(CA), *taken)


def test_certificates_are_compared_and_never_text_or_order() -> None:
    demand = replace(WANTED, bundle=BOTH)
    there = replace(uploaded(), pem="# normalised\n" + TWO.pem + ONE.pem.replace("\n", "\r\n"))

    (step,) = steps(demand, known=listed(there))

    assert isinstance(step, RecordCertificate)
    assert step.certificate_id == CERTIFICATE


@pytest.mark.parametrize(
    "certificate",
    [
        uploaded(TWO),
        uploaded(BOTH),
        replace(uploaded(), pem="junk"),
        replace(uploaded(), ca=False),
        replace(uploaded(), type="gateway_managed"),
        replace(uploaded(), type="access_managed"),
    ],
    ids=["another", "more", "unreadable", "client certificate", "of Gateway", "of Access"],
)
def test_what_is_not_the_same_or_not_to_be_had_is_passed_over(certificate: Certificate) -> None:
    assert steps(WANTED, known=listed(certificate)) == SEND


@pytest.mark.parametrize("order", [1, -1], ids=["ours first", "ours last"])
def test_of_two_identical_ones_ours_is_used(order: int) -> None:
    there = (uploaded(), uploaded(certificate_id=OTHER_CERTIFICATE, owner=None))[::order]

    assert steps(WANTED, known=listed(*there)) == TAKE


def test_what_we_deleted_is_not_taken_up_again_from_an_old_listing() -> None:
    known = listed(uploaded(), known=STARTED.with_gone(CERTIFICATE))

    assert steps(WANTED, known=known) == SEND


def test_one_of_ours_that_the_process_before_us_may_have_deleted_is_relied_on_a_window_after_the_start() -> None:
    known = listed(uploaded(), begun=84.0)

    assert plan(WANTED, known=known, now=85.0) == waits_until(90.0)
    assert plan(WANTED, known=known, now=90.0) == AccountPlan(READ, None)
    assert steps(WANTED, known=listed(uploaded(), begun=90.0), now=91.0) == TAKE


def test_one_of_ours_that_another_ca_uses_is_relied_on_at_once() -> None:
    twin = replace(HAS_ONE, authority=TWIN)

    assert steps(WANTED, twin, known=listed(uploaded(), begun=4.0), now=5.0) == TAKE
    assert (
        steps(WANTED, replace(twin, deleting=True, used_by=(USER,)), known=listed(uploaded(), begun=4.0), now=5.0) == ()
    )


def test_what_this_process_uploaded_is_relied_on_at_once_also_just_after_its_start() -> None:
    known = listed(begun=4.0).with_uploaded("t", uploaded(), 6.0)

    assert steps(ANNOUNCED, known=known, now=7.0) == TAKE


def test_what_was_answered_and_is_not_listed_yet_is_looked_for_and_not_sent_again() -> None:
    known = listed(begun=999.0).with_uploaded("t", uploaded(), NOW).with_listing("t", (), 1020.0)

    assert plan(ANNOUNCED, known=known, now=1021.0) == waits_until(1030.0)


def test_an_upload_makes_the_rest_of_the_listing_no_younger() -> None:
    known = listed(begun=990.0).with_uploaded("t", uploaded(TWO), NOW)

    assert steps(WANTED, known=known, now=1000.5) == READ


def test_an_answer_without_a_listing_before_it_is_what_is_known() -> None:
    known = STARTED.with_uploaded("t", replace(uploaded(), pem="not given back"), NOW)

    assert known.listed_by("t") == (replace(uploaded(), pem="not given back"),)
    assert known.listed_by("another token") == ()
    assert known.sent == {}


def test_a_lost_upload_is_looked_for_with_growing_pauses_until_it_cannot_be_under_way_and_sent_again() -> None:
    sent = STARTED.with_upload_lost(ONE.fingerprint, 900.0)

    assert plan(ANNOUNCED, known=sent, now=900.0).steps == READ
    assert plan(ANNOUNCED, known=listed(begun=900.5, known=sent), now=901.0) == waits_until(901.5)
    assert plan(ANNOUNCED, known=listed(begun=930.0, known=sent), now=931.0) == waits_until(945.0)
    assert plan(ANNOUNCED, known=listed(begun=1045.0, known=sent), now=1046.0) == waits_until(1050.0)
    assert plan(ANNOUNCED, known=listed(begun=1045.0, known=sent), now=1050.0).steps == READ
    assert plan(ANNOUNCED, known=listed(begun=1050.0, known=sent), now=1051.0).steps == SEND[1:]


def test_what_was_answered_is_under_way_no_more_and_missing_when_a_window_has_passed() -> None:
    lost = STARTED.with_upload_lost(ONE.fingerprint, 900.0)
    exists = lost.with_upload_existing(ONE.fingerprint, 901.0)
    uploaded_since = lost.with_uploaded("t", uploaded(), 901.0)

    assert steps(ANNOUNCED, known=listed(begun=991.0, known=exists), now=992.0) == SEND[1:]
    assert steps(ANNOUNCED, known=listed(begun=991.0, known=uploaded_since), now=992.0) == SEND[1:]
    assert steps(ANNOUNCED, known=listed(begun=991.0, known=lost), now=992.0) == ()
    failed = STARTED.with_upload_lost(ONE.fingerprint, 900.0, is_under_way=False)
    assert steps(ANNOUNCED, known=listed(begun=991.0, known=failed), now=992.0) == SEND[1:]


def test_what_another_ca_left_is_looked_for_until_a_listing_can_show_it() -> None:
    left = STARTED.with_left(CERTIFICATE, ONE.fingerprint, 900.0)

    assert plan(ANNOUNCED, known=listed(begun=930.0, known=left), now=931.0) == waits_until(945.0)
    assert plan(ANNOUNCED, known=listed(begun=990.0, known=left), now=991.0).steps == SEND[1:]


def test_a_ca_that_had_no_certificate_or_whose_certificate_is_gone_leaves_nothing() -> None:
    gone = STARTED.with_gone(CERTIFICATE)

    assert STARTED.with_left(None, ONE.fingerprint, 900.0) == STARTED
    assert gone.with_left(CERTIFICATE, ONE.fingerprint, 900.0) == gone


def test_since_when_nobody_may_ask_who_uses_a_certificate_is_remembered() -> None:
    denied = STARTED.with_use_denied(CERTIFICATE, 900.0).with_use_denied(CERTIFICATE, 950.0)

    assert denied.use_denied == {CERTIFICATE: (900.0, 950.0)}
    assert denied.with_use_denied(CERTIFICATE, 9_000.0).use_denied == {CERTIFICATE: (9_000.0, 9_000.0)}
    assert denied.with_use_told(CERTIFICATE).use_denied == {}


def test_a_listing_from_before_the_upload_is_repeated_at_once() -> None:
    sent = listed(begun=999.0, known=STARTED.with_upload_lost(ONE.fingerprint, 999.5))

    assert steps(ANNOUNCED, known=sent) == READ


def test_a_bundle_that_another_ca_relies_on_is_missing_only_a_window_after_the_start() -> None:
    twin = replace(HAS_ONE, authority=TWIN)

    assert steps(WANTED, twin, known=listed(begun=5.0), now=5.5) == ()
    assert steps(WANTED, twin, known=listed(begun=90.0), now=91.0) == (*SEND, ConfirmGone(TWIN, CERTIFICATE))
    assert steps(WANTED, replace(twin, bundle=None), known=listed(begun=5.0), now=5.5) == ()
    other = replace(twin, standing=Standing(in_force=TWO.fingerprints))
    assert steps(WANTED, other, known=listed(begun=5.0), now=5.5) == SEND


def test_two_cas_of_the_same_bundle_upload_it_once() -> None:
    assert steps(WANTED, replace(WANTED, authority=TWIN), known=listed()) == SEND


def test_two_cas_of_different_bundles_upload_both() -> None:
    twin = replace(WANTED, authority=TWIN, bundle=TWO, display_name="twin")

    assert steps(WANTED, twin, known=listed()) == (
        *SEND,
        RecordPendingUpload(TWIN, TWO),
        sent(TWIN, TWO, "twin"),
    )


def test_without_a_slot_nothing_is_sent_and_it_is_tried_again_after_a_window() -> None:
    assert plan(WANTED, known=listed(uploaded(TWO)), limit=1) == AccountPlan(
        (), NOW + WINDOW, without_slot=frozenset({CA})
    )


def test_that_there_is_no_slot_is_said_until_another_listing_tells_otherwise() -> None:
    again = plan(WANTED, known=listed(uploaded(TWO)), now=NOW + WINDOW, limit=1)
    with_its_own_there = plan(WANTED, known=listed(uploaded(ONE)), now=NOW + WINDOW, limit=1)

    assert again == AccountPlan(READ, None, without_slot=frozenset({CA}))
    assert with_its_own_there == AccountPlan(READ, None)


def test_an_upload_takes_the_slot_of_the_next() -> None:
    twin = replace(WANTED, authority=TWIN, bundle=TWO)

    found = plan(WANTED, twin, known=listed(), limit=1)

    assert (found.steps, found.without_slot) == (SEND, frozenset({TWIN}))


def test_what_does_not_occupy_a_slot_is_not_counted() -> None:
    others = uploaded(TWO, OTHER_CERTIFICATE)
    there = (replace(others, ca=False), replace(others, type="gateway_managed"), replace(others, type="access_managed"))

    assert plan(WANTED, known=listed(*there), limit=1).steps == SEND


def test_what_is_deleted_frees_its_slot_also_while_it_is_still_listed() -> None:
    known = listed(uploaded(TWO), known=STARTED.with_gone(CERTIFICATE))

    assert plan(WANTED, known=known, limit=1).steps == SEND


CHANGED = replace(ANNOUNCED, bundle=TWO)


def test_what_was_announced_before_the_source_changed_is_used_when_it_is_found() -> None:
    assert steps(CHANGED, known=listed(uploaded())) == TAKE
    assert steps(CHANGED, known=listed(uploaded(), uploaded(TWO, OTHER_CERTIFICATE))) == TAKE


def test_what_was_announced_before_the_source_changed_is_looked_for_before_anything_else_is_sent() -> None:
    before = STARTED.with_upload_lost(ONE.fingerprint, 950.0)
    resend = (RecordPendingUpload(CA, TWO), sent(CA, TWO))

    assert plan(CHANGED, known=listed(begun=999.0, known=before)) == waits_until(1023.5)
    assert steps(CHANGED, known=listed(begun=1100.0, known=before), now=1101.0) == resend
    assert steps(CHANGED, known=listed()) == resend


def test_what_was_announced_and_may_be_gone_is_waited_for() -> None:
    assert plan(CHANGED, known=listed(uploaded(), begun=84.0), now=85.0) == waits_until(90.0)


def test_the_new_source_is_not_sent_while_another_ca_may_just_have_sent_it() -> None:
    sent = STARTED.with_upload_lost(TWO.fingerprint, 950.0)

    assert steps(CHANGED, known=listed(begun=999.0, known=sent)) == ()


def test_a_ca_with_its_certificate_needs_nothing_but_to_be_held() -> None:
    assert plan(HAS_ONE) == AccountPlan((), None)
    assert steps(replace(HAS_ONE, bundle=None, has_finalizer=False)) == (AddFinalizer(CA),)


def test_a_ca_without_a_bundle_to_act_on_waits() -> None:
    assert plan(replace(ANNOUNCED, bundle=None)) == AccountPlan((), None)


def test_two_cas_with_one_token_read_for_both() -> None:
    assert steps(WANTED, replace(WANTED, authority=TWIN)) == (*READ, ReadCertificates(TWIN))


@pytest.mark.histories
@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_no_history_of_a_crowded_account_leaves_anything_behind_or_wakes_in_vain(first: int) -> None:
    assert dict(failures(range(first, first + 250))) == {}


def test_one_whose_deletion_nobody_has_answered_is_relied_on_when_that_cannot_come_any_more() -> None:
    lost = STARTED.with_uploaded("t", uploaded(), 100.0).with_deletion_lost(CERTIFICATE, 500.0)
    settled = 500.0 + Timing(window=WINDOW, settle=WINDOW).slow_call + WINDOW

    assert plan(WANTED, known=listed(uploaded(), begun=501.0, known=lost), now=502.0) == waits_until(settled)
    assert steps(WANTED, known=listed(uploaded(), begun=settled, known=lost), now=settled + 1) == TAKE
