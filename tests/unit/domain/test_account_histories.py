"""An account comes to rest as wanted whatever happens on the way: see account_world.py, which also plays by hand."""

from __future__ import annotations

import pytest

from tests.unit.domain.account_world import failures


@pytest.mark.histories
@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_no_history_uploads_twice_deletes_what_is_not_ours_or_leaves_anything_behind(first: int) -> None:
    assert dict(failures(range(first, first + 250))) == {}
