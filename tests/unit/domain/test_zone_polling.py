"""A list that was written is read until it shows what was written, less and less often, and never in a busy loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from mtls_operator.domain.zone_progress import HostStage
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, TIMING, CalmZone, wanted

SHOWN_AFTER = 70.0
SLOWEST_CALL = 0.1
"""In a calm zone."""


@dataclass
class LatePast(Past[frozenset[str]]):
    """A list that reads show as it was some time ago. `read`: when it was read."""

    read: list[float] = field(default_factory=list)

    def at(self, moment: float) -> frozenset[str]:
        self.read.append(moment)
        return super().at(moment - SHOWN_AFTER)


def test_a_list_that_does_not_show_a_hostname_yet_is_read_less_and_less_often_until_it_does() -> None:
    zone = CalmZone()
    late = LatePast([0.0], [zone.hostnames])
    zone.zone.lists[CERTIFICATE] = late

    zone.after(wanted(), seconds=5_000.0)

    written = late.moments[-1]
    looks = [moment for moment in late.read if moment > written]
    unseen = [moment for moment in looks if moment < written + SHOWN_AFTER]
    pauses = [after - before for before, after in pairwise(unseen)]
    assert len(unseen) < 15
    assert pauses == sorted(pauses)
    assert pauses[0] >= TIMING.poll - SLOWEST_CALL
    # Seen, then once more when it has settled.
    assert len(looks) == len(unseen) + 2
    assert API in late.now
    assert zone.stage().stage is HostStage.ENFORCED
