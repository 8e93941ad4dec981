"""What must be true when a history of a zone has come to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Unreadable, read_mark
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_installation import Operator
from tests.unit.domain.simulated_zone import Past

if TYPE_CHECKING:
    from tests.unit.domain.zone_world import World

FOREIGN = frozenset(f"f{number}.example.com" for number in range(4))
"""Hostnames that people add by hand."""


def check_end(world: World) -> None:
    """Complain of what is left to do, and of what is too much or missing."""
    for operator in world.operators:
        plans = operator.plans()
        if any(plan.steps or plan.wake_at is not None for plan in plans):
            world.watch.complain(f"{operator.cluster.installation.owner} is at rest with {plans}")
        for binding in operator.cluster.bindings.values():
            if binding.deleting:
                world.watch.complain(f"{binding.key} is never released")
    _check_lists(world)
    _check_rules(world)


def _check_lists(world: World) -> None:
    for certificate, history in world.zone.lists.items():
        wanted = {name for o in world.operators for name, t in _had(o).items() if t.certificate == certificate}
        foreign = {name for place, name in world.watch.foreign_since if place == certificate}
        # Lost to a race, a foreign hostname may have been brought back by somebody's old reading.
        tolerated = (
            foreign
            | FOREIGN
            | world.watch.unrelated
            | _never_ours(world, certificate, history)
            | _left(world, certificate)
            | {name for place, name in world.watch.kept_for_others if place == certificate}
        )
        surplus, missing = history.now - wanted - tolerated, (wanted | foreign) - history.now
        if surplus or missing:
            world.watch.complain(f"at the end {certificate[:2]} has {surplus} too many and lacks {missing}")


def _had(operator: Operator) -> Mapping[str, Target]:
    """What an installation wants and gets: a rule that somebody left in force may contradict for ever."""
    contradicted = {name for plan in operator.plans() for name in plan.contradicted}
    marks = (read_mark(rule) for rule in (operator.zone.ruleset.now.rules if operator.zone.ruleset.now else ()))
    left = {name for mark in marks if isinstance(mark, Enforcement) and mark.retained for name in mark.hostnames}
    wanted = operator.cluster.wanted()
    return {name: target for name, target in wanted.items() if name not in contradicted & left}


def _never_ours(world: World, certificate: CertificateId, history: Past[frozenset[str]]) -> set[str]:
    """Hostnames that were on the list before and that no binding has ever wanted there."""
    return {name for name in history.values[0] if (certificate, name) not in world.ever_wanted}


def _left(world: World, certificate: CertificateId) -> set[str]:
    """Hostnames that were let go of with everything in force, and those that a rule which was left protects: it does
    not say which list it relies on."""
    marks = [mark for _, mark in world.watch.marks() if isinstance(mark, Enforcement) and mark.retained]
    protected = {name for mark in marks for name in mark.hostnames}
    return protected | {
        name for o in world.operators for place, name in o.cluster.left_in_force if place == certificate
    }


def _check_rules(world: World) -> None:
    marks = world.watch.marks()
    for operator in world.operators:
        us, wanted = operator.cluster.installation, _had(operator)
        claims = Counter(
            (certificate, name, mark.state, mark.aim, mark.in_force)
            for _, mark in marks
            if isinstance(mark, Claim) and mark.installation == us
            for certificate in mark.certificate_ids
            for name in mark.hostnames
        )
        rules = Counter(
            (name, Policy(mark.issuers, mark.action, mark.response, mark.tolerant))
            for _, mark in marks
            if isinstance(mark, Enforcement) and mark.installation == us and not mark.retained
            for name in mark.hostnames
        )
        retained = {
            name
            for _, mark in marks
            if isinstance(mark, Enforcement) and mark.installation == us and mark.retained
            for name in mark.hostnames
        }
        if retained & wanted.keys() or retained - {name for _, name in operator.cluster.left_in_force}:
            world.watch.complain(f"at the end {us.owner} has retained {retained}, wants {wanted}")
        held = ((t.certificate, n, ClaimState.HELD, t.aim, t.in_force) for n, t in wanted.items())
        if claims != Counter(held):
            world.watch.complain(f"at the end {us.owner} claims {claims}, wants {wanted}")
        ruled = {name: target.policy for name, target in wanted.items() if target.policy and not target.policy.is_bare}
        if rules != Counter(ruled.items()):
            world.watch.complain(f"at the end {us.owner} enforces {rules}, wants {wanted}")
        if any(isinstance(mark, Unreadable) and mark.installation == us for _, mark in marks) and wanted:
            world.watch.complain(f"at the end an altered rule of {us.owner} is there")
    looked_after = [mark for _, mark in marks if not (isinstance(mark, Enforcement) and mark.retained)]
    others = [not isinstance(mark, Enforcement) for mark in looked_after]
    if others != sorted(others):
        world.watch.complain("an enforcement rule stands behind a rule of somebody else")
