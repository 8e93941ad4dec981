"""The values that a zone's plan is made from: what is wanted and known side by side, and how long things take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mtls_operator.domain.marks import ClaimState
from mtls_operator.domain.observed import CertificateId, Ruleset
from mtls_operator.domain.zone_knowledge import CONTEST, Place, Reading, ZoneKnowledge
from mtls_operator.domain.zone_stakes import Desired, Stake, Target, recorded_by
from mtls_operator.domain.zone_view import BLOCK, EnforcementKey, Policy, ZoneView, view_of

FRESH_SECONDS = 10.0
"""A list is written only on readings begun less than this ago (design.md, Arriving)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in seconds."""

    window: float
    """The consistency window: how old a read may be."""
    settle: float
    """How long a written list needs to be in force at the edge too; never below the window."""
    ceiling: float = 900.0
    """The longest that an installation goes without looking at a zone's rules (design.md, Drift)."""
    slow_call: float = 60.0
    """What a write of another installation may take beyond the window."""

    @property
    def shared_settle(self) -> float:
        """The settle time where another installation writes the same list: its write may rest on old reads."""
        return max(self.settle, 2 * self.window + self.slow_call)

    @property
    def late_write(self) -> float:
        """How long after it was given up a write of ours may still be carried out: as long as one of others may take,
        but no longer than a read may be old, because who says that Cloudflare shows things sooner has a faster one."""
        return min(self.window, self.slow_call)

    @property
    def poll(self) -> float:
        """The shortest time between two reads that wait for the same thing."""
        return max(0.1, self.window / 90)


def removals_from(desired: Desired, known: ZoneKnowledge, timing: Timing) -> float:
    """From when on something may be removed. Where somebody replaced the whole ruleset, other installations have to put
    their claims back first, whichever process of ours noticed it."""
    since = known.replaced_since
    return desired.removals_from if since is None else max(desired.removals_from, since + timing.ceiling)


