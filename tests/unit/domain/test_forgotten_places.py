"""A binding whose status was lost: what our claims still tell of it is taken into its status again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_plan import plan_zone
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_steps import RecordManaged, ZoneStep
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_installation import Operator
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_moves import CA, ELSEWHERE, MOVED, issuers, lists, states
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, KEY, TARGET, TIMING, CalmZone, wanted

WITH_OVERLAP = replace(MOVED, overlap=3_600.0)


@pytest.fixture
def zone() -> CalmZone:
    """A hostname in force on one certificate."""
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted(target=replace(TARGET, authority=CA)))
    zone.steps.clear()
    return zone


def lose_status(zone: CalmZone) -> None:
    """Just when the binding is to go to another certificate."""
    lost = replace(zone.ours(), managed={}, enforced=frozenset(), settled=frozenset(), moving=frozenset())
    zone.cluster.put(replace(lost, target=WITH_OVERLAP))


@pytest.mark.parametrize("dies", [False, True])
def test_the_hostname_moves_with_an_overlap_though_its_earlier_place_is_in_no_status(
    zone: CalmZone, *, dies: bool
) -> None:
    if dies:
        zone.begin_again()
    lose_status(zone)

    zone.wait(3_000.0)
    overlap = (lists(zone), issuers(zone), set(zone.ours().managed))
    zone.wait(5_000.0)

    assert overlap == ([True, True], [{"AA01", "BB02"}], {CERTIFICATE, ELSEWHERE})
    assert (lists(zone), issuers(zone), states(zone)) == ([False, True], [{"BB02"}], {"bb": "held"})
    assert (set(zone.ours().managed), zone.stage().stage) == ({ELSEWHERE}, HostStage.ENFORCED)


def test_a_new_process_takes_in_nothing_before_it_knows_for_certain_what_is_claimed(zone: CalmZone) -> None:
    seen: list[tuple[set[str], bool]] = []

    def note(operator: Operator, step: ZoneStep) -> None:
        if isinstance(step, RecordManaged):
            is_exact = operator.known.rules_exact_from(TIMING.window) is None
            seen.append((set(step.managed), is_exact))

    zone.operator.before_step = note
    zone.begin_again()
    lose_status(zone)

    zone.wait(1_000.0)

    assert seen == [({ELSEWHERE}, False), ({CERTIFICATE, ELSEWHERE}, True)]


def test_what_may_be_in_a_status_that_cannot_be_read_is_left_to_that_one(zone: CalmZone) -> None:
    lose_status(zone)
    (desired,) = zone.cluster.desired()

    steps = plan_zone(replace(desired, is_told=False), zone.operator.known, zone.time.now, TIMING).steps

    (record,) = [step for step in steps if isinstance(step, RecordManaged)]
    assert record.managed == {ELSEWHERE: frozenset({API})}


def test_a_binding_that_cannot_be_reconciled_takes_in_nothing(zone: CalmZone) -> None:
    zone.cluster.put(replace(zone.ours(), managed={}, blocked=True))
    zone.wait(1_000.0)

    assert KEY in zone.cluster.bindings
    assert zone.ours().managed == {}
    assert lists(zone) == [True, False]


@pytest.mark.parametrize("action", ["block", "log"])
def test_it_is_not_said_to_be_in_force_before_it_is_recorded_and_all_is_read_again(action: str) -> None:
    zone = CalmZone()
    zone.after(wanted(target=replace(TARGET, policy=Policy(frozenset({"AA01"}), action))))
    told: list[tuple[str, HostStage | None]] = []

    def note(operator: Operator, step: ZoneStep) -> None:
        (plan,) = operator.plans()
        told.append((type(step).__name__, plan.progress[KEY][API].stage if plan.progress else None))

    zone.operator.before_step = note
    zone.cluster.put(replace(zone.ours(), managed={}, enforced=frozenset(), settled=frozenset(), moving=frozenset()))

    zone.wait(5_000.0)

    assert told == [("RecordManaged", HostStage.PENDING), ("ReadRules", None), ("ReadList", HostStage.MOVING)]
    assert zone.stage().stage in {HostStage.ENFORCED, HostStage.LOGGED}


def test_who_comes_beside_another_binding_is_in_force_from_its_own_record_on() -> None:
    zone = CalmZone()
    zone.after(wanted())
    other = ResourceKey("shop", "second")
    told: list[tuple[str, HostStage]] = []

    def note(operator: Operator, step: ZoneStep) -> None:
        (plan,) = operator.plans()
        assert plan.progress is not None
        told.append((type(step).__name__, plan.progress[other][API].stage))

    zone.operator.before_step = note
    zone.after(replace(wanted(), key=other))
    (plan,) = zone.operator.plans()

    assert told == [("AddFinalizer", HostStage.PENDING), ("RecordManaged", HostStage.PENDING)]
    assert plan.progress is not None
    assert plan.progress[other][API].stage is HostStage.ENFORCED
