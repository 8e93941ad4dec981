"""A binding changes to a CA that is in an overlap of its own: its earlier CA is accepted for a whole overlap all the
same, though the object that it goes to happens to hold that one too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.domain.marks import Enforcement
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, CalmZone, wanted

BUNDLE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
ALONE = CertificateId("cccccccc-0000-4000-8000-000000000000")
OLD, NEW = frozenset({"a" * 16}), frozenset({"b" * 16})
BEFORE, JOINED = ResourceKey("apps", "before"), ResourceKey("apps", "joined")
DAY = 86_400.0


def policy(*issuers: str, pins: bool) -> Policy:
    return Policy(frozenset(issuers) if pins else None, "block")


@pytest.mark.parametrize("pins", [True, False], ids=["pinned", "not pinned"])
def test_the_earlier_ca_is_accepted_for_the_overlap_of_the_move_when_that_of_the_ca_ends_before(*, pins: bool) -> None:
    zone = CalmZone()
    zone.zone.lists |= {each: Past([0.0], [frozenset[str]()]) for each in (BUNDLE, ALONE)}
    at_rest = Target(CERTIFICATE, OLD, OLD, policy("AA01", pins=pins), authority=BEFORE)
    overlapping = Target(
        BUNDLE,
        NEW,
        OLD | NEW,
        policy("AA01", "BB02", pins=pins),
        until="1970-01-01T02:00:00Z",
        authority=JOINED,
        overlap=DAY,
        issuers=frozenset({"AA01", "BB02"}),
        retiring=frozenset({"AA01"}),
    )
    narrowed = replace(
        overlapping,
        certificate=ALONE,
        in_force=NEW,
        policy=policy("BB02", pins=pins),
        earlier=frozenset({BUNDLE}),
        issuers=frozenset({"BB02"}),
    )
    rotated = replace(narrowed, until=None, earlier=frozenset(), retiring=frozenset())
    zone.after(wanted(target=at_rest))
    zone.after(replace(zone.ours(), target=overlapping), seconds=600.0)

    zone.after(replace(zone.ours(), target=narrowed), seconds=3_600.0)
    between = accepted(zone)
    zone.after(replace(zone.ours(), target=rotated), seconds=DAY)

    both = frozenset({"AA01", "BB02"})
    assert between == ([both if pins else None], {CERTIFICATE, BUNDLE, ALONE})
    assert accepted(zone) == ([frozenset({"BB02"}) if pins else None], {ALONE})


def accepted(zone: CalmZone) -> tuple[list[frozenset[str] | None], set[CertificateId]]:
    """Which issuers the rule accepts, and on which lists the hostname is."""
    issuers = [mark.issuers for mark in zone.marks() if isinstance(mark, Enforcement)]
    return issuers, {each for each, names in zone.zone.lists.items() if API in names.now}
