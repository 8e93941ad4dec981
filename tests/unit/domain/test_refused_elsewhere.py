"""While another installation refuses a CA no client of it gets in, though our rule accepts it: no overlap counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Enforcement
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_others import ELSEWHERE, HELD, NEW, OLD, ROTATED, claimed, ruled
from tests.unit.domain.test_zone_plan import CERTIFICATE, OTHERS, TARGET, CalmZone, wanted


def test_an_overlap_counts_from_when_no_other_installation_refuses_the_new_ca_any_more() -> None:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted())
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    theirs = (claimed(HELD, CERTIFICATE, OLD, OLD), ruled("AA01"))
    zone.zone.set_rules((*ruleset.rules, *theirs))
    zone.operator.look()
    zone.after(replace(zone.ours(), target=replace(ROTATED, overlap=600.0)), seconds=5_000.0)
    both = issuers_of_ours(zone)

    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(tuple(rule for rule in ruleset.rules if rule not in theirs))
    zone.operator.look()
    zone.wait(500.0)
    counted = (issuers_of_ours(zone), zone.stage().stage)
    zone.wait(1_000.0)

    assert both == [{"AA01", "BB02"}]
    assert counted == ([{"AA01", "BB02"}], HostStage.ENFORCED)
    assert issuers_of_ours(zone) == [{"BB02"}]


@pytest.mark.parametrize(
    ("issuer", "until"), [("AA01", "2026-03-02T00:00:00Z"), ("AA01", None), (None, "2026-03-02T00:00:00Z")]
)
def test_in_a_rotation_a_hostname_is_on_its_way_while_another_installation_refuses_the_new_ca(
    issuer: str | None, until: str | None
) -> None:
    zone = CalmZone()
    zone.after(wanted())
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules((*ruleset.rules, claimed(HELD, CERTIFICATE, OLD, OLD), ruled(issuer)))
    zone.operator.look()
    both = frozenset({"AA01", "BB02"})
    overlap = replace(TARGET, aim=NEW, in_force=OLD | NEW, policy=Policy(both, "block"), issuers=both, until=until)

    zone.after(replace(zone.ours(), target=overlap))

    refused = issuer is not None and until is not None
    assert zone.stage() == HostProgress(
        HostStage.MOVING if refused else HostStage.ENFORCED, waits_for=("them",) if refused else ()
    )


def test_an_installation_that_refuses_only_the_ca_that_retires_has_the_new_one_and_is_not_waited_for() -> None:
    zone = CalmZone()
    zone.after(wanted())
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules((*ruleset.rules, claimed(HELD, CERTIFICATE, NEW, NEW), ruled("BB02")))
    zone.operator.look()
    both, until = frozenset({"AA01", "BB02"}), "2026-03-02T00:00:00Z"
    overlap = replace(TARGET, aim=NEW, in_force=OLD | NEW, policy=Policy(both, "block"), issuers=both, until=until)

    zone.after(replace(zone.ours(), target=replace(overlap, retiring=frozenset({"AA01"}))))

    assert zone.stage() == HostProgress(HostStage.ENFORCED)


def issuers_of_ours(zone: CalmZone) -> list[set[str]]:
    marks = (mark for mark in zone.marks() if isinstance(mark, Enforcement) and mark.installation != OTHERS)
    return [set(mark.issuers or ()) for mark in marks]
