"""The planner keeps the sharing protocol: see zone_world.py, which also plays any number of histories by hand."""

from __future__ import annotations

import pytest

from tests.unit.domain.zone_world import failures


@pytest.mark.histories
@pytest.mark.parametrize("first", range(0, 500, 50))
def test_no_history_locks_out_a_client_or_leaves_anything_behind(first: int) -> None:
    assert dict(failures(range(first, first + 50))) == {}
