"""The queue of keys, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from mtls_operator.engine.keys import Key, ZoneKey
from mtls_operator.engine.work_queue import WorkQueue
from tests.virtual_time import in_virtual_time

ONE, TWO = ZoneKey("1" * 32), ZoneKey("2" * 32)


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def running(
    reconcile: Callable[[Key], Awaitable[float | None]], concurrency: int = 8
) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(reconcile, concurrency=concurrency, coalesce_seconds=0.1)
    task = asyncio.create_task(queue.run())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def add_all(queue: WorkQueue, keys: Sequence[Key]) -> None:
    for key in keys:
        queue.add(key)


class Recorder:
    """Notes when each key was worked on; works for `seconds`, and asks to look again as told."""

    def __init__(self, *again: float | None, seconds: float = 0.0) -> None:
        self.calls: list[tuple[Key, float]] = []
        self.at_once = 0
        self.most_at_once = 0
        self._again = list(again)
        self._seconds = seconds

    async def __call__(self, key: Key) -> float | None:
        self.calls.append((key, now()))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self._seconds)
        self.at_once -= 1
        return self._again.pop(0) if self._again else None


@in_virtual_time
async def test_many_changes_of_one_key_that_come_together_are_one_reconcile() -> None:
    work = Recorder()

    async with running(work) as queue:
        add_all(queue, [ONE] * 1000)
        await asyncio.sleep(60)

    assert [key for key, _ in work.calls] == [ONE]


@in_virtual_time
async def test_a_key_that_changes_while_it_is_worked_on_is_worked_on_once_more_and_never_twice_at_once() -> None:
    work = Recorder(seconds=5)

    async with running(work) as queue:
        queue.add(ONE)
        await asyncio.sleep(1)
        queue.add(ONE)
        queue.add(ONE)
        await asyncio.sleep(60)

    assert (len(work.calls), work.most_at_once) == (2, 1)


@in_virtual_time
async def test_different_keys_are_worked_on_at_the_same_time_up_to_the_limit() -> None:
    work = Recorder(seconds=5)

    async with running(work, concurrency=2) as queue:
        add_all(queue, [ZoneKey(str(number) * 32) for number in range(5)])
        await asyncio.sleep(60)

    assert (len(work.calls), work.most_at_once) == (5, 2)


@in_virtual_time
async def test_a_key_is_looked_at_again_after_the_time_that_the_reconcile_asks_for() -> None:
    work = Recorder(30.0)

    async with running(work) as queue:
        queue.add(ONE)
        await asyncio.sleep(60)

    first, second = (at for _, at in work.calls)
    assert second - first == pytest.approx(30.0)


@in_virtual_time
async def test_a_change_comes_before_the_time_that_was_asked_for() -> None:
    work = Recorder(3000.0)

    async with running(work) as queue:
        queue.add(ONE)
        await asyncio.sleep(1)
        queue.add(ONE)
        await asyncio.sleep(1)

    assert len(work.calls) == 2


@in_virtual_time
async def test_a_defect_in_one_key_neither_stops_the_others_nor_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[Key] = []

    async def work(key: Key) -> float | None:
        calls.append(key)
        if key == ONE and calls.count(ONE) == 1:
            raise RuntimeError("a defect")
        return None

    async with running(work) as queue:
        queue.add(ONE)
        queue.add(TWO)
        await asyncio.sleep(60)

    assert (calls.count(ONE), calls.count(TWO)) == (2, 1)
    assert "a reconcile failed in an unforeseen way" in caplog.text


@in_virtual_time
async def test_nothing_is_left_running_when_the_queue_is_stopped() -> None:
    work = Recorder(seconds=3000)

    async with running(work) as queue:
        queue.add(ONE)
        await asyncio.sleep(1)

    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
