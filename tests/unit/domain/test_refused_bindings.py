"""A binding that may not have what it refers to: it keeps what it has, and can remove it, but brings in nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import ClaimState
from mtls_operator.domain.zone_plan import plan_zone
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_stakes import Stake, Target, desired_of
from mtls_operator.domain.zone_steps import Managed, RecordManaged
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.test_zone_moves import ELSEWHERE
from tests.unit.domain.test_zone_plan import (
    API,
    CERTIFICATE,
    KEY,
    TARGET,
    TEAR_DOWN,
    TIMING,
    US,
    WEB,
    CalmZone,
    claim,
    enforced,
    wanted,
)

RECORDED = Binding(KEY, (API,), TARGET, refused=True, has_finalizer=True, managed={CERTIFICATE: frozenset({API})})

CLAIMED = 0.5
"""Seconds until the claim is written, and nothing else."""


def test_what_is_recorded_and_nowhere_yet_is_not_brought_in() -> None:
    zone = CalmZone()

    assert set(zone.after(RECORDED)) == {"ReadRules"}
    assert (zone.marks(), zone.listed) == ([None], frozenset({"old.example.com"}))


def test_what_is_claimed_is_not_put_on_the_list() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=CLAIMED)
    zone.after(replace(zone.ours(), refused=True))

    assert zone.marks() == [None, claim(ClaimState.ARRIVING)]
    assert zone.listed == {"old.example.com"}
    assert zone.stage().stage is HostStage.ARRIVING


def test_what_is_in_force_is_kept_and_repaired() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), refused=True))
    zone.zone.put_list(CERTIFICATE, frozenset())
    zone.operator.look()
    zone.wait(5_000.0)

    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]
    assert zone.listed == {API}


def test_what_is_in_force_is_kept_beside_what_stands_still() -> None:
    zone = CalmZone()
    zone.after(wanted())
    both = {CERTIFICATE: frozenset({API, WEB})}
    zone.after(replace(zone.ours(), hostnames=(API, WEB), refused=True, managed=both))
    zone.zone.put_list(CERTIFICATE, frozenset())
    zone.operator.look()
    zone.wait(5_000.0)

    assert zone.listed == {API}
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]
    assert (zone.stage(API).stage, zone.stage(WEB).stage) == (HostStage.ENFORCED, HostStage.PENDING)
    assert zone.ours().managed == both


@pytest.mark.parametrize("managed", [{}, {CERTIFICATE: frozenset({API, WEB})}])
def test_a_finalizer_that_somebody_took_is_put_back_once(managed: Managed) -> None:
    zone = CalmZone()
    zone.after(wanted())
    ours = replace(zone.ours(), refused=True, has_finalizer=False)
    zone.after(replace(ours, managed={**ours.managed, **managed}))

    assert zone.steps.count("AddFinalizer") == 1


def test_what_stands_still_is_removed_with_its_binding() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=CLAIMED)
    zone.after(replace(zone.ours(), refused=True))
    zone.after(replace(zone.ours(), deleting=True))

    assert zone.marks() == [None]
    assert zone.cluster.bindings == {}


def test_what_is_in_force_is_removed_with_its_binding() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert zone.after(replace(zone.ours(), refused=True, deleting=True)) == TEAR_DOWN


def test_consent_that_is_given_again_finishes_what_was_begun() -> None:
    zone = CalmZone()
    zone.after(RECORDED)
    zone.after(replace(zone.ours(), refused=False))

    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_what_stands_still_of_a_binding_stays_recorded_when_the_rest_of_it_moves() -> None:
    zone = CalmZone()
    zone.after(wanted())
    acting = Stake(
        KEY, {CERTIFICATE: frozenset({API})}, {API: replace(TARGET, certificate=ELSEWHERE)}, has_finalizer=True
    )
    standing = Stake(KEY, {CERTIFICATE: frozenset({WEB})}, {WEB: Target(CERTIFICATE)}, has_finalizer=True, idle=True)

    plan = plan_zone(desired_of(US, own=[acting, standing], still=[]), zone.operator.known, zone.time.now, TIMING)

    recorded = {CERTIFICATE: frozenset({API, WEB}), ELSEWHERE: frozenset({API})}
    assert [step for step in plan.steps if isinstance(step, RecordManaged)] == [RecordManaged(KEY, recorded)]
