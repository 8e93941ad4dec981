"""Two clusters, one Cloudflare account, one CA, partly the same hostnames: each comes and goes as if alone."""

from __future__ import annotations

import pytest

from tests.e2e.story import uploads
from tests.e2e.two_clusters import ONE, OTHER, ROTATION, STORIES, Story, come, play_all

every_story = pytest.mark.parametrize("name", STORIES)
who_stays = pytest.mark.parametrize(
    ("name", "stays"), [("who came first goes first", OTHER), ("who came last goes first", ONE)]
)


@pytest.fixture(scope="module")
def stories(control_plane_programs: None) -> dict[str, Story]:
    """The stories of two clusters, played to their end."""
    return play_all()


@every_story
def test_both_clusters_have_their_own_rules_and_share_one_list_and_one_certificate(
    stories: dict[str, Story], name: str
) -> None:
    story = stories[name]
    both = next(seen for act, seen in story.done() if act == come(*act.owners) and OTHER in act.owners)

    assert both.listed == story.hostnames(ONE, OTHER)
    assert both.enforced == {owner: story.hostnames(owner) for owner in (ONE, OTHER)}
    assert len(both.certificates) == 1


@every_story
def test_no_cluster_is_ever_uncovered_or_off_the_list_by_what_the_other_does(
    stories: dict[str, Story], name: str
) -> None:
    assert [stories[name].unguarded(owner) for owner in (ONE, OTHER)] == [[], []]


@who_stays
def test_the_rules_of_who_stays_are_not_touched_when_the_other_goes(
    stories: dict[str, Story], name: str, stays: str
) -> None:
    _, both, one, _ = stories[name].seen

    assert one.rules[stays] == both.rules[stays]


@who_stays
def test_who_goes_takes_away_what_nobody_else_binds_and_the_certificate_stays(
    stories: dict[str, Story], name: str, stays: str
) -> None:
    _, both, one, _ = stories[name].seen

    assert one.listed == stories[name].hostnames(stays)
    assert [owner for owner, rules in one.rules.items() if rules] == [stays]
    assert one.certificates == both.certificates


@every_story
def test_the_last_one_out_leaves_nothing(stories: dict[str, Story], name: str) -> None:
    end = stories[name].seen[-1]

    assert (end.listed, end.certificates) == (frozenset(), ())
    assert end.rules == {ONE: (), OTHER: ()}


@pytest.mark.parametrize(("name", "count"), [(name, 3 if name == ROTATION else 1) for name in STORIES])
def test_what_both_need_is_uploaded_once(stories: dict[str, Story], name: str, count: int) -> None:
    """For a rotation the previous CA, both, and the new one."""
    history = stories[name].user.history

    assert len([each for each in uploads(history) if each.entry.status == 200]) == count


def test_the_previous_ca_is_accepted_until_both_clusters_have_the_new_one(stories: dict[str, Story]) -> None:
    story = stories[ROTATION]
    previous, new = story.user.ca.key_identifier, story.new.key_identifier
    before, one_changed, _, settled, *_ = story.seen

    assert before.issuers == {ONE: {previous}, OTHER: {previous}}
    assert one_changed.issuers[ONE] >= {previous, new}
    assert settled.issuers == {ONE: {new}, OTHER: {new}}
    assert len(settled.certificates) == 1
