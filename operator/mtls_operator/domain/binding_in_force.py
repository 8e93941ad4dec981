"""Whether what a binding has in force rests on a certificate: what the rotation of its CA waits for.

Only hostnames that are its own count. One that somebody else has (`Conflicted`), or that it may not take over
(`Refused`), is not recorded and may stay like that for ever; a rotation must not wait for it.
"""

from __future__ import annotations

from mtls_operator.api.conditions import ConditionStatus, ConditionType, find
from mtls_operator.api.host_binding import HostnameState
from mtls_operator.api.policies import ACTION_WHEN_ABSENT, Action
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.handling import is_idle
from mtls_operator.domain.records import BindingRecord

_WANTED = {
    Action.BLOCK: HostnameState.ENFORCED,
    Action.LOG: HostnameState.LOGGED,
    Action.NONE: HostnameState.ASSOCIATED,
}
_NOT_ITS_OWN = frozenset({Reason.CONFLICTED, Reason.ADOPTION_REFUSED})


def action_of(record: BindingRecord) -> Action:
    """The action that a binding asks for."""
    return record.spec.action if record.spec else ACTION_WHEN_ABSENT


def is_in_force_on(record: BindingRecord, certificate: str | None) -> bool:
    """Whether a binding has recorded all its hostnames for this certificate, and says of its present spec that each is
    in force. One that is laid aside, or cannot be reconciled, says so of what it had before."""
    if _stands_still(record):
        return False
    status = record.status
    managed = {each.certificate_id: frozenset(each.hostnames) for each in status.managed}
    everything = frozenset[str]().union(*managed.values())
    wanted = _WANTED[action_of(record)]
    in_force = {each.name for each in status.hostnames if each.state == wanted}
    return managed.get(certificate or "") == everything <= in_force and is_well(record)


def _stands_still(record: BindingRecord) -> bool:
    told = (find(record.status.conditions, kind) for kind in (ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS))
    is_refused = any(each is not None and each.status != ConditionStatus.TRUE for each in told)
    return is_idle(record, owns_something=bool(record.status.managed)) or (is_refused and not record.deleting)


def is_moving_on(record: BindingRecord, certificate: str | None) -> bool:
    """Whether it says of a hostname that is recorded for this certificate that it is on its way still: with what is
    accepted here another installation may refuse it, or its rule may not have reached the whole edge. Where nothing is
    blocked only the condition says so."""
    told = find(record.status.conditions, ConditionType.ASSOCIATED)
    waits = told is not None and told.reason == Reason.WAITING_FOR_OTHERS
    moving = {each.name for each in record.status.hostnames if each.state in _on_its_way(record)}
    return any(
        each.certificate_id == certificate and (waits or moving & set(each.hostnames)) for each in record.status.managed
    )


def _on_its_way(record: BindingRecord) -> frozenset[HostnameState]:
    """What the states of hostnames are called that may have been in force already. Without a rule nothing shows that it
    was."""
    if action_of(record) is Action.NONE:
        return frozenset({HostnameState.MOVING, HostnameState.ARRIVING})
    enforced = find(record.status.conditions, ConditionType.ENFORCED)
    settles = enforced is not None and enforced.reason == Reason.PROGRESSING
    return frozenset({HostnameState.MOVING, HostnameState.ASSOCIATED} if settles else {HostnameState.MOVING})


def has_lost_its_status(record: BindingRecord) -> bool:
    """Whether a binding that is to stay is held by our finalizer and records nothing, so that only claims tell what it
    has in force; be it for the moment in which one that comes is about to record its first hostnames. Not if it says
    that it may not have what it names: such a one gave up what it had."""
    is_held = record.metadata.has_finalizer and not record.deleting
    told = find(record.status.conditions, ConditionType.ASSOCIATED)
    return is_held and not (record.status.managed or (told is not None and told.reason in _NOT_ITS_OWN))


def is_well(record: BindingRecord) -> bool:
    """Whether a binding says of its present spec that it waits for nothing but hostnames that are not its own: one that
    was taken off the list is enforced still."""
    told = find(record.status.conditions, ConditionType.ASSOCIATED)
    if told is None or told.observed_generation != record.metadata.generation:
        return False
    return told.status == ConditionStatus.TRUE or told.reason in _NOT_ITS_OWN
