"""The table of cases: a story of what users do, and under which edges it must hold. The modules `stories_*` fill it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from testbed.cloudflare.edge.settings import NORMALISED, EdgeSettings, SeveralCas
from tests.contract.enforcement.people import (
    FIRST,
    GOOD,
    GOOD_SECOND,
    IMPOSTOR,
    MANAGED,
    SELF_SIGNED,
    STRANGER,
)
from tests.contract.enforcement.stage import Fate, Stage

API, WEB, SHOP = "api.example.com", "web.example.com", "shop.example.com"
ALWAYS, NEVER, GAINS, LOSES, LINGERS = Fate.ALWAYS, Fate.NEVER, Fate.GAINS, Fate.LOSES, Fate.LINGERS
LATE: Final = EdgeSettings(lists_delay=85.0, rules_delay=60.0, managed_ca=MANAGED.pem)
EDGES: Final = {
    "prompt": EdgeSettings(managed_ca=MANAGED.pem),
    "late": LATE,
    "late and most recent CA only": replace(LATE, several_cas=SeveralCas.MOST_RECENT),
}
NORMALISING: Final = {"normalising": replace(LATE, host=NORMALISED)}
BAD: Final = {
    "nobody": (None, NEVER),
    "a self-signed client": (SELF_SIGNED, NEVER),
    "a stranger": (STRANGER, NEVER),
    "an impostor": (IMPOSTOR, NEVER),
}
FINE: Final = {"a good client": (GOOD, ALWAYS)}
Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """A story, the edges under which it must hold, and how the stage is set."""

    play: Play
    edges: dict[str, EdgeSettings]
    setting: dict[str, Any]


CASES: Final[dict[str, Case]] = {}


def case(edges: dict[str, EdgeSettings] = EDGES, **setting: Any) -> Callable[[Play], Play]:
    """Enter a story into the table."""

    def enter(play: Play) -> Play:
        CASES[play.__name__.replace("_", " ")] = Case(play, edges, setting)
        return play

    return enter


async def bound(stage: Stage, *hostnames: str, **spec: Any) -> None:
    """One CA and one binding to it, ready."""
    stage.authority("partners", FIRST)
    stage.binding("api", *(hostnames or (API,)), **spec)
    for hostname in hostnames or (API,):
        stage.expect(hostname, FINE | BAD)
    await stage.ready()


async def about_to_be_replaced(stage: Stage) -> None:
    """One CA and one binding to it, ready; what comes next replaces the first root by the second."""
    stage.authority("partners", FIRST)
    stage.binding("api", API)
    stage.expect(API, {"of the old root": (GOOD, LINGERS), "of the new root": (GOOD_SECOND, GAINS)} | BAD)
    await stage.ready()
    stage.changes()
