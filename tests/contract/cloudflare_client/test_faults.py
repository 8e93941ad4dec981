"""What goes wrong on the way, and that nothing is sent twice."""

from __future__ import annotations

import time

import pytest

from mtls_operator.cloudflare import (
    AlreadyExists,
    ApiToken,
    CloudflareClient,
    MalformedAnswer,
    RateBudget,
    RateLimited,
    ServerFault,
    Unreachable,
    open_http,
)
from testbed.cloudflare.faults import AnswerPage, AnswerStatus, Cut, Effect, Fault, Garble, Match, Moment
from testbed.cloudflare.server import CloudflareServer
from testbed.cloudflare.settings import RateLimit, Settings
from tests.contract.cloudflare_client.simulated import ACCOUNT, HOST, TOKEN, ZONE, World


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Cut(Moment.AFTER), Unreachable),
        (Garble.TRUNCATED, MalformedAnswer),
        (Garble.MALFORMED, MalformedAnswer),
    ],
)
async def test_an_upload_whose_answer_is_lost_has_happened(effect: Effect, error: type[Exception]) -> None:
    world = World()
    pem = world.authority()
    world.cloudflare.faults.add(Fault(effect, Match(method="POST")))

    with pytest.raises(error) as caught:
        await world.uploaded(pem)

    assert getattr(caught.value, "answer_lost", None) is True
    assert len(world.cloudflare.log) == 1
    with pytest.raises(AlreadyExists):
        await world.uploaded(pem)


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Cut(Moment.BEFORE), Unreachable),
        (AnswerPage(502), ServerFault),
        (AnswerStatus(500), ServerFault),
        (AnswerStatus(503, retry_after=5), ServerFault),
        (AnswerPage(403), MalformedAnswer),
    ],
)
async def test_a_put_that_fails_is_not_sent_again(effect: Effect, error: type[Exception]) -> None:
    world = World()
    uploaded = await world.uploaded()
    world.cloudflare.faults.add(Fault(effect, Match(method="PUT")))

    with pytest.raises(error):
        await world.client.put_hostnames(ZONE, uploaded.id, {HOST})

    assert [entry.method for entry in world.cloudflare.log].count("PUT") == 1
    assert await world.client.get_hostnames(ZONE, uploaded.id) == frozenset()


async def test_past_the_limit_cloudflare_is_left_alone_until_it_answers_again() -> None:
    world = World(settings=Settings(rate_limit=RateLimit(requests=3, window=60, penalty=120)))
    world.cloudflare.spend_rate(TOKEN, 3)

    with pytest.raises(RateLimited) as refused:
        await world.client.list_certificates(ACCOUNT)
    world.clock.now += 119
    with pytest.raises(RateLimited) as held_back:
        await world.client.list_certificates(ACCOUNT)
    calls_while_banned = len(world.cloudflare.log)
    world.clock.now += 1

    assert (refused.value.status, refused.value.retry_after) == (429, 120)
    assert (held_back.value.status, held_back.value.retry_after) == (None, 1)
    assert calls_while_banned == 1
    assert await world.client.list_certificates(ACCOUNT) == ()


async def test_the_last_call_of_a_budget_does_not_lead_into_the_ban() -> None:
    world = World(settings=Settings(rate_limit=RateLimit(requests=1, window=60, penalty=300)))

    await world.client.list_certificates(ACCOUNT)
    with pytest.raises(RateLimited):
        await world.client.list_certificates(ACCOUNT)
    world.clock.now += 60

    assert await world.client.list_certificates(ACCOUNT) == ()
    assert {entry.status for entry in world.cloudflare.log} == {200}


async def test_over_a_real_connection_a_lost_answer_is_told_as_such() -> None:
    world = World()
    with CloudflareServer(world.cloudflare) as server:
        async with open_http(server.url) as http:
            client = CloudflareClient(http, ApiToken(TOKEN), RateBudget(time.monotonic))
            uploaded = await client.upload_certificate(ACCOUNT, name="ca", pem=world.authority())
            world.cloudflare.faults.add(Fault(Cut(Moment.AFTER), Match(method="PUT")))

            with pytest.raises(Unreachable) as caught:
                await client.put_hostnames(ZONE, uploaded.id, {HOST})

            assert caught.value.answer_lost is True
            assert await client.get_hostnames(ZONE, uploaded.id) == {HOST}


async def test_where_nobody_listens_a_write_is_known_not_to_have_happened() -> None:
    world = World()
    with CloudflareServer(world.cloudflare) as server:
        url = server.url
    async with open_http(url) as http:
        client = CloudflareClient(http, ApiToken(TOKEN), RateBudget(time.monotonic))

        with pytest.raises(Unreachable) as caught:
            await client.upload_certificate(ACCOUNT, name="ca", pem=world.authority())

    assert caught.value.answer_lost is False
