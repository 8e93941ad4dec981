"""That stories find what is broken: the table can be planted, and what is planted is found."""

from __future__ import annotations

import json

import pytest

from testbed.chaos.defects import DEFECTS, Defect
from testbed.chaos.planted import main, planted


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_each_defect_of_the_table_can_be_planted_in_the_operator_of_today(defect: Defect) -> None:
    with planted(defect) as folder:
        package = folder / "mtls_operator"
        sources = [(package / change.file).read_text(encoding="utf-8") for change in defect.changes]

    for change, source in zip(defect.changes, sources, strict=True):
        assert change.broken in source
        assert change.sound not in source


@pytest.mark.parametrize("name", ["early-release", "ready-too-soon"])
def test_a_planted_defect_is_found_by_a_few_stories(name: str) -> None:
    said: list[str] = []

    assert main([name], 60, 1, 1, said.append) == 0, said
    assert json.loads(said[-1])["found"] == 1
