"""A small part of what `python -m testbed.chaos` plays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.chaos.acts import ApplyAuthority, ApplyBinding, DeleteAuthority, DeleteBinding, LoseStatus, Nudge
from testbed.chaos.crash import SCENARIOS, main
from testbed.chaos.dashboard import DashboardHostname, DestroyCertificate, EmptyRuleset, TakeOff
from testbed.chaos.play import Outcome, play
from testbed.chaos.secret_acts import ChangeSource
from testbed.chaos.shrinking import shrunk
from testbed.chaos.story import Story, story_of
from testbed.chaos.world import Setting
from testbed.cluster.virtual_time import EPOCH

_FIRST, _STORIES = 300, 24
_BUNDLES = ("blue", "red")
_A_LISTING_AND_A_SECOND_ONE = 120.0
"""Seconds: a consistency window and some."""


@pytest.mark.parametrize("first", range(_FIRST, _FIRST + _STORIES, 8))
def test_every_story_ends_as_it_should_and_breaks_no_invariant(first: int) -> None:
    outcomes = {seed: play(story_of(seed)) for seed in range(first, first + 8)}

    assert {seed: _wrong(outcome) for seed, outcome in outcomes.items() if outcome.failed} == {}


def test_the_stories_are_full_of_acts_faults_and_deaths() -> None:
    tallies = [play(story_of(seed)).tally for seed in range(400, 412)]

    assert sum(each.operations for each in tallies) > 20
    assert sum(each.faults for each in tallies) > 5
    assert sum(each.crashes for each in tallies) > 1


def test_a_hostname_that_one_cluster_alone_moves_to_another_ca_is_given_up_by_the_other_in_the_end() -> None:
    acts = (
        *(ApplyAuthority(at=0.0, site=site, namespace="shop", bundle="red") for site in (0, 1)),
        *(_binding(site, "red", at=1.0) for site in (0, 1)),
        ApplyAuthority(at=600.0, site=1, namespace="shop", bundle="blue"),
        _binding(1, "blue", at=700.0),
    )

    outcome = play(Story(Setting(seed=1, installations=2), acts))

    assert _wrong(outcome) == ()


def test_who_only_logs_says_so_when_another_cluster_came_with_another_ca_while_the_ruleset_was_empty() -> None:
    acts = (
        *(ApplyAuthority(at=0.0, site=site, namespace="shop", bundle=bundle) for site, bundle in enumerate(_BUNDLES)),
        replace(_binding(1, _BUNDLES[1], at=1.0), action="Log"),
        EmptyRuleset(at=600.0, zone="example.org"),
        _binding(0, _BUNDLES[0], at=601.0),
    )

    outcome = play(Story(Setting(seed=1, installations=2), acts))

    assert _wrong(outcome) == ()
    assert any("WaitingForOthers of MtlsHostBinding one" in line for line in outcome.trace)


@pytest.mark.parametrize("side_by_side", [False, True])
def test_where_one_cluster_alone_rotates_a_ca_the_overlap_begins_when_the_other_gives_the_hostname_up(
    *, side_by_side: bool
) -> None:
    acts = (
        *(
            ApplyAuthority(at=0.0, site=site, namespace="shop", bundle="red", side_by_side=side_by_side)
            for site in (0, 1)
        ),
        *(_binding(site, "red", at=1.0) for site in (0, 1)),
        ChangeSource(at=700.0, site=1, namespace="shop", bundle="red", version=1),
        DeleteBinding(at=3000.0, site=0, namespace="shop", name="one"),
        Nudge(at=3400.0, site=1, namespace="shop", name="one"),
    )

    outcome = play(Story(Setting(seed=1, installations=2, overlap=900.0), acts))

    assert _wrong(outcome) == ()


def test_a_certificate_that_somebody_deleted_is_uploaded_again_as_soon_as_its_list_is_missed() -> None:
    acts = (
        ApplyAuthority(at=0.0, site=0, namespace="shop", bundle="red"),
        _binding(0, "red", at=1.0),
        DestroyCertificate(at=400.0, site=0, bundle="red", pick=0),
    )

    outcome = play(Story(Setting(seed=1, installations=1), acts))

    uploads = [line.split()[0] for line in outcome.trace if "POST" in line and "/mtls_certificates -> 200" in line]
    looks = [line.split()[0] for line in outcome.trace if "hostname_associations?" in line and "-> 404" in line]
    assert _wrong(outcome) == ()
    assert len(uploads) == 2
    assert float(uploads[1]) - float(looks[1]) < _A_LISTING_AND_A_SECOND_ONE


@pytest.mark.parametrize(("taken_off_at", "is_left"), [(900.0, True), (150.0, False)])
def test_a_certificate_that_people_used_when_its_ca_went_is_nobodys_when_they_use_it_no_more(
    taken_off_at: float, *, is_left: bool
) -> None:
    acts = (
        ApplyAuthority(at=0.0, site=0, namespace="shop", bundle="red"),
        DashboardHostname(at=100.0, site=0, zone="example.com", bundle="red", hostname="old.example.com"),
        DeleteAuthority(at=200.0, site=0, namespace="shop", bundle="red"),
        TakeOff(at=taken_off_at, site=0, zone="example.com", bundle="red", pick=0),
    )

    outcome = play(Story(Setting(seed=1, installations=1), tuple(sorted(acts, key=lambda act: act.at))))

    assert _wrong(outcome) == ()
    assert ("CertificateKept" in "\n".join(outcome.trace)) is is_left


def test_a_ca_that_is_being_deleted_waits_for_a_binding_that_loses_its_status_meanwhile() -> None:
    acts = (
        ApplyAuthority(at=0.0, site=0, namespace="shop", bundle="red"),
        _binding(0, "red", at=1.0),
        DeleteAuthority(at=400.0, site=0, namespace="shop", bundle="red"),
        LoseStatus(at=500.0, site=0, namespace="shop", name="one"),
        DeleteBinding(at=900.0, site=0, namespace="shop", name="one"),
    )

    outcome = play(Story(Setting(seed=1, installations=1), acts))

    assert _wrong(outcome) == ()
    assert "CertificateKept" not in "\n".join(outcome.trace)


def test_a_ca_that_is_being_deleted_does_not_wait_for_a_binding_that_lost_its_hostnames_to_another() -> None:
    given_up = replace(_binding(0, "blue", at=1.0), name="two", hostnames=("m.example.org",))
    acts = (
        *(ApplyAuthority(at=0.0, site=0, namespace="shop", bundle=bundle) for bundle in ("red", "blue")),
        _binding(0, "red", at=1.0),
        given_up,
        replace(given_up, at=400.0, hostnames=("id.example.org",)),
        DeleteAuthority(at=900.0, site=0, namespace="shop", bundle="blue"),
        Nudge(at=2_400.0, site=0, namespace="shop", name="one"),
    )

    outcome = play(Story(Setting(seed=1, installations=1), acts))

    (released,) = [line for line in outcome.trace if "finalizers of MtlsCertificateAuthority shop/blue []" in line]
    assert _wrong(outcome) == ()
    assert float(released.split()[0]) < EPOCH + 1_200.0


def test_the_same_seed_gives_the_same_trace_byte_for_byte() -> None:
    one, two, other = (play(story_of(seed)) for seed in (7, 7, 8))

    assert one.trace == two.trace
    assert one.trace != other.trace


def test_a_death_at_each_request_of_a_set_up_does_no_harm() -> None:
    said: list[str] = []

    assert main(SCENARIOS[:1], said.append) == 0, "\n".join(said)


def test_a_failing_story_is_shrunk_to_what_it_needs_to_fail() -> None:
    kept = shrunk(range(20), lambda acts: {3, 11, 12} <= set(acts))

    assert kept == [3, 11, 12]


def _wrong(outcome: Outcome) -> tuple[str, ...]:
    return outcome.violations + outcome.complaints


def _binding(site: int, bundle: str, *, at: float) -> ApplyBinding:
    return ApplyBinding(
        at=at,
        site=site,
        namespace="shop",
        name="one",
        bundle=bundle,
        authority_namespace="shop",
        zone="example.org",
        hostnames=("id.example.org",),
        status_code=None,
        by_id=True,
    )
