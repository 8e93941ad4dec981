"""A binding of a simulated cluster: what it wants, what its status records, and how the planner's callers see it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mtls_operator.api.conditions import Condition
from mtls_operator.api.constants import FINALIZER
from mtls_operator.api.host_binding import HostBindingSpec, HostBindingStatus, HostnameStatus, ZoneRef
from mtls_operator.api.metadata import Metadata
from mtls_operator.api.policies import AdoptionPolicy, DeletionPolicy, ManagementPolicy
from mtls_operator.api.reasons import Reason
from mtls_operator.api.references import CertificateAuthorityRef
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import with_managed
from mtls_operator.domain.records import AddFinalizer, BindingRecord, Record, RemoveFinalizer, ResourceKey
from mtls_operator.domain.verdicts import blocked, ok
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_steps import (
    Managed,
    RecordManaged,
)

_OK = ok(Reason.ACCEPTED, "")
_ASSOCIATED = Condition(
    type="Associated",
    status="True",
    reason="Associated",
    message="",
    observed_generation=0,
    last_transition_time=datetime(1970, 1, 1, tzinfo=UTC),
)


@dataclass(frozen=True)
class Binding:
    """A binding in the cluster. A blocked one cannot be reconciled now: its Secret is gone, say."""

    key: ResourceKey
    hostnames: tuple[str, ...]
    target: Target
    party: int = 0
    """Bindings of one party act with one token."""
    blocked: bool = False
    refused: bool = False
    """Whether it is blocked because nobody consents any more."""
    adopts: bool = True
    observed: bool = False
    suspended: bool = False
    retained: bool = False
    """Whether its deletion policy is Retain."""
    managed: Managed = field(default_factory=dict)
    enforced: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    moving: frozenset[str] = frozenset()
    """What its status says of hostnames: covered, covered or at least safely on their list, and on their way."""
    removals_from: float | None = None
    has_finalizer: bool = False
    deleting: bool = False

    def places(self) -> set[Place]:
        """What its status records."""
        return {(certificate, name) for certificate, names in self.managed.items() for name in names}

    def judged(self) -> tuple[BindingRecord, BindingAssessment]:
        """As the planner's callers see it."""
        told = tuple(
            HostnameStatus(name=name, state=self._state(name)) for name in sorted(self.enforced | self.settled)
        )
        is_well = not self.moving and self.enforced | self.settled >= frozenset(self.hostnames)
        record = Record(
            metadata=Metadata(
                name=self.key.name,
                namespace=self.key.namespace,
                finalizers=(FINALIZER,) if self.has_finalizer else (),
                deletion_timestamp="2026-01-01T00:00:00Z" if self.deleting else None,
            ),
            spec=HostBindingSpec(
                certificate_authority_ref=CertificateAuthorityRef(name="ca"),
                zone=ZoneRef(name="example.com"),
                hostnames=self.hostnames,
                suspend=self.suspended,
                management_policy=ManagementPolicy.OBSERVE if self.observed else None,
                adoption_policy=None if self.adopts else AdoptionPolicy.NEVER,
                deletion_policy=DeletionPolicy.RETAIN if self.retained else None,
            ),
            status=with_managed(
                HostBindingStatus(hostnames=told, conditions=(_ASSOCIATED,) if is_well else ()), self.managed
            ),
        )
        resolved = blocked(Reason.REF_NOT_PERMITTED, "") if self.refused else _OK
        return record, BindingAssessment(_OK, resolved, None, None if self.blocked or self.refused else self.target)

    def _state(self, hostname: str) -> str:
        if hostname in self.moving:
            return "Moving"
        return "Enforced" if hostname in self.enforced else "Associated"

    def after(self, step: AddFinalizer | RemoveFinalizer | RecordManaged) -> Binding:
        """What it is once a step is done."""
        match step:
            case AddFinalizer():
                return replace(self, has_finalizer=True)
            case RemoveFinalizer():
                return replace(self, has_finalizer=False)
            case RecordManaged(_, managed):
                return replace(self, managed=managed)
