"""The world that most tests of the edge use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.edge.world import EdgeWorld, edge_world


@pytest.fixture
def world() -> Iterator[EdgeWorld]:
    """An edge without delay that shows `http.host` as it was sent."""
    with edge_world() as made:
        yield made
