"""A story in which the operator is killed for good at each of its requests to Cloudflare, before and after it.

The story is played once. At each boundary the process forks: in the child the operator dies, and what follows is looked
at for days; the parent waits for the child's word and goes on as if nothing had happened. So each death is met exactly
as the story comes to it, with the requests that are under way, and nothing is played twice.

What is asked of a world whose operator has died, once what was under way has arrived:

- A hostname that was Ready at some time stays closed to bad clients, at every data centre, from the death on.
- Who got in everywhere goes on getting in everywhere, and good clients do from the death on.
- Who got in nowhere goes on not getting in, unless the change that was under way is to admit him.
- Cloudflare's state is the same object days later, and all data centres have come to it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn

from testbed.chaos.loop import run
from testbed.chaos.play import defects_of_the_operator
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.faults import Moment
from tests.contract.enforcement.cases import Case
from tests.contract.enforcement.stage import Fate, Stage, Visitor

_ARRIVAL_SECONDS: Final = 2.0
"""Until whatever was under way has arrived: the longest way takes half a second."""
_LOOK_SECONDS: Final = 15.0
_DAYS_SECONDS: Final = 3 * 86_400.0


@dataclass
class Deaths:
    """What came of them. `boundaries`: the requests and moments at which the operator died, in order."""

    boundaries: list[str] = field(default_factory=list)
    requests: int = 0
    """How many Cloudflare was sent in the meantime."""
    wrong: list[str] = field(default_factory=list)


@dataclass
class _Parting:
    """The places where worlds part. `pipe` is the way of a child's word to its parent; None in the parent."""

    deaths: Deaths = field(default_factory=Deaths)
    pipe: int | None = None

    def part(self, boundary: str) -> bool:
        """Whether this is the world in which the operator dies. The other one gets to know what came of it."""
        read, write = os.pipe()
        loop = asyncio.get_running_loop()
        child = os.fork()
        if child == 0:
            # A loop is told to be running in one process; this is another.
            asyncio._set_running_loop(loop)
            os.close(read)
            self.pipe = write
            return True
        os.close(write)
        with os.fdopen(read) as told:
            word = told.read()
        os.waitpid(child, 0)
        self.deaths.boundaries.append(boundary)
        wrong = json.loads(word) if word else ["nothing was heard of it"]
        self.deaths.wrong += [f"died {boundary}: {each}" for each in wrong]
        return False

    def tell(self, wrong: list[str]) -> NoReturn:
        """The child's last word."""
        assert self.pipe is not None
        os.write(self.pipe, json.dumps(wrong).encode())
        os._exit(0)


def deaths_in(case: Case, edge: EdgeSettings, *, during_set_up: bool) -> Deaths:
    """Play a story, and let the operator die at each boundary that comes after its change, or from the beginning on."""
    parting = _Parting()
    try:
        with defects_of_the_operator() as defects:
            run(_play(case, edge, parting, during_set_up=during_set_up))
    except BaseException as error:
        # A child must not go on with its parent's tests.
        if parting.pipe is not None:
            parting.tell([f"{error!r}"])
        raise
    parting.deaths.wrong += defects
    return parting.deaths


async def _play(case: Case, edge: EdgeSettings, parting: _Parting, *, during_set_up: bool) -> None:
    stage = Stage.begin(edge, **case.setting)
    process = stage.site().process
    assert process is not None
    died: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def at(what: str, moment: Moment) -> None:
        is_to_cloudflare = what.split(maxsplit=1)[0].isupper()
        if is_to_cloudflare and (during_set_up or stage.changed_at is not None):
            number = len(parting.deaths.boundaries)
            if parting.part(f"at boundary {number}, {moment.value} {what}"):
                stage.bereave()
                died.set_result(None)

    process.boundaries.append(at)
    playing = asyncio.ensure_future(case.play(stage))
    await asyncio.wait({playing, died}, return_when=asyncio.FIRST_COMPLETED)
    if died.done():
        playing.cancel()
        parting.tell(await _after_death(stage))
    await playing
    stage.finish()
    assert stage.guarded, "no hostname was ever Ready, so nothing was asked of any"
    log, us = stage.world.cloudflare.log, stage.site().owner
    since = 0.0 if during_set_up else stage.changed_at or 0.0
    parting.deaths.requests = sum(each.token_label == us and each.time > since for each in log)


async def _after_death(stage: Stage) -> list[str]:
    """What went wrong in a world without an operator."""
    wrong = list(_faults_of_fates(stage))
    await asyncio.sleep(_ARRIVAL_SECONDS)
    left, admitted = stage.world.cloudflare.state, stage.admitted()
    for _ in range(int(stage.world.setting.edge.longest_delay / _LOOK_SECONDS) + 2):
        await asyncio.sleep(_LOOK_SECONDS)
        wrong += [*_faults_of_fates(stage), *_changes(stage, admitted)]
    await asyncio.sleep(_DAYS_SECONDS)
    wrong += [*_faults_of_fates(stage), *_changes(stage, admitted)]
    if stage.world.cloudflare.state is not left:
        wrong.append("Cloudflare's state has changed though nobody was there to change it")
    wrong += [f"{who} gets in at some data centres only" for who, where in _partly(stage)]
    return sorted(set(wrong))


def _faults_of_fates(stage: Stage) -> Iterator[str]:
    """Good clients that are kept out, and bad ones that get in to what was Ready."""
    for visitor, where in stage.admitted().items():
        if visitor.fate is Fate.ALWAYS and not all(where):
            yield f"{_name(visitor)} is kept out"
        if visitor.fate is Fate.NEVER and any(where) and visitor.hostname in stage.guarded and stage.closed:
            yield f"{_name(visitor)} gets in"


def _changes(stage: Stage, before: dict[Visitor, list[bool]]) -> Iterator[str]:
    """Clients for whom it was settled whether they get in, and is otherwise now."""
    for visitor, where in stage.admitted().items():
        if all(before[visitor]) and not all(where) and visitor.fate is not Fate.NEVER:
            yield f"{_name(visitor)} got in and is kept out now"
        if not any(before[visitor]) and any(where) and visitor.fate is not Fate.GAINS:
            yield f"{_name(visitor)} was kept out and gets in now"


def _partly(stage: Stage) -> Iterator[tuple[str, list[bool]]]:
    return ((_name(visitor), where) for visitor, where in stage.admitted().items() if any(where) and not all(where))


def _name(visitor: Visitor) -> str:
    return f"{visitor.name} of {visitor.hostname}"
