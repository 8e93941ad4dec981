"""When an account or a zone is due to be looked at, and what a look costs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import BindingRecord
from mtls_operator.engine.keys import AccountKey, UnzonedKey, ZoneKey
from mtls_operator.engine.resync_schedule import ResyncSchedule, calls_of, leeway_of
from tests.unit.domain.binding_records import ACCOUNT, CERTIFICATE, OTHER_CERTIFICATE, authority, binding
from tests.unit.engine.fixed_clock import FixedClock
from tests.unit.engine.situations import OF_THE_TEAM, OPERATORS_OWN, credentials_of, situation_of

ZONE = "f" * 32
IN_FORCE = {"certificateId": CERTIFICATE, "fingerprints": ["ab" * 32], "keyIdentifiers": ["AB12"]}
CA = authority(status=IN_FORCE)
OWN_TOKEN = {"credentialsRef": {"name": "own", "key": "token"}}
QUARTER_OF_AN_HOUR = 900.0


def bound(name: str, *certificates: CertificateId, spec: Mapping[str, object] | None = None) -> BindingRecord:
    """A binding that owns a hostname on these lists of the zone."""
    managed = {certificate: [f"{name}.example.com"] for certificate in certificates}
    status = HostBindingStatus(zone_id=ZONE, zone_name="example.com")
    return binding(name, spec=spec, managed=managed, status=status)


def schedule_of(clock: FixedClock, *bindings: BindingRecord) -> ResyncSchedule:
    situation = situation_of(clock, [CA], bindings)
    return ResyncSchedule(situation, credentials_of(situation))


def test_a_look_at_a_zone_costs_its_rules_and_each_list_once_however_many_bindings_it_has() -> None:
    situation = situation_of(
        FixedClock(),
        [CA],
        [bound("a", CERTIFICATE), bound("b", CERTIFICATE), bound("c", CERTIFICATE, OTHER_CERTIFICATE)],
    )
    credentials = credentials_of(situation)

    assert calls_of(ZoneKey(ZONE), situation, credentials) == {credentials.budget(OPERATORS_OWN): 3}


def test_each_token_pays_for_its_own_lists_and_one_of_them_for_the_rules() -> None:
    situation = situation_of(FixedClock(), [CA], [bound("a", CERTIFICATE), bound("b", CERTIFICATE, spec=OWN_TOKEN)])
    credentials = credentials_of(situation)

    assert calls_of(ZoneKey(ZONE), situation, credentials) == {
        credentials.budget(OPERATORS_OWN): 2,
        credentials.budget(OF_THE_TEAM): 1,
    }


def test_a_look_at_an_account_costs_one_listing_for_each_token() -> None:
    cas = (
        authority("a", status=IN_FORCE),
        authority("b", status=IN_FORCE),
        authority("c", status=IN_FORCE, spec=OWN_TOKEN),
        authority("not-uploaded-yet", spec={"credentialsRef": {"name": "another", "key": "token"}}),
    )
    situation = situation_of(FixedClock(), cas)
    credentials = credentials_of(situation)

    assert calls_of(AccountKey(ACCOUNT), situation, credentials) == {
        credentials.budget(OPERATORS_OWN): 1,
        credentials.budget(OF_THE_TEAM): 1,
    }


@pytest.mark.parametrize("key", [ZoneKey(ZONE), AccountKey("0" * 32), UnzonedKey()])
def test_where_nothing_is_ours_there_is_nothing_to_look_at(key: ZoneKey | AccountKey | UnzonedKey) -> None:
    schedule = schedule_of(FixedClock(), binding("not-begun"))

    schedule.note(key, busy=False)

    assert (schedule.again(key), schedule.take(key)) == (None, False)


def test_a_zone_is_due_once_its_time_has_come_and_then_not_for_a_period() -> None:
    clock = FixedClock()
    schedule = schedule_of(clock, bound("a", CERTIFICATE))
    schedule.note(ZoneKey(ZONE), busy=False)
    early = schedule.take(ZoneKey(ZONE))
    clock.advance(schedule.again(ZoneKey(ZONE)) or 0.0)

    taken = [schedule.take(ZoneKey(ZONE)), schedule.take(ZoneKey(ZONE))]

    assert (early, taken) == (False, [True, False])
    assert 300.0 <= (schedule.again(ZoneKey(ZONE)) or 0.0) <= 375.0


def test_a_zone_that_is_busy_reads_on_its_own_up_to_the_ceiling() -> None:
    clock = FixedClock()
    schedule = schedule_of(clock, bound("a", CERTIFICATE))
    schedule.note(ZoneKey(ZONE), busy=True)
    clock.advance(QUARTER_OF_AN_HOUR - 1)
    before = schedule.take(ZoneKey(ZONE))
    clock.advance(1)

    assert (before, schedule.take(ZoneKey(ZONE))) == (False, True)


def test_a_zone_whose_last_binding_is_gone_is_forgotten() -> None:
    clock = FixedClock()
    only = bound("a", CERTIFICATE)
    schedule = schedule_of(clock, only)
    schedule.note(ZoneKey(ZONE), busy=False)
    schedule.situation.bindings.remove(only)

    schedule.note(ZoneKey(ZONE), busy=False)

    assert schedule.again(ZoneKey(ZONE)) is None


def test_while_others_use_up_the_limit_looks_become_rare_and_it_is_known() -> None:
    clock = FixedClock()
    schedule = schedule_of(clock, bound("a", CERTIFICATE))
    schedule.note(ZoneKey(ZONE), busy=False)
    _hear(schedule, left=2)
    clock.advance(QUARTER_OF_AN_HOUR)
    too_early = schedule.take(ZoneKey(ZONE))
    delayed = schedule.is_delayed(ZoneKey(ZONE))
    clock.advance(1500.0)

    assert (too_early, delayed) == (False, True)
    assert (schedule.take(ZoneKey(ZONE)), schedule.is_delayed(ZoneKey(ZONE))) == (True, False)


def test_without_news_the_whole_limit_is_there_as_documented_or_as_announced() -> None:
    clock = FixedClock()
    schedule = schedule_of(clock, bound("a", CERTIFICATE))
    budget = schedule.credentials.budget(OPERATORS_OWN)
    assert budget is not None
    documented = leeway_of(budget)
    budget.note(200, {"ratelimit-policy": '"default";q=100;w=60'})
    announced = leeway_of(budget)

    assert [(each.requests, each.window) for each in (documented, announced)] == [(1200, 300.0), (100, 60)]


def _hear(schedule: ResyncSchedule, left: int) -> None:
    """An answer that says how much is left."""
    budget = schedule.credentials.budget(OPERATORS_OWN)
    assert budget is not None
    budget.note(200, {"ratelimit": f'"default";r={left};t=100', "ratelimit-policy": '"default";q=1200;w=300'})
