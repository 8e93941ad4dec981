"""What is learned from rate-limit headers, and when calls are held back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.cloudflare import CloudflareClient, RateBudget, RateLimited
from mtls_operator.cloudflare.rate_budget import Policy
from mtls_operator.domain.urgency import Urgency
from tests.unit.cloudflare.answering import CERTIFICATE, ZONE, Bench, Clock, refusal, success


async def test_after_a_429_nothing_is_sent_until_its_time_is_over() -> None:
    bench = Bench(refusal(429, headers={"Retry-After": "30"}), success({"hostnames": []}))

    with pytest.raises(RateLimited) as first:
        await bench.client.get_hostnames(ZONE, CERTIFICATE)
    bench.clock.now += 20
    with pytest.raises(RateLimited) as second:
        await bench.client.get_hostnames(ZONE, CERTIFICATE)

    assert (first.value.status, first.value.retry_after) == (429, 30)
    assert (second.value.status, second.value.retry_after) == (None, 10)
    assert len(bench.script.requests) == 1


async def test_after_the_time_of_a_429_calls_are_sent_again() -> None:
    bench = Bench(refusal(429, headers={"Retry-After": "30"}), success({"hostnames": []}))

    with pytest.raises(RateLimited):
        await bench.client.get_hostnames(ZONE, CERTIFICATE)
    bench.clock.now += 30

    assert await bench.client.get_hostnames(ZONE, CERTIFICATE) == frozenset()


async def test_a_call_held_back_is_not_reported_as_sent() -> None:
    bench = Bench(refusal(429, headers={"Retry-After": "30"}))

    with pytest.raises(RateLimited):
        await bench.client.get_hostnames(ZONE, CERTIFICATE)
    with pytest.raises(RateLimited):
        await bench.client.get_hostnames(ZONE, CERTIFICATE)

    assert len(bench.records) == 1


async def test_the_last_request_of_a_window_is_followed_by_none() -> None:
    bench = Bench(success({"hostnames": []}, {"Ratelimit": '"default";r=0;t=12'}))

    await bench.client.get_hostnames(ZONE, CERTIFICATE)
    with pytest.raises(RateLimited) as held_back:
        await bench.client.get_hostnames(ZONE, CERTIFICATE)

    assert held_back.value.retry_after == 12


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "12"}, 12),
        ({"retry-after": "12.5"}, 12.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 300),
        ({"retry-after": "-5"}, 300),
        ({"retry-after": "999999999"}, 3600),
        ({"ratelimit": '"default";r=0;t=500', "retry-after": "12"}, 500),
    ],
)
def test_a_ban_lasts_as_long_as_cloudflare_says_within_reason(headers: dict[str, str], seconds: float) -> None:
    budget = RateBudget(Clock())

    budget.note(429, headers)

    assert budget.wait() == seconds


def test_a_shorter_ban_does_not_end_a_longer_one() -> None:
    budget = RateBudget(Clock())

    budget.note(429, {"retry-after": "60"})
    budget.note(429, {"retry-after": "5"})

    assert budget.wait() == 60


@pytest.mark.parametrize(
    ("header", "remaining"),
    [
        ('"default";r=50;t=30', 50),
        ('"default"; t=30; r=50', 50),
        ('"burst";r=7;t=10, "default";r=1100;t=250', 7),
        ('"default";r=50', None),
        ("nonsense", None),
        ("", None),
        ('"default";r=-3;t=30', 0),
    ],
)
def test_what_remains_is_what_the_tightest_limit_says(header: str, remaining: int | None) -> None:
    budget = RateBudget(Clock())

    budget.note(200, {"ratelimit": header})

    assert budget.remaining == remaining


def test_what_remained_is_unknown_once_the_window_is_over() -> None:
    clock = Clock()
    budget = RateBudget(clock)

    budget.note(200, {"ratelimit": '"default";r=50;t=30'})
    clock.now += 10
    left = budget.resets_in
    clock.now += 20

    assert left == 20
    assert (budget.remaining, budget.resets_in) == (None, None)


@pytest.mark.parametrize(
    ("header", "policy"),
    [
        ('"burst";q=100;w=60', Policy(100, 60)),
        ('"burst";q=100;w=10, "default";q=1200;w=300', Policy(1200, 300)),
        ('"default";q=0;w=0', None),
        ("", None),
    ],
)
def test_the_policy_is_the_slowest_one(header: str, policy: Policy | None) -> None:
    budget = RateBudget(Clock())

    budget.note(200, {"ratelimit-policy": header})

    assert budget.policy == policy


@pytest.mark.parametrize(
    ("left", "waits"),
    [
        (301, [0, 0, 0]),
        (300, [0, 0, 100]),
        (120, [0, 100, 100]),
        (0, [100, 100, 100]),
    ],
)
def test_what_is_left_is_kept_for_what_is_urgent_until_the_window_is_over(left: int, waits: list[float]) -> None:
    budget = RateBudget(Clock())

    budget.note(200, {"ratelimit": f'"default";r={left};t=100', "ratelimit-policy": '"default";q=1200;w=300'})

    assert [budget.wait(each) for each in (Urgency.WITHDRAWAL, Urgency.ARRIVAL, Urgency.DRIFT_CHECK)] == waits


@pytest.mark.parametrize(
    ("limit", "policy", "wait"),
    [
        ('"burst";r=60;t=10, "default";r=1100;t=250', '"burst";q=100;w=60, "default";q=1200;w=300', 0),
        ('"burst";r=20;t=10, "default";r=1100;t=250', '"burst";q=100;w=60, "default";q=1200;w=300', 10),
        ('"default";r=290;t=30', '"burst";q=100;w=60', 0),
        ('"default";r=290;t=30', "", 30),
    ],
    ids=["its own limit", "its own limit, low", "another name", "no limit told"],
)
def test_how_much_is_little_follows_from_the_limit_that_it_is_left_of(limit: str, policy: str, wait: float) -> None:
    budget = RateBudget(Clock())

    budget.note(200, {"ratelimit": limit, "ratelimit-policy": policy})

    assert budget.wait(Urgency.DRIFT_CHECK) == wait


async def test_a_call_that_is_not_urgent_enough_is_not_sent() -> None:
    bench = Bench(success({"hostnames": []}, {"Ratelimit": '"default";r=100;t=50'}))
    client = CloudflareClient(bench.http, bench.token, bench.budget, urgency=Urgency.ARRIVAL)
    await client.get_hostnames(ZONE, CERTIFICATE)

    with pytest.raises(RateLimited):
        await client.get_hostnames(ZONE, CERTIFICATE)

    assert len(bench.script.requests) == 1


def test_installations_that_were_stopped_together_go_on_apart() -> None:
    budgets = [RateBudget(Clock(), random.Random(seed)) for seed in range(10)]
    for budget in budgets:
        budget.note(429, {"retry-after": "300"})
    waits = [budget.wait() for budget in budgets]

    assert min(waits) >= 300
    assert max(waits) <= 360
    assert max(waits) - min(waits) > 20


def test_the_moment_at_which_calls_go_on_stays_the_same_as_answers_come() -> None:
    clock = Clock()
    budget = RateBudget(clock, random.Random(0))
    moments = []
    for elapsed in range(5):
        budget.note(200, {"ratelimit": f'"default";r=10;t={100 - elapsed}'})
        moments.append(clock.now + budget.wait(Urgency.ARRIVAL))
        clock.now += 1

    assert max(moments) - min(moments) < 1.1


def test_the_least_that_was_left_lately_is_remembered() -> None:
    clock = Clock()
    budget = RateBudget(clock)
    left = []

    for remaining in (900, 40, 1100, 700):
        budget.note(200, {"ratelimit": f'"default";r={remaining};t=200', "ratelimit-policy": '"default";q=1200;w=300'})
        clock.now += 200
        left.append((budget.least_left(500), budget.least_left(1500)))

    assert left == [(900, 900), (40, 40), (1100, 40), (700, 40)]


def test_a_refusal_says_that_nothing_was_left() -> None:
    budget = RateBudget(Clock())
    heard = budget.least_left(1500)

    budget.note(429, {"retry-after": "60"})

    assert (heard, budget.least_left(1500)) == (None, 0)


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=40))
def test_no_header_breaks_the_budget(limit: str, policy: str, retry: str) -> None:
    budget = RateBudget(Clock())

    budget.note(429, {"ratelimit": limit, "ratelimit-policy": policy, "retry-after": retry})

    assert 1 <= budget.wait() <= 3600
