"""How a CA that is deleted is let go and its certificate is removed, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_plan import AccountPlan
from mtls_operator.domain.account_steps import (
    AccountStep,
    ConfirmGone,
    DeleteCertificate,
    RecordCertificate,
)
from mtls_operator.domain.marks import certificate_name
from mtls_operator.domain.observed import Certificate
from mtls_operator.domain.rotation import Retiring
from tests.unit.domain.account_demands import (
    BOTH,
    CA,
    DELETED,
    DELETED_ANNOUNCED,
    HAS_ONE,
    LET_GO,
    NOW,
    ONE,
    OTHERS,
    READ,
    STARTED,
    TAKE,
    TWIN,
    TWO,
    US,
    USER,
    WANTED,
    listed,
    plan,
    steps,
    uploaded,
    waits_until,
)
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE


@pytest.mark.parametrize(
    "demand",
    [replace(DELETED, used_by=(USER,)), replace(DELETED, has_finalizer=False)],
    ids=["used by a binding", "not held"],
)
def test_a_deleted_ca_that_is_used_or_not_held_is_left_alone(demand: Demand) -> None:
    assert plan(demand) == AccountPlan((), None)


FORGOTTEN = replace(WANTED, deleting=True)
BY_ANOTHER_NAME = replace(uploaded(TWO), name=certificate_name("else", TWO.fingerprint, US))
LOST = [
    (FORGOTTEN, uploaded(), TAKE),
    (replace(FORGOTTEN, bundle=None), uploaded(), TAKE),
    (FORGOTTEN, uploaded(BOTH), (RecordCertificate(CA, CERTIFICATE, Ownership.CREATED, BOTH),)),
    (
        replace(FORGOTTEN, named_by_users=frozenset({CERTIFICATE})),
        BY_ANOTHER_NAME,
        (RecordCertificate(CA, CERTIFICATE, Ownership.CREATED, TWO),),
    ),
    (FORGOTTEN, BY_ANOTHER_NAME, LET_GO),
    (FORGOTTEN, uploaded(owner=OTHERS), LET_GO),
    (FORGOTTEN, uploaded(owner=None), LET_GO),
]


@pytest.mark.parametrize(
    ("demand", "there", "expected"),
    LOST,
    ids=[
        "of its source",
        "source gone",
        "of its name",
        "of its bindings",
        "of another CA",
        "of another installation",
        "of nobody",
    ],
)
def test_a_deleted_ca_that_may_have_lost_its_status_finds_what_is_its_own_before_it_is_let_go(
    demand: Demand, there: Certificate, expected: tuple[AccountStep, ...]
) -> None:
    assert steps(demand) == READ
    assert steps(demand, known=listed(there)) == expected


def test_what_another_ca_of_the_cluster_has_is_not_its_own() -> None:
    assert steps(FORGOTTEN, replace(HAS_ONE, authority=TWIN), known=listed(uploaded())) == LET_GO


def test_of_several_objects_that_are_its_own_the_one_of_its_source_becomes_current_and_the_others_earlier() -> None:
    earlier = Retiring(frozenset(), NOW, certificate_id=CERTIFICATE)
    known = listed(uploaded(BOTH, CERTIFICATE), uploaded(ONE, OTHER_CERTIFICATE))

    assert steps(FORGOTTEN, known=known) == (
        RecordCertificate(CA, OTHER_CERTIFICATE, Ownership.CREATED, ONE, (earlier,)),
    )


def test_of_several_objects_the_one_becomes_current_that_bindings_are_on_as_long_as_there_are_any() -> None:
    known = listed(uploaded(ONE, CERTIFICATE), uploaded(BOTH, OTHER_CERTIFICATE))
    named = replace(FORGOTTEN, named_by_users=frozenset({OTHER_CERTIFICATE}))
    of_source, of_bindings = (
        Retiring(frozenset(), NOW, certificate_id=each) for each in (CERTIFICATE, OTHER_CERTIFICATE)
    )

    assert steps(replace(named, used_by=(USER,)), known=known) == (
        RecordCertificate(CA, OTHER_CERTIFICATE, Ownership.CREATED, BOTH, (of_source,)),
    )
    assert steps(named, known=known) == (RecordCertificate(CA, CERTIFICATE, Ownership.CREATED, ONE, (of_bindings,)),)


def test_of_several_objects_that_bindings_are_on_the_one_of_the_source_becomes_current() -> None:
    known = listed(uploaded(BOTH, CERTIFICATE), uploaded(ONE, OTHER_CERTIFICATE))
    used = replace(FORGOTTEN, used_by=(USER,), named_by_users=frozenset({CERTIFICATE, OTHER_CERTIFICATE}))
    earlier = Retiring(frozenset(), NOW, certificate_id=CERTIFICATE)

    assert steps(used, known=known) == (RecordCertificate(CA, OTHER_CERTIFICATE, Ownership.CREATED, ONE, (earlier,)),)


def test_what_may_have_been_deleted_by_the_process_before_is_not_recorded_yet() -> None:
    assert plan(FORGOTTEN, known=listed(uploaded(), begun=84.0), now=85.0) == waits_until(90.0)


def test_a_deleted_ca_that_may_have_lost_its_status_is_let_go_a_window_after_the_start() -> None:
    without_source = replace(FORGOTTEN, bundle=None)

    assert plan(without_source, known=listed(begun=89.0), now=89.5) == waits_until(90.0)
    assert steps(without_source, known=listed(begun=90.0), now=91.0) == LET_GO


def test_a_deleted_ca_that_may_have_lost_its_status_is_looked_for_while_it_is_used_and_stays() -> None:
    used = replace(FORGOTTEN, used_by=(USER,))

    assert steps(used) == READ
    assert plan(used, known=listed()) == AccountPlan((), None)
    assert steps(replace(used, retains=True), known=listed(uploaded())) == TAKE
    assert steps(replace(FORGOTTEN, retains=True)) == LET_GO


def test_an_announced_upload_is_looked_for_before_its_ca_is_let_go() -> None:
    sent = STARTED.with_upload_lost(ONE.fingerprint, 950.0)

    assert steps(DELETED_ANNOUNCED, known=sent) == READ
    assert steps(DELETED_ANNOUNCED, known=listed(uploaded(), known=sent)) == TAKE
    assert plan(DELETED_ANNOUNCED, known=listed(begun=999.0, known=sent)) == waits_until(1023.5)
    assert steps(DELETED_ANNOUNCED, known=listed(begun=1100.0, known=sent), now=1101.0) == LET_GO


def test_an_announcement_of_the_process_before_us_is_looked_for_until_a_window_after_the_start() -> None:
    assert plan(DELETED_ANNOUNCED, known=listed(begun=89.0), now=89.5) == waits_until(90.0)
    assert plan(DELETED_ANNOUNCED, known=listed(uploaded(), begun=84.0), now=85.0) == waits_until(90.0)
    assert steps(DELETED_ANNOUNCED, known=listed(begun=90.0), now=91.0) == LET_GO


TWINS = [
    (replace(HAS_ONE, authority=TWIN), LET_GO),
    (replace(DELETED, authority=TWIN, used_by=(USER,)), LET_GO),
    (replace(DELETED, authority=TWIN, has_finalizer=False), (DeleteCertificate(CA, CERTIFICATE),)),
    (replace(HAS_ONE, authority=TWIN, certificate_id=OTHER_CERTIFICATE), (DeleteCertificate(CA, CERTIFICATE),)),
]


@pytest.mark.parametrize(
    ("twin", "expected"), TWINS, ids=["stays", "goes, but is used", "goes too", "has another certificate"]
)
def test_a_certificate_that_another_ca_still_needs_stays(twin: Demand, expected: tuple[AccountStep, ...]) -> None:
    assert steps(DELETED, twin, known=listed(uploaded(), uploaded(TWO, OTHER_CERTIFICATE))) == expected


def test_an_adopted_certificate_stays() -> None:
    assert steps(replace(DELETED, ownership=Ownership.ADOPTED), known=listed(uploaded())) == LET_GO


def test_what_is_gone_lets_its_ca_go() -> None:
    assert steps(DELETED, known=STARTED.with_gone(CERTIFICATE)) == LET_GO


@pytest.mark.parametrize("known", [STARTED, listed(uploaded(), begun=NOW - 10.1)], ids=["never", "too long ago"])
def test_nothing_is_deleted_by_an_old_listing(known: AccountKnowledge) -> None:
    assert steps(DELETED, known=known) == READ


@pytest.mark.parametrize("owner", [US, OTHERS], ids=["ours", "another installation's"])
def test_what_carries_a_mark_is_deleted_by_the_last_that_used_it(owner: str) -> None:
    there = listed(uploaded(owner=owner))

    assert steps(DELETED, known=there) == (DeleteCertificate(CA, CERTIFICATE),)
    assert steps(replace(DELETED, claimed_by_others=frozenset({CERTIFICATE})), known=there) == LET_GO


def test_what_carries_no_mark_is_never_deleted() -> None:
    assert steps(DELETED, known=listed(uploaded(owner=None))) == LET_GO


def test_that_a_certificate_is_gone_is_asked_by_its_id_a_window_after_the_start_and_after_the_last_upload() -> None:
    confirm = (ConfirmGone(CA, CERTIFICATE),)
    after_upload = STARTED.with_upload_lost(TWO.fingerprint, 950.0)

    assert plan(DELETED, known=listed(begun=50.0), now=51.0) == waits_until(90.0)
    assert steps(DELETED, known=listed(begun=89.0), now=90.0) == confirm
    assert plan(DELETED, known=listed(known=after_upload)) == waits_until(1040.0)
    assert steps(DELETED, known=listed(begun=1039.0, known=after_upload), now=1040.0) == confirm


def test_what_is_there_by_its_id_though_not_listed_is_deleted() -> None:
    assert steps(DELETED, known=listed().with_found("t", uploaded(), NOW)) == (DeleteCertificate(CA, CERTIFICATE),)


def test_a_refused_deletion_is_tried_again_with_growing_pauses_and_a_new_listing() -> None:
    once = listed(uploaded(), begun=999.0).with_deletion_refused(CERTIFICATE, NOW)
    twice = once.with_deletion_refused(CERTIFICATE, 1020.0)

    assert plan(DELETED, known=once, now=1001.0) == waits_until(1010.0)
    assert plan(DELETED, known=once, now=1009.9) == waits_until(1010.0)
    assert steps(DELETED, known=once, now=1010.0) == READ
    assert steps(DELETED, known=listed(uploaded(), begun=1010.0, known=once), now=1011.0) == (
        DeleteCertificate(CA, CERTIFICATE),
    )
    assert plan(DELETED, known=twice, now=1020.0) == waits_until(1040.0)


def test_the_pause_between_two_deletions_is_a_minute_at_most() -> None:
    known = listed(uploaded()).with_deletion_refused(CERTIFICATE, NOW).with_deletion_refused(CERTIFICATE, 1080.0)

    assert plan(DELETED, known=known, now=1080.0) == waits_until(1140.0)


def test_what_is_refused_as_in_use_for_a_window_is_used_by_somebody_else_and_stays() -> None:
    refused = STARTED.with_deletion_refused(CERTIFICATE, 900.0).with_deletion_refused(CERTIFICATE, 990.0)

    assert plan(DELETED, known=listed(uploaded(), known=refused)) == AccountPlan(
        LET_GO, None, in_use_elsewhere=frozenset({CA})
    )


def test_refusals_of_an_earlier_deletion_do_not_count() -> None:
    long_ago = STARTED.with_deletion_refused(CERTIFICATE, 900.0).with_deletion_refused(CERTIFICATE, 990.0)
    known = listed(uploaded(), begun=5000.0, known=long_ago)

    assert steps(DELETED, known=known, now=5001.0) == (DeleteCertificate(CA, CERTIFICATE),)
    assert plan(DELETED, known=known.with_deletion_refused(CERTIFICATE, 5001.0), now=5001.0) == waits_until(5011.0)
