"""The values that an account's plan is made from: what each CA resource asks for, and what the plan comes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_steps import AccountStep
from mtls_operator.domain.certificates import Bundle
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.rotation import NOTHING_IN_FORCE, Standing
from mtls_operator.domain.zone_places import Timing


@dataclass(frozen=True, slots=True)
class Demand:
    """What one CA resource asks of its account, and what its status says of the past."""

    authority: ResourceKey
    token: str = ""
    """Names the token that acts for it."""
    bundle: Bundle | None = None
    """The certificates of the source; None when there are none to act on (unreadable, refused, not served)."""
    display_name: str = ""
    """First part of the name to upload under."""
    certificate_id: CertificateId | None = None
    """The current object."""
    ownership: Ownership = Ownership.CREATED
    standing: Standing = NOTHING_IN_FORCE
    pending_upload: frozenset[str] = frozenset()
    has_finalizer: bool = False
    deleting: bool = False
    retains: bool = False
    """Its certificate stays when it is let go."""
    adopts: bool = True
    """Whether identical certificates without a mark of this operator become its own."""
    idle: bool = False
    """Laid aside: nothing is done for it, not even for what it has."""
    halted: bool = False
    """Nothing is written: another cluster uses our ownerId. What is not to be written for is let go all the same."""
    observed: bool = False
    """Laid aside, but looked at to say what would be done."""
    used_by: tuple[ResourceKey, ...] = ()
    """Bindings that refer to it or own hostnames on its lists."""
    named_by_users: frozenset[CertificateId] = frozenset()
    """Objects on whose lists bindings that refer to it own hostnames."""
    occupied: frozenset[CertificateId] = frozenset()
    """Those of its objects that bindings of this cluster own or are about to own hostnames on."""
    behind: tuple[ResourceKey, ...] = ()
    """Bindings for which the current object is not in force yet."""
    claimed_by_others: frozenset[CertificateId] = frozenset()
    """Objects that another installation claims in some zone."""
    overlap: float = 0.0
    """Seconds for which previous CAs are accepted beside new ones."""
    side_by_side: bool = False

    @property
    def is_forgotten(self) -> bool:
        """Whether it is held by our finalizer and its status names nothing: either nothing was made for it yet, or the
        status was lost."""
        return self.has_finalizer and not (self.objects or self.pending_upload)

    @property
    def objects(self) -> tuple[CertificateId, ...]:
        """All objects of the account that its status names."""
        return (*self.standing.objects, *((self.certificate_id,) if self.certificate_id else ()))


@dataclass(frozen=True, slots=True)
class Account:
    """All demands on an account beside what is known of it."""

    demands: tuple[Demand, ...]
    known: AccountKnowledge
    now: float
    timing: Timing
    limit: int
    owner: str


@dataclass(slots=True)
class Agenda:
    """What the demands come to."""

    steps: list[AccountStep] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    without_slot: set[ResourceKey] = field(default_factory=set)
    in_use_elsewhere: set[ResourceKey] = field(default_factory=set)
    not_adopted: dict[ResourceKey, Certificate] = field(default_factory=dict)
    bundle_refused: dict[ResourceKey, str] = field(default_factory=dict)
    uploading: set[str] = field(default_factory=set)
