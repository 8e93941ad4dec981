"""Cloudflare is not heard: one call per pause, until it is."""

from __future__ import annotations

import random

import httpx
import pytest

from mtls_operator.cloudflare import CloudflareClient, CloudflareError
from mtls_operator.cloudflare.circuit import FAILURES_IN_A_ROW, Circuit
from mtls_operator.cloudflare.errors import NotSent
from tests.unit.cloudflare.answering import CERTIFICATE, ZONE, Bench, Clock, refusal, success

EMPTY = success({"hostnames": []})


def opened(clock: Clock) -> Circuit:
    """A circuit after as many failures as it takes."""
    circuit = Circuit(clock, random.Random(0))
    for _ in range(FAILURES_IN_A_ROW):
        circuit.note(failed=True)
    return circuit


def test_fewer_failures_than_it_takes_hold_nothing_back() -> None:
    circuit = Circuit(Clock(), random.Random(0))

    for _ in range(FAILURES_IN_A_ROW - 1):
        circuit.note(failed=True)

    assert (circuit.is_open, circuit.ask()) == (False, 0.0)


def test_an_answer_between_them_makes_failures_none_in_a_row() -> None:
    circuit = Circuit(Clock(), random.Random(0))

    for failed in [True] * 4 + [False] + [True] * 4:
        circuit.note(failed=failed)

    assert not circuit.is_open


def test_while_it_is_open_one_call_is_let_through_per_pause() -> None:
    clock = Clock()
    circuit = opened(clock)
    before = circuit.ask()
    clock.now += before

    asked = [circuit.ask(), circuit.ask(), circuit.ask()]

    assert before > 0.0
    assert [wait > 0.0 for wait in asked] == [False, True, True]


def test_pauses_grow_with_each_failed_probe_up_to_a_minute() -> None:
    clock = Clock()
    circuit = opened(clock)
    pauses = []
    for _ in range(10):
        pauses.append(circuit.ask())
        clock.now += pauses[-1]
        circuit.ask()
        circuit.note(failed=True)

    assert pauses[0] <= 2.0
    assert 30.0 <= pauses[-1] <= 60.0


def test_the_first_answer_lets_all_through_again() -> None:
    circuit = opened(Clock())

    circuit.note(failed=False)

    assert [circuit.ask(), circuit.ask()] == [0.0, 0.0]


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.Response(502, text="<html>"),
        httpx.Response(408, text=""),
        httpx.Response(200, text='{"success": true, "resu'),
        refusal(503),
    ],
    ids=["no connection", "time-out", "cut", "HTML page", "408", "truncated", "503"],
)
async def test_what_is_no_answer_of_cloudflares_opens_it(fault: httpx.Response | Exception) -> None:
    bench, circuit = Bench(fault), Circuit(Clock(), random.Random(0))

    await _call(bench, circuit, times=FAILURES_IN_A_ROW + 3)

    assert circuit.is_open
    assert len(bench.script.requests) == FAILURES_IN_A_ROW


@pytest.mark.parametrize(
    "answer", [EMPTY, refusal(400), refusal(401), refusal(403), refusal(404)], ids=["200", "400", "401", "403", "404"]
)
async def test_whatever_cloudflare_says_itself_keeps_it_closed(answer: httpx.Response) -> None:
    bench, circuit = Bench(answer), Circuit(Clock(), random.Random(0))

    await _call(bench, circuit, times=FAILURES_IN_A_ROW + 3)

    assert len(bench.script.requests) == FAILURES_IN_A_ROW + 3


async def test_a_call_that_is_held_back_was_not_carried_out_and_says_how_long_to_wait() -> None:
    bench, circuit = Bench(refusal(500)), Circuit(Clock(), random.Random(0))

    last = (await _call(bench, circuit, times=FAILURES_IN_A_ROW + 1))[-1]

    assert isinstance(last, NotSent)
    assert (last.answer_lost, last.status) == (False, None)
    assert (last.retry_after or 0.0) > 0.0


async def _call(bench: Bench, circuit: Circuit, *, times: int) -> list[CloudflareError | None]:
    client = CloudflareClient(bench.http, bench.token, bench.budget, circuit=circuit)
    return [await _outcome(client) for _ in range(times)]


async def _outcome(client: CloudflareClient) -> CloudflareError | None:
    try:
        await client.put_hostnames(ZONE, CERTIFICATE, ["a.example.com"])
    except CloudflareError as error:
        return error
    return None
