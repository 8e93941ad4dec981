"""Plays a story and judges it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testbed.chaos.ending import converge
from testbed.chaos.loop import LivelockError, run
from testbed.chaos.story import Story
from testbed.chaos.visitors import Visitors
from testbed.chaos.world import Tally, World
from testbed.cluster import RefusalError
from testbed.cluster.virtual_time import DeadlockError


@dataclass(frozen=True)
class Outcome:
    """What became of a story. `complaints`: what did not become as it should."""

    tally: Tally
    violations: tuple[str, ...]
    complaints: tuple[str, ...]
    trace: tuple[str, ...]
    seconds: float
    """How long it took in virtual time."""

    @property
    def failed(self) -> bool:
        return bool(self.violations or self.complaints)

    @property
    def digest(self) -> str:
        """A name for all that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]


def play(story: Story) -> Outcome:
    """Play a story in a virtual time of its own."""
    with defects_of_the_operator() as defects:
        try:
            return run(_play(story, defects))
        except (LivelockError, DeadlockError) as stuck:
            return Outcome(Tally(), (), (f"{type(stuck).__name__}: {stuck}",), (), 0.0)


async def _play(story: Story, defects: list[str]) -> Outcome:
    world = World.begin(story.setting)
    world.defects = defects
    visitors, loop = Visitors(world), asyncio.get_running_loop()
    for site in world.sites:
        world.run_operator(site)
    for act in story.acts:
        await asyncio.sleep(max(0.0, act.at - loop.time()))
        try:
            world.tally.operations += act.perform(world)
        except RefusalError:
            # People are told so, and go on.
            continue
    wrong = await converge(world)
    for site in world.sites:
        if site.process is not None:
            world.tally.faults += site.process.wire.cuts
            await site.process.kill()
    violations = (*map(str, world.cloudflare.monitor.finish()), *visitors.finish())
    return Outcome(world.tally, violations, (*defects, *wrong), tuple(world.trace()), loop.time())


@contextmanager
def defects_of_the_operator() -> Iterator[list[str]]:
    """Errors that the operator logs as its own defects; everything else that it logs is dropped."""
    found: list[str] = []
    operator, watch = logging.getLogger("mtls_operator"), logging.getLogger("testbed.cloudflare.monitor.watch")
    handler, before = _Collector(found), (operator.level, operator.propagate)
    operator.addHandler(handler)
    operator.setLevel(logging.ERROR)
    operator.propagate = False
    watch.disabled = True
    try:
        yield found
    finally:
        operator.removeHandler(handler)
        operator.setLevel(before[0])
        operator.propagate = before[1]
        watch.disabled = False


class _Collector(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was said, and the last place of the exception."""
        error = record.exc_info[1] if record.exc_info else None
        self._found.append(f"{record.getMessage()}: {error!r}" if error else record.getMessage())
