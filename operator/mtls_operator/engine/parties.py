"""The bindings of a zone by the token that acts for them.

A token writes only for bindings that may use it (safety invariant 12), though they share lists and rules: each
party is planned for on its own, while the stakes of the others stand still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.stakes import Conflicts, stakes_of
from mtls_operator.domain.zone_places import Desired, desired_of


@dataclass(frozen=True)
class Party:
    """Bindings that act with one token. `credential` None: they have none, and can only be let go."""

    credential: CredentialKey | None
    desired: Desired


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
) -> Judgement:
    """Sort the bindings of a zone into parties, in a stable order. `predecessors` are gone: their marks become ours."""
    stakes, conflicts = stakes_of(bindings)
    credentials = {record.key: assessment.credential for record, assessment in bindings}
    parties = tuple(
        Party(
            credential,
            desired_of(
                us,
                own=[stake for stake in stakes if credentials[stake.binding] == credential],
                still=[stake for stake in stakes if credentials[stake.binding] != credential],
                predecessors=predecessors,
            ),
        )
        for credential in dict.fromkeys(credentials.values())
    )
    return Judgement(bindings, parties, conflicts)
