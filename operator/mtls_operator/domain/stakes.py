"""From bindings to stakes: what each wants of its zone, and who wins where two want one hostname differently.

| for one hostname                                   | wins                                                     |
|----------------------------------------------------|----------------------------------------------------------|
| both want the same certificate and policy          | both: it goes when the last lets go; they tell the same  |
| one has it in `status.managed`, the other does not | the incumbent                                            |
| both have it there, and it is blocked              | the one that goes on blocking it (safety invariant 13),  |
|                                                    | be it because it cannot be reconciled                    |
| neither has it                                     | the older resource, then namespace/name                  |
| another installation bars one of them              | the other                                                |
| both by one CA, and one cannot be reconciled       | both: what that one has in force stays beside            |
| one gives it up on another certificate             | the other: the hostname moves there                      |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtls_operator.api.host_binding import HostnameState, HostnameStatus
from mtls_operator.api.policies import Action
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment, authority_of
from mtls_operator.domain.binding_in_force import is_well
from mtls_operator.domain.handling import adopts, is_idle, is_observed, is_retained
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_stakes import Stake, Target
from mtls_operator.domain.zone_steps import Managed
from mtls_operator.domain.zone_view import BLOCK

_THERE = frozenset({HostnameState.ENFORCED.value, HostnameState.LOGGED.value})
_BLOCKED = frozenset({HostnameState.ENFORCED.value, HostnameState.MOVING.value})
_COVERED = _BLOCKED | {HostnameState.LOGGED.value}
_SETTLED = _COVERED | {HostnameState.ASSOCIATED.value}

Conflicts = Mapping[ResourceKey, Mapping[str, ResourceKey]]
"""Per binding, the hostnames that it does not get, and the binding that has them."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    stake: Stake
    age: tuple[str, ResourceKey]
    barred: frozenset[Place]

    def rank(self, hostname: str, *, is_blocked: bool) -> tuple[bool, bool, bool, bool, str, ResourceKey]:
        target = self.stake.wants[hostname]
        barred = (target.certificate, hostname) in self.barred
        there = hostname in self.stake.managed.get(target.certificate, frozenset())
        opens = is_blocked and target.policy is not None and target.policy.action != BLOCK
        return (barred, not there, not _owns(self.stake, hostname), opens, *self.age)


def managed_of(record: BindingRecord) -> Managed:
    """What a binding owns by its status."""
    return {CertificateId(each.certificate_id): frozenset(each.hostnames) for each in record.status.managed}


def stakes_of(
    judged: Sequence[tuple[BindingRecord, BindingAssessment]], barred: frozenset[Place] = frozenset()
) -> tuple[tuple[Stake, ...], Conflicts]:
    """The stakes of a zone's bindings without contradictions, and what was refused to whom. Who wants what is `barred`,
    because another installation has it otherwise, keeps nobody else from it."""
    candidates = [_Candidate(_stake(record, verdict), _age(record), barred) for record, verdict in judged]
    conflicts: dict[ResourceKey, dict[str, ResourceKey]] = {}
    for hostname, contenders in _contenders(candidates).items():
        for loser, winner in _lost(hostname, contenders).items():
            conflicts.setdefault(loser, {})[hostname] = winner
    left = [_without(each.stake, conflicts.get(each.stake.binding, {})) for each in candidates]
    return _in_agreement(left), conflicts


def foreseen_stakes(
    judged: Sequence[tuple[BindingRecord, BindingAssessment]],
) -> tuple[tuple[Stake, ...], Conflicts]:
    """The same as if every binding that is only observed were managed; empty when there is none."""
    if not any(is_observed(record.spec) and not record.deleting for record, _ in judged):
        return (), {}
    return stakes_of([(_as_managed(record), assessment) for record, assessment in judged])


def _as_managed(record: BindingRecord) -> BindingRecord:
    if record.spec is None or record.deleting or not is_observed(record.spec):
        return record
    return replace(record, spec=record.spec.model_copy(update={"management_policy": None}))


def _stake(record: BindingRecord, assessment: BindingAssessment) -> Stake:
    managed = managed_of(record)
    idle = is_idle(record, owns_something=bool(managed))
    wants: Mapping[str, Target]
    if record.deleting and not idle:
        wants = {}
    elif not idle and assessment.target is not None and record.spec is not None:
        wants = dict.fromkeys(record.spec.hostnames, assessment.target)
    else:
        wants = _as_recorded(managed, authority_of(record))
    return Stake(
        binding=record.key,
        managed=managed,
        wants=wants,
        has_finalizer=record.metadata.has_finalizer,
        deleting=record.deleting,
        adopts=adopts(record.spec),
        retains=record.deleting and is_retained(record.spec),
        enforced=frozenset(each.name for each in record.status.hostnames if each.state in _COVERED),
        blocked=frozenset(each.name for each in record.status.hostnames if _was_blocked(each)),
        in_force=_told_in_force(record),
        settled=frozenset(each.name for each in record.status.hostnames if each.state in _SETTLED),
        idle=idle,
        standing=_standing(record, assessment),
    )


def _was_blocked(told: HostnameStatus) -> bool:
    """Also if somebody took the rule away since: it is put back."""
    return told.state in _BLOCKED and told.meanwhile != Action.LOG


