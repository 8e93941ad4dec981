"""The CAs of an account at one moment: the verdicts on them, and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.authority_assessment import AuthorityAssessment
from mtls_operator.domain.records import AuthorityRecord, ResourceKey
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class AccountJudgement:
    """The CAs of an account, and the demands of those whose status can be read."""

    authorities: Sequence[tuple[AuthorityRecord, AuthorityAssessment]]
    demands: tuple[Demand, ...]
    rivalry: Verdict | None = None
    """That another cluster uses our ownerId in a zone of the account."""

    def record(self, key: ResourceKey) -> AuthorityRecord:
        """The CA of this name."""
        return next(record for record, _ in self.authorities if record.key == key)

    def credential(self, key: ResourceKey) -> CredentialKey | None:
        """The token that acts for a CA."""
        return next(assessment.credential for record, assessment in self.authorities if record.key == key)

    def demand(self, key: ResourceKey) -> Demand:
        """What a CA asks for."""
        return next(demand for demand in self.demands if demand.authority == key)

    def behind(self, key: ResourceKey) -> tuple[ResourceKey, ...]:
        """Bindings that a rotation of the CA waits for."""
        return next((demand.behind for demand in self.demands if demand.authority == key), ())

    def changes_at(self) -> float | None:
        """When time alone changes what is said of a CA, in seconds since the epoch."""
        return min((each.changes_at.timestamp() for _, each in self.authorities if each.changes_at), default=None)
