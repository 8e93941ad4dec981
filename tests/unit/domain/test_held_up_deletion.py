"""A deletion that waits for another binding of the same hostname, which cannot be reconciled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.verdicts import ok
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.binding_records import CERTIFICATE, binding, metadata
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_moves import CA, ELSEWHERE, MOVED
from tests.unit.domain.test_zone_plan import API, TARGET, WEB, CalmZone, wanted

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OTHER = ResourceKey("apps", "other")
FINE = ok(Reason.ACCEPTED, "served")
THEIRS = Binding(OTHER, (API,), MOVED, managed={ELSEWHERE: frozenset({API})}, has_finalizer=True)


@pytest.mark.parametrize(
    "theirs", [replace(THEIRS, suspended=True), replace(THEIRS, blocked=True)], ids=["suspended", "blocked"]
)
def test_it_names_the_other_until_that_says_what_it_needs_or_goes(theirs: Binding) -> None:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({API})])
    zone.after(wanted(target=replace(TARGET, authority=CA)))
    zone.after(theirs)

    zone.after(replace(zone.ours(), deleting=True))
    held_up_by = zone.stage().held_up_by
    zone.after(replace(zone.cluster.bindings[OTHER], deleting=True, suspended=False))

    assert held_up_by == OTHER
    assert zone.cluster.bindings == {}


def test_what_was_only_on_its_way_leaves_and_is_held_up_by_nobody() -> None:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({API})])
    zone.after(Binding(OTHER, (API,), MOVED))
    zone.cluster.put(replace(zone.cluster.bindings[OTHER], blocked=True))
    zone.after(wanted(target=replace(TARGET, authority=CA)), seconds=30.0)

    zone.after(replace(zone.ours(), deleting=True), seconds=30.0)

    assert (zone.stage().stage, zone.stage().held_up_by) == (HostStage.LEAVING, None)


def test_the_condition_names_the_other_and_the_ways_out() -> None:
    record = binding("binding", managed={CERTIFICATE: [API, WEB]}, meta=metadata("binding", deleting=True))
    progress = {API: HostProgress(HostStage.LEAVING, held_up_by=OTHER), WEB: HostProgress(HostStage.LEAVING)}

    status = binding_status(record, BindingView(BindingAssessment(FINE, FINE), progress), NOW)

    ready = find(status.conditions, ConditionType.READY)
    assert ready is not None
    assert ready.reason == "DeletionBlocked"
    assert ready.message == (
        "another MtlsHostBinding has these hostnames with another certificate and cannot be reconciled now, so what"
        f" covers them stays as it is: {API} (apps/other). See its Ready condition; lift its suspension, mend or delete"
        " it, or annotate this one with apishield-mtls.io/force-orphan=true to let go and leave what is at Cloudflare"
        " behind."
    )
    assert [each.message for each in status.hostnames] == [
        "waits for MtlsHostBinding apps/other, which has it too and cannot be reconciled",
        None,
    ]
