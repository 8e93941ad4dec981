"""Who is an incumbent and who a newcomer, and whose wish counts where another installation has a hostname otherwise."""

from __future__ import annotations

from dataclasses import replace

from mtls_operator.api.policies import Action
from mtls_operator.domain.marks import Claim
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_others import (
    ELSEWHERE,
    HELD,
    NEW,
    OLD,
    OVERLAP,
    ROTATED,
    claimed,
    issuers,
    ruled,
    without_ours,
)
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, FOREIGN, TARGET, CalmZone, wanted


def test_a_hostname_whose_claim_somebody_deleted_is_no_newcomers() -> None:
    zone = CalmZone(rules=(claimed(HELD, CERTIFICATE, OLD, OLD), ruled("AA01"), FOREIGN), hostnames=frozenset({API}))
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted())
    zone.after(replace(zone.ours(), target=OVERLAP))
    zone.zone.set_rules(without_ours(zone, Claim))

    zone.operator.look()
    zone.wait(5_000.0)

    assert issuers(zone) == [frozenset({"AA01", "BB02"})]
    assert zone.stage() == HostProgress(HostStage.MOVING, waits_for=("them",), refused=True, meanwhile=Action.BLOCK)


def test_a_hostname_that_is_held_but_was_never_enforced_is_a_newcomer_still() -> None:
    zone = CalmZone()
    zone.after(replace(wanted(), blocked=False), seconds=30.0)
    zone.cluster.put(replace(zone.ours(), blocked=True))
    zone.wait(300.0)
    zone.add_rules(claimed(HELD, ELSEWHERE, NEW, NEW), ruled("BB02"))
    zone.operator.look()
    zone.wait(10.0)

    zone.after(replace(zone.ours(), blocked=False))

    assert issuers(zone) == []
    assert zone.ours().managed == {}


def test_a_hostname_without_a_rule_that_is_held_is_no_newcomers_when_its_ca_rotates() -> None:
    zone = CalmZone(rules=(claimed(HELD, CERTIFICATE, OLD, OLD), FOREIGN), hostnames=frozenset({API}))
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    bare = Policy(None, "none")
    zone.after(wanted(target=replace(TARGET, policy=bare)))

    zone.after(replace(zone.ours(), target=replace(OVERLAP, policy=bare, earlier=frozenset({CERTIFICATE}))))

    assert zone.ours().managed == {ELSEWHERE: {API}}
    assert API in zone.zone.lists[ELSEWHERE].now
    assert zone.stage().stage is HostStage.ASSOCIATED


def test_a_hostname_of_ours_is_not_welcome_where_another_installation_would_have_to_follow() -> None:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted())
    zone.add_rules(claimed(HELD, CERTIFICATE, OLD, OLD))
    zone.operator.look()
    zone.wait(100.0)
    (before,) = zone.operator.plans()

    zone.after(replace(zone.ours(), target=ROTATED), seconds=30.0)
    (coming,) = zone.operator.plans()
    zone.wait(5_000.0)
    (there,) = zone.operator.plans()

    assert before.unwelcome == frozenset()
    assert coming.unwelcome == {(ELSEWHERE, API)}
    assert coming.contradicted == {}
    assert there.unwelcome == frozenset()
    assert zone.stage() == HostProgress(HostStage.MOVING, waits_for=("them",), meanwhile=Action.BLOCK)


def test_a_hostname_of_ours_is_welcome_where_nobody_else_has_it() -> None:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted())

    zone.after(replace(zone.ours(), target=ROTATED), seconds=30.0)

    (plan,) = zone.operator.plans()
    assert plan.unwelcome == frozenset()


def test_what_one_token_gives_up_is_not_kept_for_another_that_may_not_bring_it_in() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=30.0)
    zone.after(replace(zone.ours(), blocked=True), seconds=1.0)
    zone.add_rules(claimed(HELD, ELSEWHERE, NEW, NEW))
    zone.operator.look()
    zone.after(replace(wanted(), key=ResourceKey("apps", "with-another-token"), party=1), seconds=30.0)

    zone.after(replace(zone.ours(), blocked=False, hostnames=("www.example.com",)))

    assert API not in zone.listed
    assert zone.ours().managed == {CERTIFICATE: frozenset({"www.example.com"})}
