"""The simulated edge, with a CA that a hostname is guarded by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.outside.guarded import Guarded, guarded_edge


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    """A hostname that admits only clients of one CA."""
    with guarded_edge() as made:
        made.close()
        yield made
