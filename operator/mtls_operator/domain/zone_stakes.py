"""What bindings want of a zone and what they own there: who has a stake in which hostnames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.revoked import Revocations, ZoneRevocation
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_steps import Managed
from mtls_operator.domain.zone_view import Policy


@dataclass(frozen=True, slots=True)
class Target:
    """Where a hostname should be, and under which policy. `None` stands for whatever is in force now: a resource
    that cannot be reconciled goes on wanting exactly that (safety invariant 10)."""

    certificate: CertificateId
    aim: frozenset[str] = frozenset()
    """The CAs that the user's source holds, and those that the certificate does: fingerprints, 16 hex digits each."""
    in_force: frozenset[str] = frozenset()
    policy: Policy | None = None
    until: str | None = None
    """How long CAs of an earlier source are kept, for other installations to wait for."""
    authority: ResourceKey | None = None
    """The CA resource that decides. What two bindings of it want differs for a moment only, and contradicts nothing."""
    beside: frozenset[CertificateId] = frozenset()
    """Earlier certificates on whose lists the hostname stays as long as any binding of the cluster has it there."""
    earlier: frozenset[CertificateId] = frozenset()
    """Earlier certificates of the same CA, whose rotation counts its own overlap."""
    overlap: float = 0.0
    """How long the CA that the hostname comes from is accepted beside this one, in seconds."""
    issuers: frozenset[str] = frozenset()
    """Subject key identifiers of the CAs that clients come with, whatever else the policy accepts."""
    retiring: frozenset[str] = frozenset()
    """Those of them that a rotation accepts only for its overlap."""
    revoked: Revocations | None = None
    """What the CA's revocation lists say. `None`: that is not known, and whatever is in force is wanted."""

    @property
    def relied_on(self) -> frozenset[str] | None:
        """The issuers that the rules of other installations have to accept: those of the CA. What a binding accepts
        besides is its own matter. None where whatever is in force is wanted."""
        return None if self.policy is None else self.issuers


@dataclass(frozen=True, slots=True)
class Stake:
    """What one binding owns in the zone by its status, and what it wants."""

    binding: ResourceKey
    managed: Managed = field(default_factory=dict)
    wants: Mapping[str, Target] = field(default_factory=dict)
    has_finalizer: bool = False
    deleting: bool = False
    adopts: bool = True
    """Whether hostnames that somebody else has put on the list become its own."""
    retains: bool = False
    """What it has stays in force when it is let go."""
    enforced: frozenset[str] = frozenset()
    """Hostnames that were covered by a rule when its status was written."""
    blocked: frozenset[str] = frozenset()
    """Those of them that were covered by a rule that blocks, everywhere at the edge."""
    in_force: frozenset[str] = frozenset()
    """Those of which it was said that all that the spec asks for is in force."""
    settled: frozenset[str] = frozenset()
    """Those, and the ones that were safely on their list without a rule."""
    idle: bool = False
    """Laid aside: nothing is done for it, not even for what it has."""
    standing: frozenset[str] = frozenset()
    """Hostnames that are left as they are, be they half-way: who is refused brings in nothing that is not there."""

    @property
    def recorded_hostnames(self) -> frozenset[str]:
        """What it owns by its status, on whatever list."""
        return frozenset[str]().union(*self.managed.values())

    def parts(self) -> tuple[Stake, ...]:
        """The stake, and beside it as laid aside what stands still of it."""
        if self.idle or not self.standing:
            return (self,)
        acting, still = self._of(lambda name: name not in self.standing), self._of(lambda name: name in self.standing)
        # One of them puts a finalizer back.
        return acting, replace(still, idle=True, has_finalizer=self.has_finalizer or bool(acting.wants))

    def _of(self, belongs: Callable[[str], bool]) -> Stake:
        """The part of a stake that is about some of its hostnames."""
        named = {each: frozenset(filter(belongs, names)) for each, names in self.managed.items()}
        return replace(
            self,
            managed={each: names for each, names in named.items() if names},
            wants={name: target for name, target in self.wants.items() if belongs(name)},
        )


@dataclass(frozen=True, slots=True)
class Desired:
    """All stakes of this installation in a zone. Two stakes never want one hostname differently: that was decided
    before (see `conflicts`)."""

    installation: Installation
    stakes: tuple[Stake, ...]
    still: tuple[Stake, ...] = ()
    """Stakes that act with another token: nothing is done for them now, and what they hold stays as it is."""
    predecessors: frozenset[Installation] = frozenset()
    """Installations that are gone and whose marks become ours."""
    idle: tuple[Stake, ...] = ()
    """Stakes that act with the same token and are laid aside: what they hold stays as it is too."""
    removals_from: float = float("-inf")
    """From when on something may be removed in the zone, as statuses say: an earlier process may have noticed that
    somebody replaced the ruleset."""
    issuers: frozenset[str] | None = None
    """The issuers of every CA of the cluster. Another one that a rule accepts was named by a spec, and is accepted no
    more as soon as none does. None: that is not known, and no issuer is withdrawn without waiting."""
    revocation: ZoneRevocation = field(default_factory=ZoneRevocation)
    identifiers: Mapping[str, str] = field(default_factory=dict)
    """Subject key identifiers of CAs that were seen in the account, by their fingerprints as claims tell them."""
    is_told: bool = True
    """Whether the status of every binding of the cluster can be read: else what is in none may be somebody's."""

    @property
    def own(self) -> tuple[Stake, ...]:
        """The stakes that act with this token, if they act at all."""
        return (*self.stakes, *self.idle)

    def recorded(self) -> frozenset[Place]:
        """Every place in the status of some binding of the cluster."""
        return recorded_by((*self.own, *self.still))


def desired_of(
    installation: Installation,
    *,
    own: Iterable[Stake],
    still: Iterable[Stake],
    predecessors: frozenset[Installation] = frozenset(),
    removals_from: float = float("-inf"),
    issuers: frozenset[str] | None = None,
    revocation: ZoneRevocation | None = None,
    identifiers: Mapping[str, str] | None = None,
    is_told: bool = True,
) -> Desired:
    """The stakes of those who act with one token, and of the others."""
    mine = tuple(part for stake in own for part in stake.parts())
    return Desired(
        installation,
        stakes=tuple(stake for stake in mine if not stake.idle),
        still=tuple(still),
        predecessors=predecessors,
        idle=tuple(stake for stake in mine if stake.idle),
        removals_from=removals_from,
        issuers=issuers,
        revocation=revocation or ZoneRevocation(),
        identifiers=identifiers or {},
        is_told=is_told,
    )


def recorded_by(stakes: Iterable[Stake]) -> frozenset[Place]:
    """Every place in the status of one of these."""
    return frozenset(
        (certificate, hostname)
        for stake in stakes
        for certificate, names in stake.managed.items()
        for hostname in names
    )
