"""Invariant 6: a rotation ends the validity of an issuer only when that is due."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from testbed.cloudflare.monitor import Monitor, Retirement
from tests.contract.cloudflare_simulation.monitored import (
    LONG,
    OTHER_ROOT,
    ROOT,
    WINDOW,
    Monitored,
    hosts,
    make_monitored,
    pinned,
)

HOST = "a.example.com"
OVERLAP = 600.0
OLD, NEW = ROOT.key_identifier, OTHER_ROOT.key_identifier
BOTH, NEW_ALONE = pinned(HOST, issuers=(OLD, NEW)), pinned(HOST, issuers=(NEW,))
UNPINNED = f"({hosts(HOST)} and not cf.tls_client_auth.cert_verified)"


@dataclass
class Rotating:
    """`east` enforces HOST with both issuers and is associated with both; `retired`: when its users retired the old."""

    world: Monitored
    retired: dict[str, float]
    first: str = BOTH
    """The expression of the rule in the beginning."""
    new: str = ""
    rule: str = ""
    old_certificate: str = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        self.new, self.old_certificate = world.certificate_of(OTHER_ROOT), world.certificate
        for certificate in (self.old_certificate, self.new):
            world.east.put(certificate, HOST)
        world.east.claim("held", self.new, HOST)
        self.rule = world.east.enforce(HOST, expression=self.first)

    def narrow(self) -> None:
        """The rule accepts the new issuer alone."""
        self.world.east.enforce(HOST, rule=self.rule, expression=NEW_ALONE)


@pytest.fixture
def rotating() -> Rotating:
    return _rotating()


def test_narrowing_after_the_overlap_is_fine(rotating: Rotating) -> None:
    rotating.retired["east"] = rotating.world.clock()
    rotating.world.wait(OVERLAP)

    rotating.narrow()

    assert rotating.world.violated == []


def test_narrowing_during_the_overlap_violates_invariant_6(rotating: Rotating) -> None:
    rotating.world.wait(OVERLAP)
    rotating.retired["east"] = rotating.world.clock()
    rotating.world.wait(OVERLAP / 2)

    rotating.narrow()

    assert rotating.world.violated == [6]


def test_narrowing_before_the_new_issuer_was_valid_for_the_overlap_violates_invariant_6() -> None:
    rotating = _rotating(first=pinned(HOST))
    rotating.retired["east"] = rotating.world.clock() + 1.0
    rotating.world.wait(OVERLAP)
    rotating.world.east.enforce(HOST, rule=rotating.rule, expression=BOTH)
    rotating.world.wait(OVERLAP / 2)

    rotating.narrow()

    assert rotating.world.violated == [6]


def test_an_issuer_that_became_valid_after_everybody_had_retired_it_was_promised_to_nobody(rotating: Rotating) -> None:
    rotating.retired["east"] = rotating.world.clock() - OVERLAP
    rotating.world.wait(OVERLAP / 2)

    rotating.narrow()

    assert rotating.world.violated == []


def test_ending_an_issuer_that_the_user_wants_violates_invariant_6(rotating: Rotating) -> None:
    rotating.world.wait(OVERLAP)

    rotating.narrow()

    assert rotating.world.violated == [6]


def test_taking_the_hostname_off_the_only_list_of_an_issuer_ends_it_too(rotating: Rotating) -> None:
    rotating.world.wait(OVERLAP)
    rotating.world.east.claim("leaving", rotating.old_certificate, HOST)
    rotating.world.wait(LONG)

    rotating.world.east.put(rotating.old_certificate)

    assert 6 in rotating.world.violated


def test_what_a_person_put_on_a_list_that_nobody_claims_is_not_promised_by_anybody(rotating: Rotating) -> None:
    rotating.world.wait(OVERLAP)

    rotating.world.east.put(rotating.old_certificate)

    assert 6 not in rotating.world.violated


def test_narrowing_while_the_user_of_another_installation_wants_the_issuer_violates_invariant_6(
    rotating: Rotating,
) -> None:
    rotating.retired["east"] = rotating.world.clock()
    rotating.world.west.claim("held", rotating.new, HOST)
    rotating.world.wait(OVERLAP)

    rotating.narrow()

    assert rotating.world.violated == [6]


def test_an_installation_that_begins_to_cover_a_hostname_brings_its_own_issuers(rotating: Rotating) -> None:
    rotating.world.west.claim("held", rotating.new, HOST)

    rotating.world.west.enforce(HOST, expression=NEW_ALONE)

    assert rotating.world.violated == []


@pytest.mark.parametrize(("wanted_again", "violated"), [(False, []), (True, [6, 6])])
def test_what_was_retained_ends_without_an_overlap_unless_somebody_wanted_it_again(
    *, wanted_again: bool, violated: list[int]
) -> None:
    rotating = _rotating(first=pinned(HOST, issuers=(OLD,)))
    east, world = rotating.world.east, rotating.world
    rotating.retired["east"] = world.clock()
    east.enforce(HOST, rule=rotating.rule, expression=pinned(HOST, issuers=(OLD,)), mark=" retained")
    world.wait(2 * OVERLAP)
    ours = east.enforce(HOST, expression=BOTH, ref="mtls_operator_east_both")
    east.drop(rotating.rule)
    if wanted_again:
        world.wait(10.0)
        rotating.retired["east"] = world.clock()

    east.enforce(HOST, rule=ours, expression=NEW_ALONE, ref="mtls_operator_east_both")

    assert world.violated == violated


@pytest.mark.parametrize(
    ("had_a_rule", "unwanted_by_east", "violated"), [(False, True, False), (True, True, True), (False, False, True)]
)
def test_who_withdraws_before_a_rule_of_its_own_was_there_had_promised_nothing_that_others_do_not_want(
    *, had_a_rule: bool, unwanted_by_east: bool, violated: bool
) -> None:
    rotating = _rotating(first=UNPINNED)
    west, world = rotating.world.west, rotating.world
    if unwanted_by_east:
        rotating.retired["east"] = -math.inf
    world.person.put(rotating.old_certificate)
    theirs = world.certificate_of(ROOT, owner="west")
    west.claim("arriving", theirs, HOST)
    west.put(theirs, HOST)
    if had_a_rule:
        world.person.drop(west.enforce(HOST, expression=UNPINNED))
    world.wait(10.0)

    west.put(theirs)

    assert (6 in world.violated) is violated


def test_without_the_users_nobody_knows_what_is_retired() -> None:
    rotating = Rotating(make_monitored(), {})

    rotating.narrow()

    assert rotating.world.violated == []


def _when(retired: dict[str, float], owner: str, issuer: str) -> float:
    return retired.get(owner, math.inf) if issuer == OLD else math.inf


def _rotating(first: str = BOTH) -> Rotating:
    retired: dict[str, float] = {}
    retirement = Retirement(lambda owner, _hostname, issuer: _when(retired, owner, issuer), OVERLAP)
    return Rotating(make_monitored(Monitor(window=WINDOW, retirement=retirement)), retired, first)
