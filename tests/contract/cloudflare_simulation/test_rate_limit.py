"""1,200 requests per five minutes and token, then nothing for five minutes."""

from __future__ import annotations

import cloudflare
import pytest

from testbed.cloudflare.settings import RateLimit, Settings
from tests.contract.cloudflare_simulation.world import TOKEN, World, make_world

OTHER_TOKEN = "other-" + "1" * 34


@pytest.fixture
def limited() -> World:
    """A world in which three requests per 60 s are allowed, then none for 90 s."""
    world = make_world(Settings(rate_limit=RateLimit(requests=3, window=60, penalty=90)))
    world.simulation.add_token(OTHER_TOKEN)
    return world


def test_the_documented_limit_is_the_default(world: World) -> None:
    answer = world.raw().get("/zones")

    assert answer.headers["ratelimit"] == '"default";r=1199;t=300'
    assert answer.headers["ratelimit-policy"] == '"default";q=1200;w=300'


def test_refusals_carry_the_headers_too(world: World) -> None:
    answer = world.raw().get("/nothing")

    assert answer.headers["ratelimit"] == '"default";r=1199;t=300'


def test_the_headers_count_down(limited: World) -> None:
    client = limited.raw()
    client.get("/zones")
    limited.clock.advance(20)

    assert client.get("/zones").headers["ratelimit"] == '"default";r=1;t=40'


def test_a_new_window_starts_afresh(limited: World) -> None:
    client = limited.raw()
    client.get("/zones")
    limited.clock.advance(60)

    assert client.get("/zones").headers["ratelimit"] == '"default";r=2;t=60'


def test_past_the_limit_the_answer_is_429_and_says_how_long(limited: World) -> None:
    limited.simulation.spend_rate(TOKEN, 3)

    with pytest.raises(cloudflare.RateLimitError) as refused:
        limited.client.zones.list()

    assert refused.value.response.headers["retry-after"] == "90"
    assert refused.value.response.headers["ratelimit"] == '"default";r=0;t=90'


def test_the_penalty_outlasts_the_window(limited: World) -> None:
    limited.simulation.spend_rate(TOKEN, 3)
    client = limited.raw()
    client.get("/zones")

    limited.clock.advance(89)
    early = client.get("/zones")
    limited.clock.advance(1)

    assert (early.status_code, early.headers["retry-after"]) == (429, "1")
    assert client.get("/zones").status_code == 200


def test_tokens_are_counted_apart(limited: World) -> None:
    limited.simulation.spend_rate(TOKEN, 3)
    limited.raw().get("/zones")

    assert limited.raw(OTHER_TOKEN).get("/zones").status_code == 200


def test_a_refused_request_changes_nothing(limited: World) -> None:
    limited.simulation.spend_rate(TOKEN, 3)
    before = limited.simulation.state

    limited.raw().put("/zones/x", json={})

    assert limited.simulation.state is before
