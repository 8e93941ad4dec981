"""At no instant is a hostname of a Ready binding open to a bad client, or closed to a good one.

Each case is a story of what users do; clients ask the edge all the while (`stage.py`), under each edge that could be
the real one: with its data centres behind the API or not, with one of several CAs counting or all, with names
normalised.
"""

from __future__ import annotations

from typing import Final

import pytest

from testbed.chaos.loop import run
from testbed.chaos.play import defects_of_the_operator
from tests.contract.enforcement import (
    stories_of_bindings,
    stories_of_enforcement,
    stories_of_rotations,
    stories_with_others,
)
from tests.contract.enforcement.cases import CASES
from tests.contract.enforcement.stage import Stage

STORIES: Final = (stories_of_bindings, stories_of_enforcement, stories_of_rotations, stories_with_others)
"""Each of these modules enters its stories into the table when it is imported."""
TABLE: Final = [(name, edge) for name, each in CASES.items() for edge in each.edges]


def test_the_table_is_as_large_as_it_should_be() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize(("name", "edge"), TABLE, ids=[f"{name}, {edge}" for name, edge in TABLE])
def test_nobody_bad_gets_in_and_nobody_good_is_kept_out(name: str, edge: str) -> None:
    story = CASES[name]

    async def play() -> None:
        stage = Stage.begin(story.edges[edge], **story.setting)
        await story.play(stage)
        stage.finish()

    with defects_of_the_operator() as defects:
        run(play())

    assert defects == []
