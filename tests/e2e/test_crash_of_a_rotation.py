"""`kill -9` of the operator before and after chosen calls of a rotation, then a restart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from testbed.cloudflare.faults import Moment
from testbed.cloudflare.messages import Request
from tests.certificates import Ca, make_ca
from tests.e2e.expected_rules import held_and_enforced, sights
from tests.e2e.resources import AUTHORITY
from tests.e2e.story import uploads
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until
from tests.e2e.world import World


class Boundary(NamedTuple):
    """Before or after the `number`-th call of a kind, counted from 0."""

    call: str
    number: int
    moment: Moment


KINDS = {
    "create certificates": ("POST", "/mtls_certificates"),
    "write list": ("PUT", "/hostname_associations"),
    "delete certificate": ("DELETE", "/mtls_certificates/"),
}
"""The calls are counted by kind, because an account and a zone are worked on side by side."""
FIRST_PHASE = (("create certificates", 0), ("write list", 0), ("delete certificate", 0))
"""Previous and new CA are uploaded together, the hostname is put on their list, the previous certificate goes."""
SECOND_PHASE = (("create certificates", 1), ("write list", 2), ("delete certificate", 1))
"""The same with the new CA alone; each phase writes two lists, the one that the hostname leaves too."""
CHOSEN = [Boundary(*call, moment) for call in (*FIRST_PHASE, *SECOND_PHASE) for moment in Moment]
_AT_ONCE = 6
"""The operator works on eight accounts and zones at a time, and a held call holds up one of them."""


@dataclass
class Cut:
    """A user whose rotation is cut, and the CA that follows."""

    tenant: Tenant
    new: Ca

    def begin(self) -> None:
        tenant = self.tenant
        tenant.apply(tenant.secret(), tenant.authority(rotation={"overlap": "1s"}), tenant.binding("api"))

    def rotate_until(self, boundary: Boundary) -> None:
        """Change the source; the call of the boundary is held."""
        tenant, (method, path) = self.tenant, KINDS[boundary.call]

        def is_of_this_kind(request: Request) -> bool:
            return request.method == method and path in request.path and tenant.sent(request)

        held, faults = tenant.world.held, tenant.world.simulation.faults
        held.hold(faults, is_of_this_kind, boundary.number, boundary.moment, tenant.namespace)
        tenant.apply(tenant.secret(**{"ca.crt": self.new.pem}))

    def wait_until_held(self) -> None:
        until(lambda: self.tenant.namespace in self.tenant.world.held.names, f"a call of {self.tenant.namespace}")

    def finish(self) -> None:
        """Wait until the rotation is over."""
        tenant = self.tenant
        new_alone = [(self.new.fingerprint,)]
        until(lambda: [each.fingerprints for each in tenant.certificates] == new_alone, "the new CA alone")
        tenant.wait_condition(f"mtlsca/{AUTHORITY}", "Rotated", "True", "Current")
        tenant.wait_ready()


@pytest.fixture(scope="module")
def cuts(module_world: World) -> dict[Boundary, Cut]:
    """All crashes, a few tenants by each kill."""
    cuts = {boundary: _new_cut(module_world, boundary) for boundary in CHOSEN}
    for cut in cuts.values():
        cut.begin()
    for cut in cuts.values():
        cut.tenant.wait_ready()
    for batch in _batches(list(cuts.items())):
        for boundary, cut in batch:
            cut.rotate_until(boundary)
        for _, cut in batch:
            cut.wait_until_held()
        module_world.crash()
        module_world.restart()
    for cut in cuts.values():
        cut.finish()
    return cuts


def _new_cut(world: World, boundary: Boundary) -> Cut:
    return Cut(Tenant.arrive(world), make_ca(f"Next, cut {boundary.moment.value} {boundary.number}"))


def _batches(cuts: Sequence[tuple[Boundary, Cut]]) -> Iterator[Sequence[tuple[Boundary, Cut]]]:
    remaining = iter(cuts)
    while batch := list(itertools.islice(remaining, _AT_ONCE)):
        yield batch


@pytest.mark.parametrize("boundary", CHOSEN, ids=[f"{each.moment.value} {each.call} {each.number}" for each in CHOSEN])
def test_a_rotation_that_kill_9_cut_short_is_finished_after_the_restart(
    cuts: dict[Boundary, Cut], boundary: Boundary
) -> None:
    cut = cuts[boundary]
    tenant, hostname = cut.tenant, cut.tenant.zone.host("api")

    assert tenant.lists == {tenant.zone.name: {hostname}}
    assert sights(tenant.rules()) == held_and_enforced(cut.new.key_identifier, hostname)
    # The previous CA, both, and the new one.
    assert len([each for each in uploads(tenant.history) if each.entry.status is not None]) == 3
    assert tenant.violations == []
