"""What is done in an account for a CA that has its certificate, row by row of `account_keeping`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mtls_operator.api.certificate_authority import Ownership, RotationPhase
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_plan import AccountPlan
from mtls_operator.domain.account_steps import (
    ClearPendingUpload,
    ConfirmGone,
    DeleteCertificate,
    RecordCertificate,
    RecordPendingUpload,
    RecordRotation,
)
from mtls_operator.domain.account_upload import REFUSED_SECONDS
from mtls_operator.domain.certificates import Bundle, read_bundle
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.rotation import Retiring, Rotation, Standing, after_change
from tests.certificates import make_ca
from tests.unit.domain.account_demands import (
    CA,
    HAS_ONE,
    LET_GO,
    MADE,
    NOW,
    ONE,
    OTHERS,
    READ,
    STARTED,
    TWIN,
    TWO,
    USER,
    WINDOW,
    listed,
    plan,
    sent,
    steps,
    uploaded,
    waits_until,
)
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE

OVERLAP = 600.0
THIRD = CertificateId("cccccccc-0000-4000-8000-000000000000")
BOTH = Bundle(TWO.certificates + ONE.certificates)
"""New CAs first."""
WIDENING, NARROWING = RotationPhase.WIDENING, RotationPhase.NARROWING

RETIRES = Retiring(ONE.fingerprints, NOW + OVERLAP, provisional=True, key_identifiers=ONE.key_identifiers)
OLD = replace(RETIRES, certificate_id=CERTIFICATE)
OF_ONE = Standing(ONE.fingerprints, ONE.key_identifiers)
HAS_ONE_ALONE = replace(HAS_ONE, standing=OF_ONE, overlap=OVERLAP)
CHANGED = replace(HAS_ONE_ALONE, bundle=TWO)
ROTATION = Rotation(WIDENING, TWO.fingerprints, NOW)
BEGUN = replace(CHANGED, standing=replace(OF_ONE, rotation=ROTATION, retiring=(RETIRES,)))
ANNOUNCED = replace(BEGUN, pending_upload=BOTH.fingerprints)
BUNDLED = replace(
    BEGUN,
    certificate_id=OTHER_CERTIFICATE,
    standing=Standing(BOTH.fingerprints, BOTH.key_identifiers, ROTATION, (OLD,)),
)
TAKEN = RecordCertificate(CA, OTHER_CERTIFICATE, Ownership.CREATED, BOTH, (OLD,))
THERE = (uploaded(), uploaded(BOTH, OTHER_CERTIFICATE))


def in_phase(demand: Demand, phase: RotationPhase, *retiring: Retiring) -> Demand:
    assert demand.standing.rotation is not None
    rotation = replace(demand.standing.rotation, phase=phase)
    return replace(demand, standing=replace(demand.standing, rotation=rotation, retiring=retiring))


COUNTED = replace(OLD, provisional=False)
OVERLAPPING = in_phase(BUNDLED, RotationPhase.OVERLAP, replace(COUNTED, certificate_id=None))
NARROWS = in_phase(BUNDLED, NARROWING, replace(COUNTED, certificate_id=None))
NARROWED = replace(
    in_phase(BUNDLED, NARROWING, replace(COUNTED, certificate_id=OTHER_CERTIFICATE)), certificate_id=THIRD
)
NARROWED = replace(
    NARROWED, standing=replace(NARROWED.standing, in_force=TWO.fingerprints, key_identifiers=TWO.key_identifiers)
)
AT_END = (uploaded(BOTH, OTHER_CERTIFICATE), uploaded(TWO, THIRD))


def test_a_changed_source_is_recorded_before_anything_else() -> None:
    assert steps(CHANGED) == (RecordRotation(CA, ROTATION, (RETIRES,)),)


@pytest.mark.parametrize(
    "demand",
    [replace(CHANGED, bundle=None), replace(CHANGED, idle=True), replace(BUNDLED, bundle=None)],
    ids=["no valid source", "laid aside", "no valid source any more"],
)
def test_without_something_to_act_on_what_is_in_force_stays(demand: Demand) -> None:
    assert plan(demand, known=listed(*THERE)) == AccountPlan((), None)


def test_new_and_previous_cas_are_announced_and_uploaded_as_one() -> None:
    assert steps(BEGUN) == READ
    assert steps(BEGUN, known=listed(uploaded())) == (RecordPendingUpload(CA, BOTH), sent(CA, BOTH))


def test_what_was_uploaded_becomes_current_and_the_object_of_before_is_left() -> None:
    assert steps(BEGUN, known=listed(*THERE)) == (TAKEN,)
    assert steps(ANNOUNCED, known=listed(*THERE)) == (TAKEN,)


def test_an_identical_object_of_somebody_else_is_adopted() -> None:
    theirs = (uploaded(), uploaded(BOTH, OTHER_CERTIFICATE, owner=None))

    assert steps(BEGUN, known=listed(*theirs)) == (replace(TAKEN, ownership=Ownership.ADOPTED),)


def test_without_a_free_slot_what_is_in_force_stays() -> None:
    assert plan(BEGUN, known=listed(uploaded()), limit=1) == AccountPlan((), NOW + WINDOW, without_slot=frozenset({CA}))


def test_that_a_rotation_has_no_slot_is_said_until_another_listing_tells_otherwise() -> None:
    full = listed(uploaded())

    assert plan(BEGUN, known=full, now=NOW + WINDOW, limit=1) == AccountPlan(READ, None, without_slot=frozenset({CA}))
    assert plan(BEGUN, known=full, now=NOW + WINDOW, limit=2) == AccountPlan(READ, None)


def test_what_has_expired_is_not_sent_again() -> None:
    expired = read_bundle(make_ca("Old", now=MADE, days=1).pem.encode(), MADE)
    later = (MADE + timedelta(days=2)).timestamp()
    standing = Standing(expired.fingerprints, expired.key_identifiers)
    begun = after_change(standing, TWO, later, OVERLAP, {})
    known = listed(uploaded(expired), begun=later)

    announced = RecordPendingUpload(CA, TWO)
    assert steps(replace(BEGUN, standing=begun), known=known, now=later) == (announced, sent(CA, TWO))


def test_a_bundle_that_cloudflare_does_not_take_is_said_and_sent_again_after_an_hour() -> None:
    refused = listed(uploaded(), known=STARTED.with_upload_refused(BOTH.fingerprint, "one at a time", NOW - 10))

    assert plan(ANNOUNCED, known=refused) == AccountPlan(
        (), NOW - 10 + REFUSED_SECONDS, bundle_refused={CA: "one at a time"}
    )
    later = NOW + REFUSED_SECONDS
    again = listed(uploaded(), begun=later - 1, known=refused)
    assert steps(ANNOUNCED, known=again, now=later) == (sent(CA, BOTH),)


def test_certificates_that_are_there_in_another_object_are_a_refusal_once_no_identical_one_turns_up() -> None:
    told = STARTED.with_upload_existing(BOTH.fingerprint, NOW - WINDOW - 1)

    found = plan(ANNOUNCED, known=listed(uploaded(), known=told))

    assert found.steps == ()
    assert found.bundle_refused == {CA: "it says that certificates of the bundle are uploaded already"}
    assert steps(ANNOUNCED, known=listed(*THERE, known=told)) == (TAKEN,)


def test_an_identical_object_that_was_deleted_before_it_turned_up_is_sent_again_after_an_hour() -> None:
    told = STARTED.with_upload_existing(BOTH.fingerprint, NOW)
    later = NOW + REFUSED_SECONDS

    again = listed(uploaded(), begun=later - 1, known=told)

    assert steps(ANNOUNCED, known=again, now=later) == (sent(CA, BOTH),)


def test_that_a_bundle_is_not_taken_is_said_until_another_listing_tells_otherwise() -> None:
    said = listed(uploaded(), known=STARTED.with_upload_refused(BOTH.fingerprint, "one at a time", NOW))
    exists = listed(uploaded(), known=STARTED.with_upload_existing(BOTH.fingerprint, NOW))
    soon, later = NOW + WINDOW - 1, NOW + WINDOW
    refused = {CA: "it says that certificates of the bundle are uploaded already"}

    assert plan(ANNOUNCED, known=said, now=later).steps == READ
    assert plan(ANNOUNCED, known=said, now=later).bundle_refused == {CA: "one at a time"}
    assert (plan(ANNOUNCED, known=exists, now=soon).bundle_refused, READ) == ({}, plan(ANNOUNCED, known=exists).steps)
    assert plan(ANNOUNCED, known=exists, now=later).bundle_refused == refused


def test_side_by_side_the_source_alone_is_uploaded_once_the_bundle_is_settled() -> None:
    refused = listed(uploaded(), known=STARTED.with_upload_refused(BOTH.fingerprint, "one at a time", NOW))
    chosen = replace(ANNOUNCED, side_by_side=True)

    assert steps(chosen, known=refused) == (ClearPendingUpload(CA),)
    assert steps(replace(chosen, pending_upload=frozenset()), known=refused) == (
        RecordPendingUpload(CA, TWO),
        sent(CA, TWO),
    )


def test_an_upload_that_was_announced_before_the_source_changed_again_is_settled_first() -> None:
    changed_again = replace(ANNOUNCED, bundle=ONE)

    assert steps(changed_again, known=listed(*THERE)) == (TAKEN,)
    assert steps(changed_again, known=listed(uploaded())) == (ClearPendingUpload(CA),)
    assert steps(replace(changed_again, pending_upload=frozenset())) == (RecordRotation(CA, None, ()),)


def test_the_overlap_begins_when_no_binding_is_behind() -> None:
    occupied = replace(BUNDLED, occupied=frozenset({CERTIFICATE}), behind=(USER,))
    overlapping = in_phase(BUNDLED, RotationPhase.OVERLAP, COUNTED).standing

    assert plan(occupied, known=listed(*THERE)) == AccountPlan((), None)
    assert steps(BUNDLED, known=listed(*THERE))[0] == RecordRotation(CA, overlapping.rotation, overlapping.retiring)


def test_an_object_that_no_binding_uses_is_deleted_and_struck() -> None:
    unused = in_phase(BUNDLED, RotationPhase.OVERLAP, COUNTED)
    left = replace(COUNTED, certificate_id=None)

    assert steps(replace(unused, occupied=frozenset({CERTIFICATE})), known=listed(*THERE)) == ()
    assert steps(unused) == READ
    assert steps(unused, known=listed(*THERE)) == (DeleteCertificate(CA, CERTIFICATE),)
    assert steps(unused, known=listed(*THERE, known=STARTED.with_gone(CERTIFICATE))) == (
        RecordRotation(CA, unused.standing.rotation, (left,)),
    )


@pytest.mark.parametrize(
    ("demands", "there"),
    [
        ((), uploaded(owner=None)),
        ((replace(HAS_ONE_ALONE, authority=TWIN),), uploaded()),
        ((replace(HAS_ONE_ALONE, authority=TWIN, deleting=True, idle=True),), uploaded()),
    ],
    ids=["has no mark", "is another CA's", "is a suspended CA's"],
)
def test_an_object_that_is_not_to_be_removed_is_struck_at_once(demands: tuple[Demand, ...], there: Certificate) -> None:
    unused = in_phase(BUNDLED, RotationPhase.OVERLAP, COUNTED)
    known = listed(there, THERE[1])

    assert RecordRotation(CA, unused.standing.rotation, (replace(COUNTED, certificate_id=None),)) in steps(
        unused, *demands, known=known
    )


def test_an_object_that_another_installation_claims_is_left_to_it() -> None:
    unused = in_phase(replace(BUNDLED, claimed_by_others=frozenset({CERTIFICATE})), RotationPhase.OVERLAP, COUNTED)

    assert steps(unused) == (RecordRotation(CA, unused.standing.rotation, (replace(COUNTED, certificate_id=None),)),)


def test_an_object_that_is_refused_as_in_use_for_a_window_is_left_and_said() -> None:
    unused = in_phase(BUNDLED, RotationPhase.OVERLAP, COUNTED)
    known = listed(*THERE).with_deletion_refused(CERTIFICATE, 900.0).with_deletion_refused(CERTIFICATE, 995.0)
    struck = RecordRotation(CA, unused.standing.rotation, (replace(COUNTED, certificate_id=None),), CERTIFICATE)

    assert steps(unused, known=known) == (struck,)


def test_narrowing_begins_when_the_overlap_is_over() -> None:
    narrowing = NARROWS.standing

    assert plan(OVERLAPPING, now=NOW) == waits_until(NOW + OVERLAP)
    assert steps(OVERLAPPING, now=NOW + OVERLAP) == (RecordRotation(CA, narrowing.rotation, narrowing.retiring),)


def test_then_the_source_alone_becomes_current_and_the_bundle_is_deleted() -> None:
    bundle = THERE[1]

    assert steps(NARROWS, known=listed(bundle)) == (RecordPendingUpload(CA, TWO), sent(CA, TWO))
    assert steps(NARROWS, known=listed(*AT_END)) == (
        RecordCertificate(CA, THIRD, Ownership.CREATED, TWO, NARROWED.standing.retiring),
    )
    assert steps(NARROWED, known=listed(*AT_END)) == (DeleteCertificate(CA, OTHER_CERTIFICATE),)


def test_in_the_end_nothing_of_the_rotation_is_left_in_the_status() -> None:
    assert steps(in_phase(NARROWED, NARROWING, replace(COUNTED, certificate_id=None))) == (
        RecordRotation(CA, None, ()),
    )


def test_an_object_that_is_about_to_become_current_again_is_not_deleted() -> None:
    known = listed(*AT_END, begun=84.0)
    back = replace(NARROWED, bundle=BOTH)
    begun = Rotation(WIDENING, BOTH.fingerprints, 50.0)
    widening = replace(back, standing=replace(back.standing, rotation=begun))

    assert plan(widening, known=known, now=85.0) == waits_until(WINDOW)


def test_a_source_that_changes_while_objects_are_left_is_decided_on_what_they_hold() -> None:
    assert steps(replace(NARROWED, bundle=ONE)) == READ


def test_a_listing_that_is_doubted_is_repeated() -> None:
    known = listed(uploaded(), begun=NOW - 500)

    assert plan(HAS_ONE_ALONE, known=replace(known, doubted=NOW - 501)) == AccountPlan((), None)
    assert steps(HAS_ONE_ALONE, known=replace(known, doubted=NOW - 499)) == READ
    assert steps(replace(HAS_ONE_ALONE, idle=True), known=replace(known, doubted=NOW)) == ()


def test_a_certificate_that_is_not_listed_is_asked_for_by_its_id_when_the_answer_proves_something() -> None:
    seen = listed(uploaded(), begun=NOW - 50).with_listing("t", (), NOW - 1)

    assert plan(HAS_ONE_ALONE, known=seen) == waits_until(NOW - 50 + WINDOW)
    assert steps(HAS_ONE_ALONE, known=listed()) == (ConfirmGone(CA, CERTIFICATE),)
    assert steps(HAS_ONE_ALONE, known=listed().with_found("t", uploaded(), NOW)) == ()


def test_a_certificate_that_has_vanished_is_uploaded_again_and_takes_its_place() -> None:
    gone = STARTED.with_gone(CERTIFICATE)

    assert steps(HAS_ONE_ALONE, known=gone) == READ
    assert steps(HAS_ONE_ALONE, known=listed(known=gone)) == (RecordPendingUpload(CA, ONE), sent(CA, ONE))
    assert steps(HAS_ONE_ALONE, known=listed(uploaded(certificate_id=THIRD), known=gone)) == (
        RecordCertificate(CA, THIRD, Ownership.CREATED, ONE),
    )


def test_what_vanished_with_the_previous_cas_is_in_force_no_more() -> None:
    gone = listed(known=STARTED.with_gone(CERTIFICATE))

    assert steps(BEGUN, known=gone) == (RecordPendingUpload(CA, TWO), sent(CA, TWO))


def test_a_current_object_that_does_is_not_replaced_because_an_earlier_one_vanished() -> None:
    beside = replace(
        BUNDLED,
        standing=Standing(TWO.fingerprints, TWO.key_identifiers, ROTATION, (OLD,)),
        occupied=frozenset({CERTIFICATE}),
        behind=(USER,),
    )
    known = listed(uploaded(TWO, OTHER_CERTIFICATE), known=STARTED.with_gone(CERTIFICATE))

    assert steps(beside, known=known) == ()


def test_a_deleted_ca_lets_its_earlier_objects_go_first_and_then_the_current_one() -> None:
    deleted = replace(BUNDLED, deleting=True)
    left = (replace(OLD, certificate_id=None),)
    struck = replace(deleted, standing=replace(deleted.standing, retiring=left))
    known = listed(*THERE, known=STARTED.with_gone(CERTIFICATE))

    assert steps(replace(deleted, used_by=(USER,)), known=listed(*THERE)) == ()
    assert steps(deleted, known=listed(*THERE)) == (DeleteCertificate(CA, CERTIFICATE),)
    assert steps(deleted, known=known) == (RecordRotation(CA, ROTATION, left),)
    assert steps(struck, known=known) == (DeleteCertificate(CA, OTHER_CERTIFICATE),)
    assert steps(struck, known=STARTED.with_gone(OTHER_CERTIFICATE)) == LET_GO


def test_a_deleted_ca_settles_an_announced_upload_before_its_objects_go() -> None:
    deleted = replace(ANNOUNCED, deleting=True)

    assert steps(deleted) == READ
    assert steps(deleted, known=listed(*THERE)) == (TAKEN,)
    assert steps(deleted, known=listed(uploaded())) == (ClearPendingUpload(CA),)


def test_an_object_that_somebody_else_made_is_deleted_by_the_last_that_uses_it() -> None:
    unused = in_phase(BUNDLED, RotationPhase.OVERLAP, COUNTED)
    theirs = (uploaded(owner=OTHERS), THERE[1])

    assert steps(unused, known=listed(*theirs)) == (DeleteCertificate(CA, CERTIFICATE),)
