"""Things that go wrong on order."""

from __future__ import annotations

import contextlib

import cloudflare
import httpx
import pytest

from testbed.cloudflare.faults import (
    AnswerPage,
    AnswerStatus,
    Call,
    Cut,
    Delay,
    Effect,
    Fault,
    Garble,
    Match,
    Moment,
)
from testbed.cloudflare.transport import AsyncSimulationTransport
from tests.contract.cloudflare_simulation.world import ACCOUNT, BASE_URL, TOKEN, World, ca


def test_an_error_status_comes_in_the_envelope_and_nothing_happens(world: World) -> None:
    world.simulation.faults.add(Fault(AnswerStatus(503, retry_after=7)))

    with pytest.raises(cloudflare.InternalServerError) as refused:
        world.upload(ca())

    assert refused.value.status_code == 503
    assert refused.value.response.headers["retry-after"] == "7"
    assert world.simulation.state.certificates[ACCOUNT] == {}


def test_an_error_page_is_html(world: World) -> None:
    world.simulation.faults.add(Fault(AnswerPage(502)))

    answer = world.raw().get("/zones")

    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=UTF-8")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("garble", list(Garble))
def test_a_garbled_answer_is_no_json_although_the_request_was_handled(world: World, garble: Garble) -> None:
    world.simulation.faults.add(Fault(garble))
    body = {"ca": True, "certificates": ca().pem}

    answer = world.raw().post(f"/accounts/{ACCOUNT}/mtls_certificates", json=body)

    assert answer.status_code == 200
    with pytest.raises(ValueError, match="char"):
        answer.json()
    assert len(world.simulation.state.certificates[ACCOUNT]) == 1


@pytest.mark.parametrize(("moment", "uploads"), [(Moment.BEFORE, 0), (Moment.AFTER, 1)])
def test_a_cut_connection_leaves_the_client_in_the_dark(world: World, moment: Moment, uploads: int) -> None:
    world.simulation.faults.add(Fault(Cut(moment)))

    with pytest.raises(cloudflare.APIConnectionError):
        world.upload(ca())

    assert len(world.simulation.state.certificates[ACCOUNT]) == uploads
    assert world.simulation.log[0].delivered is False


@pytest.mark.parametrize("moment", list(Moment))
def test_a_delay_passes_on_the_clock(world: World, moment: Moment) -> None:
    world.simulation.faults.add(Fault(Delay(12.5, moment)))
    start = world.clock()

    world.raw().get("/zones")

    assert world.clock() - start == 12.5


@pytest.mark.parametrize(("moment", "handled_at"), [(Moment.BEFORE, 12.5), (Moment.AFTER, 0.0)])
async def test_a_delay_comes_before_or_after_the_request_is_handled(
    world: World, moment: Moment, handled_at: float
) -> None:
    world.simulation.faults.add(Fault(Delay(12.5, moment)))
    start = world.clock()

    async def sleep(seconds: float) -> None:
        world.clock.advance(seconds)

    transport = AsyncSimulationTransport(world.simulation, sleep)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        await client.get("/zones", headers={"authorization": f"Bearer {TOKEN}"})

    assert world.simulation.log[0].time - start == handled_at


async def test_a_cut_connection_is_an_error_for_asynchronous_clients_too(world: World) -> None:
    world.simulation.faults.add(Fault(Cut(Moment.AFTER)))
    transport = AsyncSimulationTransport(world.simulation)

    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        with pytest.raises(httpx.ReadError):
            await client.get("/zones")


def test_a_fault_hits_only_what_it_matches(world: World) -> None:
    world.simulation.faults.add(Fault(AnswerStatus(500), Match("GET", "/mtls_certificates$")))
    client = world.raw()

    statuses = [
        client.get("/zones").status_code,
        client.get(f"/accounts/{ACCOUNT}/mtls_certificates").status_code,
    ]

    assert statuses == [200, 500]


def test_a_fault_hits_as_often_as_it_says_and_skips_before(world: World) -> None:
    world.simulation.faults.add(Fault(AnswerStatus(500), times=2, skip=1))
    client = world.raw()

    statuses = [client.get("/zones").status_code for _ in range(5)]

    assert statuses == [200, 500, 500, 200, 200]


def test_a_fault_without_a_number_hits_until_it_is_cleared(world: World) -> None:
    world.simulation.faults.add(Fault(AnswerStatus(500), times=None))
    client = world.raw()
    during = {client.get("/zones").status_code for _ in range(10)}

    world.simulation.faults.clear()

    assert during == {500}
    assert client.get("/zones").status_code == 200


@pytest.mark.parametrize(
    "effect", [AnswerStatus(500), AnswerPage(), Cut(Moment.BEFORE)], ids=["status", "page", "cut before"]
)
def test_a_request_that_is_not_handled_does_not_count_towards_the_rate_limit(world: World, effect: Effect) -> None:
    world.simulation.faults.add(Fault(effect, Match(path="/first")))
    client = world.raw()
    with contextlib.suppress(httpx.ReadError):
        client.get("/first")

    assert client.get("/zones").headers["ratelimit"].startswith('"default";r=1199')


@pytest.mark.parametrize(("moment", "seen"), [(Moment.BEFORE, 0), (Moment.AFTER, 1)])
def test_a_function_is_called_before_or_after_the_request_is_handled(world: World, moment: Moment, seen: int) -> None:
    counts: list[int] = []
    world.simulation.faults.add(
        Fault(Call(lambda _, __: counts.append(len(world.simulation.state.certificates[ACCOUNT])), moment))
    )

    world.upload(ca())

    assert counts == [seen]
