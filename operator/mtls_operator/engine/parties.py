"""The bindings of a zone by the token that acts for them.

A token writes only for bindings that may use it (safety invariant 12), though they share lists and rules: each
party is planned for on its own, while the stakes of the others stand still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.handling import is_observed
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.revoked import ZoneRevocation
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.stakes import Conflicts, foreseen_stakes, stakes_of
from mtls_operator.domain.zone_foresight import Foreseen
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_plan import ZonePlan
from mtls_operator.domain.zone_stakes import Desired, Stake, desired_of


@dataclass(frozen=True)
class Party:
    """Bindings that act with one token. `credential` None: they have none, and can only be let go."""

    credential: CredentialKey | None
    desired: Desired
    foreseen: Foreseen | None = None
    """What would be wanted, where bindings are only observed."""


@dataclass(frozen=True)
class Judgement:
    """The bindings of a zone at one moment: the verdicts, who acts with whom, and who lost what to whom."""

    bindings: Sequence[tuple[BindingRecord, BindingAssessment]]
    parties: tuple[Party, ...]
    conflicts: Conflicts

    def record(self, key: ResourceKey) -> BindingRecord:
        """The binding as it was judged."""
        return next(record for record, _ in self.bindings if record.key == key)


def judgement_of(
    bindings: Sequence[tuple[BindingRecord, BindingAssessment]],
    us: Installation,
    predecessors: frozenset[Installation] = frozenset(),
    barred: frozenset[Place] = frozenset(),
    *,
    issuers: frozenset[str] | None = None,
    revocation: ZoneRevocation | None = None,
    identifiers: Mapping[str, str] | None = None,
    is_told: bool = True,
) -> Judgement:
    """Sort the bindings of a zone into parties, in a stable order. `predecessors` are gone: their marks become ours.
    `barred` is what another installation has otherwise, `issuers` are those of the cluster's CAs, `revocation` is
    what is revoked by any of them, `identifiers` are those of CAs in the account. `is_told`: whether every binding's
    status can be read."""
    stakes, conflicts = stakes_of(bindings, barred)
    would_be, would_lose = foreseen_stakes(bindings)
    observed = {record.key for record, _ in bindings if is_observed(record.spec) and not record.deleting}
    credentials = {record.key: assessment.credential for record, assessment in bindings}
    times = [at.timestamp() for record, _ in bindings if (at := record.status.removals_from) is not None]
    parties = tuple(
        Party(
            credential,
            desired_of(
                us,
                own=[stake for stake in stakes if credentials[stake.binding] == credential],
                still=[stake for stake in stakes if credentials[stake.binding] != credential],
                predecessors=predecessors,
                removals_from=max(times, default=float("-inf")),
                issuers=issuers,
                revocation=revocation,
                identifiers=identifiers,
                is_told=is_told,
            ),
            _foreseen(
                Desired(
                    us,
                    stakes,
                    predecessors=predecessors,
                    revocation=revocation or ZoneRevocation(),
                    is_told=is_told,
                ),
                [each for each in would_be if each.binding in observed and credentials[each.binding] == credential],
                would_lose,
            ),
        )
        for credential in dict.fromkeys(credentials.values())
    )
    return Judgement(bindings, parties, conflicts)


def _foreseen(
    everybody: Desired,
    mine: Sequence[Stake],
    lost: Conflicts,
) -> Foreseen | None:
    """Observed bindings act, everybody else stands still."""
    if not mine:
        return None
    acting = {stake.binding for stake in mine}
    still = tuple(stake for stake in everybody.stakes if stake.binding not in acting)
    desired = replace(everybody, stakes=tuple(mine), still=still)
    return Foreseen(desired, {key: lost.get(key, {}) for key in acting})


def barred_by(planned: Sequence[tuple[Party, ZonePlan]]) -> frozenset[Place]:
    """The places that plans found another installation to have otherwise."""
    unwelcome = frozenset[Place]().union(*(plan.unwelcome for _, plan in planned))
    return unwelcome.union(
        (target.certificate, hostname)
        for party, plan in planned
        for stake in party.desired.stakes
        for hostname, target in stake.wants.items()
        if hostname in plan.contradicted
    )
