"""What everything that happens in a story is."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.chaos.world import World


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that happens `at` so many seconds after the beginning, to the installation of this index."""

    at: float
    site: int = 0

    def perform(self, world: World) -> bool:
        """Do it. Raises RefusalError where the API server refuses."""
        raise NotImplementedError
