"""`kill -9` of the operator between any two Cloudflare calls of a set-up and of a tear-down, then a restart."""

from __future__ import annotations

import pytest

from testbed.cloudflare.faults import Moment
from tests.e2e.crashes import SET_UP, TEAR_DOWN, Boundary, Campaign, Cut, boundaries_of, names_of
from tests.e2e.expected_rules import held_and_enforced
from tests.e2e.story import disorder, uploads
from tests.e2e.world import WINDOW, World

every_set_up = pytest.mark.parametrize("boundary", boundaries_of(SET_UP), ids=names_of(SET_UP))
every_tear_down = pytest.mark.parametrize("boundary", boundaries_of(TEAR_DOWN), ids=names_of(TEAR_DOWN))


@pytest.fixture(scope="module")
def campaign(module_world: World) -> Campaign:
    """All crashes, once."""
    campaign = Campaign(module_world)
    campaign.run()
    return campaign


def handled_uploads(cut: Cut) -> int:
    """Uploads that reached Cloudflare, whatever it answered."""
    return len([each for each in uploads(cut.tenant.history) if each.entry.status is not None])


@every_set_up
def test_a_set_up_that_kill_9_cut_short_is_finished_after_the_restart(campaign: Campaign, boundary: Boundary) -> None:
    cut = campaign.set_ups[boundary]
    hostname = cut.tenant.zone.host("api")

    assert cut.call == SET_UP[boundary.number]
    assert [each.fingerprints for each in cut.certificates] == [(cut.tenant.ca.fingerprint,)]
    assert cut.lists == {cut.tenant.zone.name: {hostname}}
    assert cut.rules == held_and_enforced(cut.tenant.ca.key_identifier, hostname)
    assert handled_uploads(cut) == 1


@every_tear_down
def test_a_tear_down_that_kill_9_cut_short_is_finished_after_the_restart(
    campaign: Campaign, boundary: Boundary
) -> None:
    cut = campaign.tear_downs[boundary]

    assert cut.call == TEAR_DOWN[boundary.number]
    assert cut.certificates == []
    assert cut.lists == {}
    assert cut.rules == []
    assert handled_uploads(cut) == 1


@every_tear_down
def test_the_order_is_kept_over_the_crashes_of_a_set_up_and_a_tear_down(campaign: Campaign, boundary: Boundary) -> None:
    cut = campaign.tear_downs[boundary]

    assert disorder(cut.tenant.history, window=WINDOW) == []
    assert cut.tenant.violations == []


@pytest.mark.parametrize("moment", Moment)
def test_every_call_of_a_set_up_and_of_a_tear_down_was_cut(campaign: Campaign, moment: Moment) -> None:
    set_ups = [cut.call for boundary, cut in campaign.set_ups.items() if boundary.moment is moment]
    tear_downs = [cut.call for boundary, cut in campaign.tear_downs.items() if boundary.moment is moment]

    assert set_ups == list(SET_UP)
    assert tear_downs == list(TEAR_DOWN)
