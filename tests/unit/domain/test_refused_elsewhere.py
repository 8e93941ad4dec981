"""While another installation refuses a CA no client of it gets in, though our rule accepts it: it is not in force."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Enforcement, read_mark
from mtls_operator.domain.observed import Rule
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_others import ELSEWHERE, HELD, NEW, OLD, ROTATED, claimed, ruled
from tests.unit.domain.test_zone_plan import CERTIFICATE, OTHERS, TARGET, CalmZone, wanted

BOTH = replace(
    TARGET,
    aim=NEW,
    in_force=OLD | NEW,
    policy=Policy(frozenset({"AA01", "BB02"}), "block"),
    issuers=frozenset({"AA01", "BB02"}),
    until="2026-03-02T00:00:00Z",
)


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


@pytest.mark.parametrize("until", ["2026-03-02T00:00:00Z", None], ids=["in a rotation", "at rest"])
@pytest.mark.parametrize("issuer", ["AA01", None])
def test_a_hostname_is_on_its_way_while_another_installation_refuses_the_ca(
    issuer: str | None, until: str | None
) -> None:
    zone = beside(ruled(issuer))

    zone.after(replace(zone.ours(), target=replace(BOTH, until=until)))

    refused = issuer is not None
    stage = zone.stage()
    assert (stage.stage, stage.waits_for, stage.refused) == (
        (HostStage.MOVING, ("them",), True) if refused else (HostStage.ENFORCED, (), False)
    )


@pytest.mark.parametrize("later", [(), (ruled(None),)], ids=["its rule goes", "its rule accepts it"])
def test_the_ca_counts_when_a_late_data_centre_refuses_it_no_more_either(later: tuple[Rule, ...]) -> None:
    zone = beside(ruled("AA01"))
    zone.after(replace(zone.ours(), target=BOTH))

    instead(zone, later)
    zone.wait(80.0)
    on_its_way = zone.stage()
    zone.wait(20.0)

    assert (on_its_way.stage, on_its_way.waits_for, on_its_way.refused) == (HostStage.MOVING, ("them",), True)
    assert on_its_way.until is not None
    assert zone.time.now - 20.0 < on_its_way.until < zone.time.now
    assert zone.stage() == HostProgress(HostStage.ENFORCED)


def test_what_another_installation_accepts_less_or_accepted_before_holds_nothing_up() -> None:
    zone = beside(ruled("AA01"))
    zone.after(replace(zone.ours(), target=TARGET))

    instead(zone, (ruled(None),))
    zone.wait(10.0)

    assert zone.stage() == HostProgress(HostStage.ENFORCED)


def test_an_installation_that_refuses_only_the_ca_that_retires_has_the_new_one_and_is_not_waited_for() -> None:
    zone = beside(ruled("BB02"))

    zone.after(replace(zone.ours(), target=replace(BOTH, retiring=frozenset({"AA01"}))))

    assert zone.stage() == HostProgress(HostStage.ENFORCED)


def test_a_ca_that_is_in_the_source_again_is_waited_for_though_it_was_to_retire() -> None:
    zone = beside(ruled("AA01"))
    (new,) = NEW
    zone.cluster.identifiers = {new: "BB02"}

    zone.after(replace(zone.ours(), target=replace(BOTH, retiring=frozenset({"BB02", "CC03"}))))

    assert (zone.stage().stage, zone.stage().waits_for) == (HostStage.MOVING, ("them",))


def beside(rule: Rule) -> CalmZone:
    """Our hostname is in force when another installation has it too, with this rule."""
    zone = CalmZone()
    zone.after(wanted())
    zone.add_rules(claimed(HELD, CERTIFICATE, OLD, OLD), rule)
    zone.operator.look()
    return zone


def instead(zone: CalmZone, rules: tuple[Rule, ...]) -> None:
    """The other installation has these rules now."""
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    marks = [(rule, read_mark(rule)) for rule in ruleset.rules]
    ours = [rule for rule, mark in marks if not (isinstance(mark, Enforcement) and mark.installation == OTHERS)]
    zone.zone.set_rules((*ours, *rules))
    zone.operator.look()


def issuers_of_ours(zone: CalmZone) -> list[set[str]]:
    marks = (mark for mark in zone.marks() if isinstance(mark, Enforcement) and mark.installation != OTHERS)
    return [set(mark.issuers or ()) for mark in marks]
