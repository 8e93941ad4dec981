"""Taking the operator away at any instant leaves every hostname as it was: no request is one too many to be the last.

Cloudflare goes on doing what it was told last, so each request of each change is tried as the last one, sent or not.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Final

import pytest

from tests.contract.enforcement import stories_of_bindings, stories_of_enforcement, stories_of_rotations
from tests.contract.enforcement.cases import API, BAD, CASES, LATE, Case, bound
from tests.contract.enforcement.deaths import deaths_in
from tests.contract.enforcement.stage import Stage

STORIES: Final = (stories_of_bindings, stories_of_enforcement, stories_of_rotations)
"""Each of these modules enters its stories into the table when it is imported."""
EDGES: Final = ("late", "late and most recent CA only")
TABLE: Final = [
    (name, edge)
    for name in (
        "a hostname is bound",
        "a hostname is added",
        "a ca is rotated",
        "a ca is rotated side by side",
        "a rule answers otherwise",
        "issuers are pinned",
        "issuers are pinned no more",
        "requests are logged and then blocked",
        "requests are blocked and then logged",
        "a binding refers to another ca",
        "one certificate is revoked",
        "one of two bindings is deleted",
        "the last of two bindings lets go of a hostname",
    )
    for edge in EDGES
    if edge in CASES[name].edges
]


@pytest.mark.parametrize(("name", "edge"), TABLE, ids=[f"{name}, {edge}" for name, edge in TABLE])
def test_whichever_request_is_the_last_every_hostname_stays_as_it_was(name: str, edge: str) -> None:
    case = CASES[name]

    deaths = deaths_in(case, case.edges[edge], during_set_up=name == "a hostname is bound")

    assert deaths.wrong == []
    assert len(deaths.boundaries) == 2 * deaths.requests > 0


def test_what_changed_by_itself_days_after_a_death_would_be_noticed() -> None:
    async def rules_that_end_by_themselves(stage: Stage) -> None:
        await bound(stage)
        stage.changes()
        without = partial(stage.world.cloudflare.install, lambda state: replace(state, rulesets={}), settled=False)
        asyncio.get_running_loop().call_later(86_400, without)
        stage.edit("api", enforcement={"issuerPinning": "Never"})
        await stage.ready()

    deaths = deaths_in(Case(rules_that_end_by_themselves, {}, {}), LATE, during_set_up=False)

    told = {what.rpartition(": ")[2] for what in deaths.wrong}
    assert told == {
        "Cloudflare's state has changed though nobody was there to change it",
        *(f"{who} of {API} gets in" for who in BAD),
        *(f"{who} of {API} was kept out and gets in now" for who in BAD),
    }
