"""From bindings to stakes: what each wants of its zone, and who wins where two want one hostname differently.

| for one hostname                                   | wins                                                     |
|----------------------------------------------------|----------------------------------------------------------|
| both want the same certificate and policy          | both: it goes when the last lets go                      |
| one has it in `status.managed`, the other does not | the incumbent                                            |
| neither has it                                     | the older resource, then namespace/name                  |
| one gives it up on another certificate             | nobody until it is gone there                            |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.served import forbids_cleanup
from mtls_operator.domain.zone_places import Stake, Target
from mtls_operator.domain.zone_steps import Managed

Conflicts = Mapping[ResourceKey, Mapping[str, ResourceKey]]
"""Per binding, the hostnames that it does not get, and the binding that has them."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    stake: Stake
    age: tuple[str, ResourceKey]

    def rank(self, hostname: str) -> tuple[bool, str, ResourceKey]:
        return (not _owns(self.stake, hostname), *self.age)


def managed_of(record: BindingRecord) -> Managed:
    """What a binding owns by its status."""
    return {CertificateId(each.certificate_id): frozenset(each.hostnames) for each in record.status.managed}


def is_cleanup_forbidden(record: BindingRecord) -> bool:
    """Whether the user wants what the binding has in force to stay, though it is deleted."""
    return record.spec is not None and bool(forbids_cleanup(record.spec))


def stakes_of(judged: Sequence[tuple[BindingRecord, BindingAssessment]]) -> tuple[tuple[Stake, ...], Conflicts]:
    """The stakes of a zone's bindings without contradictions, and what was refused to whom."""
    candidates = [_Candidate(_stake(record, verdict), _age(record)) for record, verdict in judged]
    contenders = _contenders(candidates)
    conflicts = {each.stake.binding: _lost(each, contenders) for each in candidates}
    stakes = tuple(_without(each.stake, conflicts[each.stake.binding]) for each in candidates)
    return stakes, {binding: lost for binding, lost in conflicts.items() if lost}


def _stake(record: BindingRecord, assessment: BindingAssessment) -> Stake:
    managed = managed_of(record)
    wants: Mapping[str, Target]
    if record.deleting and not is_cleanup_forbidden(record):
        wants = {}
    elif assessment.target is not None and record.spec is not None:
        wants = dict.fromkeys(record.spec.hostnames, assessment.target)
    else:
        wants = {hostname: Target(certificate) for certificate, names in managed.items() for hostname in names}
    return Stake(
        binding=record.key,
        managed=managed,
        wants=wants,
        has_finalizer=record.metadata.has_finalizer,
        deleting=record.deleting,
    )


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


def _lost(candidate: _Candidate, contenders: Mapping[str, Sequence[_Candidate]]) -> Mapping[str, ResourceKey]:
    lost = {}
    for hostname, target in candidate.stake.wants.items():
        winner = next((o for o in contenders[hostname] if _wins_over(o, candidate, hostname, target)), None)
        if winner is not None:
            lost[hostname] = winner.stake.binding
    return lost


def _wins_over(other: _Candidate, candidate: _Candidate, hostname: str, target: Target) -> bool:
    if other is candidate:
        return False
    theirs = other.stake.wants.get(hostname)
    if theirs is None:
        return any(
            hostname in names and certificate != target.certificate
            for certificate, names in other.stake.managed.items()
        )
    return _contradict(theirs, target) and other.rank(hostname) < candidate.rank(hostname)


def _contradict(one: Target, other: Target) -> bool:
    policies_differ = one.policy is not None and other.policy is not None and one.policy != other.policy
    return one.certificate != other.certificate or policies_differ


def _owns(stake: Stake, hostname: str) -> bool:
    return any(hostname in names for names in stake.managed.values())


def _without(stake: Stake, lost: Mapping[str, ResourceKey]) -> Stake:
    return replace(stake, wants={name: target for name, target in stake.wants.items() if name not in lost})
