"""What is ours by mark and that no resource knows of: lost statuses, a rebuilt cluster, force-orphan.

It is kept in force and claimed, taken into the status of a resource that names it, and otherwise only told of: a mark
proves the right to keep, never a wish to remove (design.md, Sharing).
"""

from __future__ import annotations

from collections.abc import Iterable

from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import Ruleset
from mtls_operator.domain.zone_stakes import Stake
from mtls_operator.domain.zone_view import view_of


def orphans(ruleset: Ruleset | None, us: Installation, stakes: Iterable[Stake]) -> frozenset[str]:
    """Hostnames that claims and rules of ours name and no binding records or wants. What was retained on purpose is
    no orphan."""
    view = view_of(ruleset, us)
    marked = frozenset[str]().union(
        *(group.hostnames for group in view.claims),
        *(group.hostnames for group in view.enforcement if not group.key.retained),
        *(group.key.hostnames for group in view.revocations if not group.key.retained),
    )
    known = {hostname for stake in stakes for names in stake.managed.values() for hostname in names}
    return marked - known - {hostname for stake in stakes for hostname in stake.wants}