def _standing(record: BindingRecord, assessment: BindingAssessment) -> frozenset[str]:
    """What a binding that may not have what it refers to has recorded and not got in force. It keeps what it has, and
    removes it when it is deleted; but nothing new comes about for it."""
    if record.deleting or assessment.resolved.reason is not Reason.REF_NOT_PERMITTED:
        return frozenset()
    recorded = frozenset(name for names in managed_of(record).values() for name in names)
    return recorded - {each.name for each in record.status.hostnames if each.state in _SETTLED}


def _told_in_force(record: BindingRecord) -> frozenset[str]:
    said = frozenset(each.name for each in record.status.hostnames if each.state in _THERE)
    return said if is_well(record) else frozenset()


def _as_recorded(managed: Managed, authority: ResourceKey | None) -> Mapping[str, Target]:
    """What a binding that cannot be reconciled goes on wanting. On its way from one certificate to another it keeps
    both."""
    wants: dict[str, Target] = {}
    for certificate, names in managed.items():
        for hostname in names:
            before = wants.get(hostname)
            beside = before.beside | {before.certificate} if before else frozenset[CertificateId]()
            wants[hostname] = Target(certificate, authority=authority, beside=beside)
    return wants


def _age(record: BindingRecord) -> tuple[str, ResourceKey]:
    created = record.metadata.creation_timestamp
    return (created.isoformat() if created else "", record.key)


def _contenders(candidates: Sequence[_Candidate]) -> Mapping[str, Sequence[_Candidate]]:
    """Per hostname, who wants it or has it."""
    found: dict[str, list[_Candidate]] = {}
    for candidate in candidates:
        managed = {hostname for names in candidate.stake.managed.values() for hostname in names}
        for hostname in managed | candidate.stake.wants.keys():
            found.setdefault(hostname, []).append(candidate)
    return found


def _lost(hostname: str, contenders: Sequence[_Candidate]) -> Mapping[ResourceKey, ResourceKey]:
    """Who loses the hostname to whom. Only who gets it keeps others from it: one that loses beats nobody."""
    # Who has nothing there says of it what the verdict on it makes it say, and would win and lose in turn.
    is_blocked = any(hostname in each.stake.blocked and _owns(each.stake, hostname) for each in contenders)
    wanting = sorted(
        (each for each in contenders if hostname in each.stake.wants),
        key=lambda each: each.rank(hostname, is_blocked=is_blocked),
    )
    admitted: list[_Candidate] = []
    lost: dict[ResourceKey, ResourceKey] = {}
    for candidate in wanting:
        target = candidate.stake.wants[hostname]
        winner = next(
            (
                each
                for each in admitted
                if _contradict(each.stake.wants[hostname], target)
                or (is_blocked and _opens(each.stake.wants[hostname], target))
            ),
            None,
        )
        if winner is None:
            admitted.append(candidate)
        else:
            lost[candidate.stake.binding] = winner.stake.binding
    return lost


def _contradict(one: Target, other: Target) -> bool:
    if None in {one.policy, other.policy} and one.authority is not None and one.authority == other.authority:
        return False
    policies_differ = one.policy is not None and other.policy is not None and one.policy != other.policy
    return one.certificate != other.certificate or policies_differ


def _opens(one: Target, other: Target) -> bool:
    """Whether one of two would no longer block what the other, which cannot be reconciled, has in force."""
    policies = [each.policy for each in (one, other)]
    return None in policies and any(each is not None and each.action != BLOCK for each in policies)


def _owns(stake: Stake, hostname: str) -> bool:
    return any(hostname in names for names in stake.managed.values())


def _without(stake: Stake, lost: Mapping[str, ResourceKey]) -> Stake:
    return replace(stake, wants={name: target for name, target in stake.wants.items() if name not in lost})


def _in_agreement(stakes: Sequence[Stake]) -> tuple[Stake, ...]:
    """Two CAs of the cluster may have one object, while only one of them is in a rotation. A claim says one thing: if
    each binding wanted another, those who act with different tokens would change it back and forth for ever."""
    wanted: dict[Place, list[Target]] = {}
    for stake in stakes:
        for hostname, target in stake.wants.items():
            if target.policy is not None:
                wanted.setdefault((target.certificate, hostname), []).append(target)
    agreed = {place: each for place, targets in wanted.items() if (each := _agreed(targets)) is not None}
    return tuple(_with_agreed(stake, agreed) for stake in stakes) if agreed else tuple(stakes)


def _agreed(targets: Sequence[Target]) -> Target | None:
    """What is told of a place that bindings want differently: of the rotation that lasts longest. None where they want
    the same."""
    if all(each == targets[0] for each in targets):
        return None
    latest = max(targets, key=lambda each: (each.until or "", sorted(each.aim), sorted(each.in_force)))
    earlier = frozenset[CertificateId]().union(*(each.earlier for each in targets))
    return replace(latest, earlier=earlier, overlap=max(each.overlap for each in targets))


def _with_agreed(stake: Stake, agreed: Mapping[Place, Target]) -> Stake:
    wants = {name: _told(target, agreed.get((target.certificate, name))) for name, target in stake.wants.items()}
    return replace(stake, wants=wants)


def _told(target: Target, agreed: Target | None) -> Target:
    if target.policy is None or agreed is None:
        return target
    return replace(
        target,
        aim=agreed.aim,
        in_force=agreed.in_force,
        until=agreed.until,
        earlier=agreed.earlier,
        overlap=agreed.overlap,
    )
