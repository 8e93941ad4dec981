"""The world that most tests of the simulation use."""

from __future__ import annotations

import pytest

from tests.contract.cloudflare_simulation.world import World, make_world


@pytest.fixture
def world() -> World:
    """A simulation with Cloudflare's documented defaults."""
    return make_world()
