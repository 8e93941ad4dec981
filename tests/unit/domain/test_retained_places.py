"""A rule that was left in force names hostnames and no list: which lists keep them because of it, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Enforcement
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_retained import OTHER, kept, retained, rule_of_others
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, OTHERS, TARGET, CalmZone, enforced, wanted

ELSEWHERE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
BOTH = frozenset({"AA01", "BB02"})
NEW = frozenset({"b" * 16})
ANOTHER_CA = Target(ELSEWHERE, NEW, NEW, Policy(frozenset({"BB02"}), "block"), overlap=3600.0)
BUNDLE = Target(ELSEWHERE, TARGET.aim, TARGET.in_force, Policy(BOTH, "block"))


def with_another_list(zone: CalmZone, *hostnames: str) -> CalmZone:
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset(hostnames)])
    return zone


def lists_of(zone: CalmZone, hostname: str = API) -> list[CertificateId]:
    return [certificate for certificate, names in zone.zone.lists.items() if hostname in names.now]


@pytest.mark.parametrize("seconds", [30.0, 150.0], ids=["on its way", "held"])
def test_a_hostname_that_moves_on_leaves_the_earlier_list_when_it_is_out_of_the_rule_that_others_left(
    seconds: float,
) -> None:
    theirs = replace(kept(), installation=OTHERS, issuers=BOTH)
    zone = with_another_list(CalmZone(rules=(rule_of_others(theirs),), hostnames=frozenset()))
    zone.after(wanted(), seconds=seconds)

    zone.after(replace(zone.ours(), target=BUNDLE))

    assert lists_of(zone) == [ELSEWHERE]
    assert [mark for mark in zone.marks() if isinstance(mark, Enforcement)] == [replace(enforced(), issuers=BOTH)]
    assert zone.ours().managed == {ELSEWHERE: {API}}


def test_as_long_as_it_is_in_that_rule_it_stays_on_the_earlier_list_and_in_the_status() -> None:
    theirs = replace(kept(), installation=OTHERS, issuers=BOTH)
    zone = with_another_list(CalmZone(rules=(rule_of_others(theirs),), hostnames=frozenset()))
    zone.after(wanted(), seconds=30.0)

    zone.after(replace(zone.ours(), target=BUNDLE), seconds=30.0)
    zone.after(replace(zone.ours(), blocked=True))

    assert lists_of(zone) == [CERTIFICATE, ELSEWHERE]
    assert zone.ours().managed == {CERTIFICATE: {API}, ELSEWHERE: {API}}


def test_what_was_only_on_its_way_to_another_list_leaves_it_and_what_is_in_force_is_retained() -> None:
    zone = with_another_list(CalmZone())
    zone.after(wanted())
    zone.cluster.put(retained(zone))
    zone.after(Binding(OTHER, (API,), BUNDLE), seconds=30.0)
    on_its_way = lists_of(zone)

    zone.after(replace(zone.cluster.bindings[OTHER], deleting=True))

    assert on_its_way == [CERTIFICATE, ELSEWHERE]
    assert lists_of(zone) == [CERTIFICATE]
    assert zone.marks() == [kept(), None]
    assert zone.cluster.bindings == {}


def test_what_is_held_on_two_lists_is_retained_on_both_because_the_rule_may_rely_on_either() -> None:
    zone = with_another_list(CalmZone())
    zone.after(wanted())
    zone.cluster.put(retained(zone))
    zone.after(Binding(OTHER, (API,), ANOTHER_CA), seconds=600.0)
    moving = lists_of(zone)

    zone.after(replace(zone.cluster.bindings[OTHER], deleting=True))

    assert moving == [CERTIFICATE, ELSEWHERE]
    assert lists_of(zone) == [CERTIFICATE, ELSEWHERE]
    assert zone.marks() == [replace(kept(), issuers=BOTH), None]
    assert zone.cluster.bindings == {}


def test_what_others_left_keeps_a_hostname_without_a_rule_on_the_earlier_list_and_nobody_waits_for_it() -> None:
    theirs = replace(kept(), installation=OTHERS, issuers=BOTH)
    zone = with_another_list(CalmZone(rules=(rule_of_others(theirs),), hostnames=frozenset()))
    bare = Policy(None, "none")
    zone.after(wanted(target=replace(TARGET, policy=bare)))

    zone.after(replace(zone.ours(), target=replace(BUNDLE, policy=bare)))

    assert lists_of(zone) == [CERTIFICATE, ELSEWHERE]
    assert zone.ours().managed == {ELSEWHERE: {API}}