@dataclass(frozen=True)
class ZoneState:
    """Desired and known side by side, with what follows from them."""

    desired: Desired
    known: ZoneKnowledge
    rules: Reading[Ruleset | None]
    now: float
    timing: Timing

    @cached_property
    def view(self) -> ZoneView:
        return view_of(self.rules.value, self.desired.installation)

    @cached_property
    def wanted(self) -> Mapping[Place, Target]:
        """Every place that some binding wants. One that can be reconciled says how, before one that cannot."""
        return _wanted_by(self.desired.stakes, self.desired.recorded())

    @cached_property
    def wanted_by_still(self) -> Mapping[Place, Target]:
        """Every place that a stake wants for which nothing is done now."""
        return _wanted_by((*self.desired.still, *self.desired.idle), self.desired.recorded())

    @cached_property
    def owned(self) -> frozenset[Place]:
        """Every place in some binding's status, and not left to stakes for which nothing is done now."""
        return recorded_by(self.desired.stakes) - self.wanted_by_still.keys()

    @cached_property
    def removals_from(self) -> float:
        return removals_from(self.desired, self.known, self.timing)

    @property
    def replaced_since(self) -> float:
        """When it was noticed that somebody had replaced the ruleset, if nothing may be removed because of that."""
        return self.removals_from - self.timing.ceiling

    @property
    def has_vanished(self) -> bool:
        """Whether there is no rule of ours at all, though this process has read some, or some must have been there by
        what bindings say: somebody replaced the ruleset. A claim that was only on its way, or on its way out, when the
        process before us died is missed: it may never have been there, or have been removed in good order."""
        succeeds = any(each.mark.installation in self.desired.predecessors for each in self.view.marks_of_others)
        if not self.view.is_without_us or succeeds:
            return False
        told = any(stake.enforced or stake.settled for stake in self._acting if not stake.idle)
        return self.known.bereft or (told and self.now >= self.removals_from)

    def is_gone(self, certificate: CertificateId) -> bool:
        """Whether Cloudflare said that it has no such certificate, and again a consistency window later."""
        return self.known.is_gone(certificate, self.timing.window)

    def asked_again_at(self, certificate: CertificateId) -> float:
        """When the list of a certificate that was not there is asked for again: less and less often, or when a look is
        due."""
        first, last = self.known.missing[certificate]
        later = last + min(self.timing.ceiling, max(self.timing.window / 2, last - first))
        return min(later, max(self.known.doubted, last)) if self.known.doubted > last else later

    def is_seen_missing(self, place: Place) -> bool:
        """Whether the last reading of a list lacks a hostname that should be there."""
        certificate, hostname = place
        reading = self.known.lists.get(certificate)
        return reading is not None and hostname not in reading.value

    def contested_until(self, place: Place) -> float:
        """Until when another writer counts as one that keeps taking a hostname off a list: it did so three times within
        a time in which its write, that rested on old readings, would have been the last one."""
        return self._contest(self.known.undone.get(place, ()))

    def overruled_until(self, hostname: str) -> float:
        """The same of one that keeps undoing the rules for a hostname."""
        return self._contest(self.known.overruled.get(hostname, ()))

    def contests_end(self) -> list[float]:
        """When other writers count as such no more, if nothing happens."""
        times = [*self.known.undone.values(), *self.known.overruled.values()]
        return [until for each in times if (until := self._contest(each)) > self.now]

    def _contest(self, times: tuple[float, ...]) -> float:
        lasting = 4 * self.timing.shared_settle
        return times[-1] + lasting if len(times) == CONTEST and times[-1] - times[0] <= 2 * lasting else float("-inf")

    @cached_property
    def unwanted(self) -> frozenset[Place]:
        """Places to give up: owned, wanted by nobody, and not given up yet."""
        return self.owned - self.wanted.keys() - self.known.released

    @cached_property
    def left(self) -> frozenset[Place]:
        """Places that somebody has in its status and nobody wants, whichever token they are given up with."""
        recorded = recorded_by((*self.desired.stakes, *self.desired.still))
        return recorded - self.wanted.keys() - self.wanted_by_still.keys()

    @cached_property
    def wanted_hostnames(self) -> frozenset[str]:
        return frozenset(hostname for _, hostname in self.wanted)

    @cached_property
    def retained_hostnames(self) -> frozenset[str]:
        """Hostnames to let go of with everything in force: somebody who owns them wants that, and nobody wants them."""
        return self._unwanted_hostnames(stake for stake in self._acting if stake.retains)

    @cached_property
    def retained_places(self) -> frozenset[Place]:
        """Where these stay on the list: everywhere but where they are claimed as on their way only, for others than
        those who want that."""
        retaining = recorded_by(stake for stake in self._acting if stake.retains)
        places = (place for place in recorded_by(self._acting) if place[1] in self.retained_hostnames)
        return frozenset(
            place
            for place in places
            if place in retaining or not (self.is_on_its_way(place) and self.view.claim_keys(*place))
        )

    def is_on_its_way(self, place: Place) -> bool:
        """Whether another list is what the rules rely on for the hostname: there it is held, here it is not."""
        return not self.is_held(place) and place[1] in self.held_hostnames

    def untouchable(self, certificate: CertificateId) -> frozenset[str]:
        """Hostnames that stay on a certificate's list though no claim says so: somebody has left a rule for them in
        force, which does not say on which list it relies, or they are in marks that this version cannot read. Of a rule
        that we are about to leave it is known that it relies on what is retained."""
        known = frozenset(name for name in self.retained_hostnames if (certificate, name) not in self.retained_places)
        return self.view.unreadable | self.view.left_by_others | (self.view.left_by_us - known)

    @property
    def _acting(self) -> tuple[Stake, ...]:
        return (*self.desired.stakes, *self.desired.still)

    @cached_property
    def enforcement_to_give_up(self) -> frozenset[str]:
        """Hostnames in some binding's status that nobody wants, on whatever list, and nobody wants to be retained."""
        return self._unwanted_hostnames(self.desired.stakes) - self.retained_hostnames

    def _unwanted_hostnames(self, stakes: Iterable[Stake]) -> frozenset[str]:
        still = frozenset(hostname for _, hostname in self.wanted_by_still)
        places = recorded_by(stakes) - self.wanted_by_still.keys()
        return frozenset(hostname for _, hostname in places) - self.wanted_hostnames - still

    @cached_property
    def known_hostnames(self) -> frozenset[str]:
        """Hostnames that any binding of the cluster records or wants."""
        return _hostnames_of((*self.desired.stakes, *self.desired.idle, *self.desired.still))

    @cached_property
    def left_to_others(self) -> frozenset[str]:
        """Hostnames that only bindings have which are laid aside, or act with another token."""
        return _hostnames_of((*self.desired.idle, *self.desired.still)) - _hostnames_of(self.desired.stakes)

    @cached_property
    def incumbent(self) -> frozenset[str]:
        """Hostnames that are ours: a rule covers them, or one did when it was last told of, because somebody may have
        taken it away. One that is held and was never covered is a newcomer still, unless no rule is wanted for it: then
        it is enough that it is held, on whatever list."""
        covered = (group.hostnames for group in self.view.enforcement if not group.key.retained)
        bare = (
            frozenset({place[1]})
            for place, target in self.wanted.items()
            if target.policy is not None and target.policy.is_bare and place[1] in self.held_hostnames
        )
        return self.told_enforced.union(*covered, *bare)

    def rule_settled_at(self, hostname: str, action: str) -> float:
        """When a rule with this action covers a hostname at the whole edge; infinity while there is none, and minus
        infinity where a status says that it does."""
        if action == BLOCK and any(hostname in stake.blocked for stake in self.desired.own):
            return float("-inf")
        return self.known.enforced_since.get((hostname, action), float("inf")) + self.timing.settle

    def accepted_from(self, hostname: str, issuers: frozenset[str] | None) -> float:
        """When the whole edge has the rule as it is, which accepts at least these issuers (None: any); infinity while
        ours does not, and minus infinity where a status says that all was in force. Until then a late data centre
        refuses clients of those that came last, or lets in those of one that went."""
        accepted = self.known.accepted.get(hostname, frozenset())
        if accepted is not None and (issuers is None or not issuers <= accepted or not accepted):
            return float("inf")
        since = self.known.accepted_since[hostname]
        if since == float("-inf"):
            return since if self.is_told_in_force(hostname) else self.known.started + self.timing.settle
        return since + self.timing.settle

    def is_told_in_force(self, hostname: str) -> bool:
        """Whether a status says that all that its binding asks for is in force for a hostname. Else a process that
        takes over looks for itself."""
        return any(hostname in stake.in_force for stake in self.desired.own)

    @cached_property
    def told_enforced(self) -> frozenset[str]:
        """Hostnames that were covered when the status of a binding that owns something was written."""
        return frozenset[str]().union(*(stake.enforced for stake in self.desired.stakes if stake.managed))

    @cached_property
    def held_hostnames(self) -> frozenset[str]:
        """Hostnames that our claims hold, on whatever list."""
        return frozenset(
            hostname for group in self.view.claims if group.key.state is ClaimState.HELD for hostname in group.hostnames
        )

    def is_held(self, place: Place) -> bool:
        """Whether our claim says that the hostname is safely on the certificate's list."""
        certificate, hostname = place
        return hostname in self.view.claimed(certificate, ClaimState.HELD)

    def is_enforced_under(self, hostname: str, policy: Policy | None) -> bool:
        """Whether enabled rules of ours cover the hostname, and only under this policy (None: any, also a rule that was
        retained once)."""
        keys = self.view.enforcement_keys(hostname)
        if policy is None:
            return bool(keys) and all(key.enabled for key in keys)
        if policy.is_bare:
            return all(key.retained for key in keys)
        return bool(keys) and all(key == EnforcementKey(policy) for key in keys)

    def withdrawn(self, issuers: frozenset[str], kept: frozenset[str]) -> frozenset[str]:
        """Issuers of CAs that are accepted no more when `issuers` become `kept`. Those that only a spec named are not
        among them: nobody waits for these. Where a claim of ours is in no status, any may be a CA's."""
        own = None if self._unrecorded else self.desired.issuers
        return issuers - kept if own is None else (issuers - kept) & own

    @cached_property
    def forgotten(self) -> Mapping[str, frozenset[CertificateId]]:
        """By hostname, the certificates for which claims of ours name it and no status does: it was lost. Told only
        when our rules are known exactly, so that no claim is meant that was given up in good order; and only if every
        status can be read."""
        found: dict[str, frozenset[CertificateId]] = {}
        if self.known.rules_exact_from(self.timing.window) is None and self.desired.is_told:
            for certificate, hostname in self._unrecorded - self.known.released:
                found[hostname] = found.get(hostname, frozenset()) | {certificate}
        return found

    @cached_property
    def _unrecorded(self) -> frozenset[Place]:
        return self.claimed - self.desired.recorded()

    @cached_property
    def claimed(self) -> frozenset[Place]:
        """Every place that a claim of ours names."""
        return frozenset((group.key.certificate, name) for group in self.view.claims for name in group.hostnames)

    @cached_property
    def governed(self) -> frozenset[str]:
        """Hostnames that a binding which can be reconciled wants, so that it says under which policy."""
        return frozenset(hostname for (_, hostname), target in self.wanted.items() if target.policy is not None)

    def is_revocation_known(self, hostname: str) -> bool:
        """Whether it is known which certificates are revoked for a hostname. For what nobody wants nobody has to."""
        everybody = [target for _, target in self._targets.get(hostname, ())]
        return not everybody or any(target.revoked is not None for target in everybody)

    def destination(self, hostname: str) -> Target | None:
        """Where a binding that can be reconciled wants the hostname."""
        return next((target for _, target in self._targets.get(hostname, ()) if target.policy is not None), None)

    def has_moved(self, hostname: str) -> bool:
        """Whether the rules rely on the list of a certificate that a binding wants for the hostname, where it is held.
        A binding that cannot be reconciled does not say what it needs."""
        return any(
            target.policy is not None and self.is_held(place) and self.is_enforced_under(hostname, target.policy)
            for place, target in self._targets.get(hostname, ())
        )

    @cached_property
    def own_targets(self) -> Mapping[str, Sequence[Target]]:
        """By hostname, under what bindings want it for which something is done now."""
        found: dict[str, list[Target]] = {}
        for (_, hostname), target in self.wanted.items():
            found.setdefault(hostname, []).append(target)
        return found

    @cached_property
    def _targets(self) -> Mapping[str, Sequence[tuple[Place, Target]]]:
        """By hostname, where anybody wants it."""
        found: dict[str, list[tuple[Place, Target]]] = {}
        for place, target in (*self.wanted.items(), *self.wanted_by_still.items()):
            found.setdefault(place[1], []).append((place, target))
        return found


def _hostnames_of(stakes: Collection[Stake]) -> frozenset[str]:
    recorded = frozenset(hostname for _, hostname in recorded_by(stakes))
    return recorded.union(*(stake.wants for stake in stakes))


def _wanted_by(stakes: Iterable[Stake], recorded: frozenset[Place]) -> Mapping[Place, Target]:
    targets = [
        (hostname, each)
        for stake in stakes
        for hostname, target in stake.wants.items()
        for each in (target, *_kept_beside(hostname, target, recorded))
    ]
    targets.sort(key=lambda each: each[1].policy is not None)
    return {(target.certificate, hostname): target for hostname, target in targets}


def _kept_beside(hostname: str, target: Target, recorded: frozenset[Place]) -> list[Target]:
    return [
        Target(certificate, target.aim, until=target.until, authority=target.authority)
        for certificate in sorted(target.beside)
        if (certificate, hostname) in recorded
    ]
