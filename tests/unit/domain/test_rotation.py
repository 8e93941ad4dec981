"""How the status of a CA goes through a rotation, step by step; whole histories are in test_account_histories.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.api.certificate_authority import RotationPhase
from mtls_operator.domain.certificates import Bundle, read_bundle
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.rotation import (
    Retiring,
    Rotation,
    Standing,
    accepted_beside,
    after_change,
    after_phase,
    after_replacement,
    has_changed,
    is_current_enough,
    kept_beside,
    wanted_in_force,
    without_object,
)
from tests.certificates import make_ca
from tests.unit.domain.account_demands import MADE, ONE, TWO
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE

THREE = read_bundle(make_ca("Three", now=MADE).pem.encode(), MADE)
THIRD = CertificateId("cccccccc-0000-4000-8000-000000000000")
NOW, OVERLAP = 1000.0, 600.0
WIDENING, PHASE_OVERLAP, NARROWING = RotationPhase.WIDENING, RotationPhase.OVERLAP, RotationPhase.NARROWING

CURRENT = Standing(ONE.fingerprints, ONE.key_identifiers)
RETIRES = Retiring(ONE.fingerprints, NOW + OVERLAP, provisional=True, key_identifiers=ONE.key_identifiers)
BEGUN = replace(CURRENT, rotation=Rotation(WIDENING, TWO.fingerprints, NOW), retiring=(RETIRES,))
IN_BOTH = ONE.fingerprints | TWO.fingerprints
KEYS_OF_BOTH = ONE.key_identifiers | TWO.key_identifiers
BUNDLED = Standing(IN_BOTH, KEYS_OF_BOTH, BEGUN.rotation, (replace(RETIRES, certificate_id=CERTIFICATE),))
"""The bundle is current, the object of before is left."""
BESIDE = Standing(TWO.fingerprints, TWO.key_identifiers, BEGUN.rotation, BUNDLED.retiring)
"""The new object is current beside the one of before."""


def changed(
    standing: Standing, source: Bundle, contents: dict[CertificateId, frozenset[str]] | None = None
) -> Standing:
    return after_change(standing, source, NOW, OVERLAP, contents or {})


def in_phase(standing: Standing, phase: RotationPhase, *retiring: Retiring) -> Standing:
    assert standing.rotation is not None
    return replace(standing, rotation=replace(standing.rotation, phase=phase), retiring=retiring or standing.retiring)


def counted(entry: Retiring, until: float = NOW + OVERLAP) -> Retiring:
    return replace(entry, provisional=False, retire_after=until)


def test_a_source_has_changed_when_it_holds_other_certificates_than_those_in_force_or_aimed_at() -> None:
    assert not has_changed(CURRENT, ONE)
    assert has_changed(CURRENT, TWO)
    assert not has_changed(BEGUN, TWO)
    assert has_changed(BEGUN, ONE)
    assert has_changed(replace(CURRENT, retiring=(RETIRES,)), ONE)


def test_a_rotation_begins_with_what_was_in_force_retiring_at_a_moment_that_is_not_counted_yet() -> None:
    assert changed(CURRENT, TWO) == BEGUN


def test_a_source_that_only_gains_a_ca_retires_none() -> None:
    both = Bundle(ONE.certificates + TWO.certificates)

    assert changed(CURRENT, both) == replace(CURRENT, rotation=Rotation(WIDENING, IN_BOTH, NOW))


def test_a_source_that_loses_a_ca_retires_that_one() -> None:
    both = Standing(IN_BOTH, KEYS_OF_BOTH)

    assert changed(both, TWO).retiring == (RETIRES,)


def test_back_at_what_alone_is_in_force_there_is_no_rotation_any_more() -> None:
    assert changed(BEGUN, ONE) == CURRENT


def test_back_at_the_previous_source_during_the_overlap_the_roles_are_swapped() -> None:
    overlapping = in_phase(BUNDLED, PHASE_OVERLAP, counted(RETIRES))

    swapped = changed(overlapping, ONE)

    assert swapped.rotation == Rotation(WIDENING, ONE.fingerprints, NOW)
    assert swapped.retiring == (replace(RETIRES, fingerprints=TWO.fingerprints, key_identifiers=TWO.key_identifiers),)


def test_a_third_source_lets_what_retires_already_go_on_retiring_at_its_moment() -> None:
    overlapping = in_phase(BUNDLED, PHASE_OVERLAP, counted(RETIRES, NOW + 5))

    assert changed(overlapping, THREE).retiring == (
        counted(RETIRES, NOW + 5),
        replace(RETIRES, fingerprints=TWO.fingerprints, key_identifiers=TWO.key_identifiers),
    )


def test_of_what_has_retired_only_the_object_is_left_when_the_source_changes_again() -> None:
    retired = counted(RETIRES, NOW)
    narrowing = in_phase(BESIDE, NARROWING, replace(retired, certificate_id=CERTIFICATE))

    entries = changed(narrowing, THREE, {CERTIFICATE: ONE.fingerprints}).retiring

    assert entries[0] == Retiring(frozenset(), NOW, certificate_id=CERTIFICATE)
    assert [each.fingerprints for each in changed(in_phase(BESIDE, NARROWING, retired), THREE).retiring] == [
        TWO.fingerprints
    ]


def test_hostnames_stay_on_an_object_that_alone_holds_what_is_back_in_the_source() -> None:
    entries = changed(BESIDE, ONE, {CERTIFICATE: ONE.fingerprints}).retiring

    assert entries[0].fingerprints == ONE.fingerprints
    assert CERTIFICATE in kept_beside(changed(BESIDE, ONE, {CERTIFICATE: ONE.fingerprints}))


@pytest.mark.parametrize("contents", [{CERTIFICATE: IN_BOTH}, {}], ids=["as listed", "as nobody knows better"])
def test_hostnames_stay_on_an_object_that_holds_what_retires_only_now(
    contents: dict[CertificateId, frozenset[str]],
) -> None:
    left = counted(replace(RETIRES, certificate_id=CERTIFICATE), NOW - 1)
    narrowing = in_phase(BESIDE, NARROWING, left)

    entry = changed(narrowing, THREE, contents).retiring[0]

    assert (entry.fingerprints, entry.provisional, entry.certificate_id) == (TWO.fingerprints, True, CERTIFICATE)


def test_a_bundle_holds_the_source_and_everything_that_has_not_retired() -> None:
    assert wanted_in_force(BEGUN, TWO, NOW, side_by_side=False) == IN_BOTH
    retiring = in_phase(BEGUN, PHASE_OVERLAP, counted(RETIRES))
    assert wanted_in_force(retiring, TWO, NOW + OVERLAP - 1, side_by_side=False) == IN_BOTH
    assert wanted_in_force(retiring, TWO, NOW + OVERLAP, side_by_side=False) == TWO.fingerprints


@pytest.mark.parametrize(
    ("standing", "side_by_side"),
    [(CURRENT, False), (BEGUN, True), (in_phase(BEGUN, NARROWING), False)],
    ids=["no rotation", "side by side", "narrowing"],
)
def test_otherwise_an_object_holds_the_source_alone(standing: Standing, side_by_side: bool) -> None:
    assert wanted_in_force(standing, TWO, NOW, side_by_side=side_by_side) == TWO.fingerprints


def test_before_the_overlap_is_over_more_in_the_current_object_than_wanted_is_no_reason_for_another() -> None:
    assert is_current_enough(BUNDLED, TWO.fingerprints)
    assert not is_current_enough(BEGUN, IN_BOTH)
    assert not is_current_enough(in_phase(BUNDLED, NARROWING), TWO.fingerprints)
    assert not is_current_enough(replace(CURRENT, in_force=IN_BOTH), ONE.fingerprints)


def test_the_object_that_was_current_is_left_with_what_retires() -> None:
    assert after_replacement(BEGUN, CERTIFICATE, OTHER_CERTIFICATE, IN_BOTH, NOW) == BUNDLED.retiring


def test_an_object_that_gives_way_to_one_with_more_is_left_with_nothing_that_retires() -> None:
    gains = replace(CURRENT, rotation=Rotation(WIDENING, IN_BOTH, NOW))

    entries = after_replacement(gains, CERTIFICATE, OTHER_CERTIFICATE, IN_BOTH, NOW)

    assert entries == (Retiring(frozenset(), NOW, provisional=True, certificate_id=CERTIFICATE),)


def test_a_second_object_that_is_left_has_an_entry_of_its_own() -> None:
    narrowing = in_phase(BUNDLED, NARROWING, counted(replace(RETIRES, certificate_id=CERTIFICATE)))

    entries = after_replacement(narrowing, OTHER_CERTIFICATE, THIRD, TWO.fingerprints, NOW + OVERLAP)

    assert entries[1:] == (Retiring(frozenset(), NOW + OVERLAP, certificate_id=OTHER_CERTIFICATE),)


def test_what_is_accepted_still_is_named_with_the_object_that_alone_holds_it() -> None:
    overlapping = in_phase(BUNDLED, WIDENING, counted(RETIRES))
    third = changed(overlapping, THREE)

    entries = after_replacement(third, OTHER_CERTIFICATE, THIRD, THREE.fingerprints, NOW)

    assert (entries[1].certificate_id, entries[1].fingerprints) == (OTHER_CERTIFICATE, IN_BOTH)
    assert entries[1].key_identifiers == KEYS_OF_BOTH
    assert after_replacement(third, OTHER_CERTIFICATE, THIRD, THREE.fingerprints, NOW + OVERLAP)[1].fingerprints == (
        TWO.fingerprints
    )


def test_an_object_that_becomes_current_again_is_left_no_more() -> None:
    back = changed(BESIDE, ONE, {CERTIFICATE: ONE.fingerprints})

    entries = after_replacement(back, OTHER_CERTIFICATE, CERTIFICATE, ONE.fingerprints, NOW)

    assert [(each.fingerprints, each.certificate_id) for each in entries] == [(TWO.fingerprints, OTHER_CERTIFICATE)]


def test_what_only_an_object_held_that_is_gone_is_accepted_no_more() -> None:
    assert after_replacement(BEGUN, None, OTHER_CERTIFICATE, TWO.fingerprints, NOW) == ()
    assert after_replacement(BEGUN, None, OTHER_CERTIFICATE, IN_BOTH, NOW) == BEGUN.retiring


def test_what_another_object_holds_is_accepted_though_the_current_one_is_gone() -> None:
    entries = after_replacement(BESIDE, None, THIRD, TWO.fingerprints, NOW)

    assert entries == BESIDE.retiring


@pytest.mark.parametrize("earlier", [None, OTHER_CERTIFICATE], ids=["is gone", "is the same"])
def test_nothing_is_left_of_an_object_that_does_not_give_way(earlier: CertificateId | None) -> None:
    assert after_replacement(CURRENT, earlier, OTHER_CERTIFICATE, ONE.fingerprints, NOW) == ()


def test_an_object_without_a_rotation_is_left_from_the_beginning_of_time() -> None:
    assert after_replacement(CURRENT, CERTIFICATE, OTHER_CERTIFICATE, ONE.fingerprints, NOW) == (
        Retiring(frozenset(), 0.0, certificate_id=CERTIFICATE),
    )


def test_the_overlap_is_counted_from_when_the_new_cas_are_in_force_everywhere() -> None:
    later = NOW + 50
    assert after_phase(BUNDLED, later, OVERLAP, in_force_everywhere=False) is None

    overlapping = after_phase(BUNDLED, later, OVERLAP, in_force_everywhere=True)

    assert overlapping == in_phase(BUNDLED, PHASE_OVERLAP, counted(BUNDLED.retiring[0], later + OVERLAP))


def test_what_was_counted_before_is_not_counted_again_and_an_empty_object_needs_no_overlap() -> None:
    before, empty = counted(RETIRES, NOW + 5), Retiring(frozenset(), 0, provisional=True, certificate_id=CERTIFICATE)

    overlapping = after_phase(in_phase(BUNDLED, WIDENING, before, empty), NOW, OVERLAP, in_force_everywhere=True)

    assert overlapping is not None
    assert overlapping.retiring == (before, counted(empty, NOW))


def test_narrowing_begins_when_the_last_overlap_is_over_and_not_before() -> None:
    overlapping = in_phase(BUNDLED, PHASE_OVERLAP, counted(RETIRES, NOW), counted(RETIRES, NOW + 1))

    assert after_phase(overlapping, NOW, OVERLAP, in_force_everywhere=True) is None
    assert after_phase(overlapping, NOW + 1, OVERLAP, in_force_everywhere=False) == in_phase(overlapping, NARROWING)


def test_a_rotation_is_over_when_no_earlier_object_is_left() -> None:
    narrowing = in_phase(BESIDE, NARROWING)

    assert after_phase(narrowing, NOW, OVERLAP, in_force_everywhere=True) is None
    assert after_phase(without_object(narrowing, CERTIFICATE), NOW, OVERLAP, in_force_everywhere=True) == Standing(
        TWO.fingerprints, TWO.key_identifiers
    )


def test_without_a_rotation_no_phase_follows() -> None:
    assert after_phase(CURRENT, NOW, OVERLAP, in_force_everywhere=True) is None


def test_an_entry_without_its_object_is_left_as_long_as_its_cas_retire() -> None:
    empty = Retiring(frozenset(), NOW, certificate_id=OTHER_CERTIFICATE)
    standing = in_phase(BUNDLED, WIDENING, BUNDLED.retiring[0], empty)

    assert without_object(standing, CERTIFICATE).retiring == (RETIRES, empty)
    assert without_object(standing, OTHER_CERTIFICATE).retiring == BUNDLED.retiring


def test_hostnames_stay_beside_only_where_the_current_object_lacks_what_is_accepted_still() -> None:
    assert kept_beside(BESIDE) == {CERTIFICATE}
    assert kept_beside(BUNDLED) == frozenset()
    assert kept_beside(in_phase(BESIDE, NARROWING)) == frozenset()
    assert kept_beside(BEGUN) == frozenset()
    assert kept_beside(CURRENT) == frozenset()


def test_the_issuers_of_what_is_kept_beside_are_accepted_with_those_of_the_current_object() -> None:
    assert accepted_beside(BESIDE) == ONE.key_identifiers
    assert accepted_beside(BUNDLED) == frozenset()
