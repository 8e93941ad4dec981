"""What a binding wants to have checked from outside, and what its condition `Verified` says.

Rules of this module:
- Only hostnames are asked for that the binding says are covered by its rule now, by the spec of now. What arrives or
  leaves is open for a while, rightly.
- An answer is that of a block if it is the one of the spec, or of a block rule that is on the hostname now: that of
  another installation, which may come first, or the one from before a change.
- What was found counts as long as the spec is the one that it was found under, also for a new process. That a bad
  client got through counts until a later check has found otherwise, whatever has been changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.host_binding import HostBindingSpec, HostnameState, Response
from mtls_operator.api.policies import VERIFICATION_PATH_WHEN_ABSENT, Action
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.hostnames import is_hostname
from mtls_operator.domain.marks import Enforcement, read_mark
from mtls_operator.domain.observed import BlockResponse, Ruleset
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.sources import SourceKey, SourceKind
from mtls_operator.domain.verdicts import Verdict, blocked, ok
from mtls_operator.domain.verification import Refusal
from mtls_operator.domain.zone_view import BLOCK

_COVERED: Final = frozenset({HostnameState.ENFORCED.value, HostnameState.MOVING.value})
_OPEN: Final = frozenset({Reason.BAD_CLIENT_ADMITTED, Reason.HOST_VARIANT_OPEN})
_FOUND: Final = {
    reason.value: reason
    for reason in (
        *_OPEN,
        Reason.GOOD_CLIENT_REFUSED,
        Reason.VERIFICATION_REFUSED,
        Reason.TARGET_UNREACHABLE,
        Reason.VERIFIED,
    )
}
"""What a check can find."""
_PENDING: Final = ok(
    Reason.VERIFICATION_PENDING, "hostnames are checked from outside some time after a rule covers them"
)


@dataclass(frozen=True, slots=True)
class Task:
    """A check of one binding: the hostnames, sorted, and how to ask for them."""

    hostnames: tuple[str, ...]
    path: str
    interval: float
    """Seconds from one check to the next."""
    refusal: Refusal
    """How its own rule answers whom it blocks."""
    client: SourceKey | None
    """The Secret with a good client's certificate."""


def task_of(record: BindingRecord) -> Task | None:
    """What is to be checked of a binding now; None when there is nothing."""
    spec = record.spec
    if spec is None or spec.verification is None or spec.action is not Action.BLOCK or record.deleting:
        return None
    if record.status.observed_generation != record.metadata.generation:
        return None
    hostnames = covered_hostnames(record)
    if not hostnames:
        return None
    return Task(
        hostnames=hostnames,
        path=spec.verification.path or VERIFICATION_PATH_WHEN_ABSENT,
        interval=spec.verification.interval.total_seconds(),
        refusal=_refusal(spec.enforcement.response if spec.enforcement else None),
        client=client_certificate_of(record),
    )


def covered_hostnames(record: BindingRecord) -> tuple[str, ...]:
    """The hostnames of the spec that the status says are covered by a rule, sorted."""
    covered = {each.name for each in record.status.hostnames if each.state in _COVERED}
    wanted = record.spec.hostnames if record.spec else ()
    return tuple(sorted(name for name in wanted if name in covered and is_hostname(name)))


def client_certificate_of(record: BindingRecord) -> SourceKey | None:
    """The Secret with a good client's certificate that a binding names."""
    verification = record.spec.verification if record.spec else None
    reference = verification.client_certificate_ref if verification else None
    return SourceKey(SourceKind.SECRET, record.metadata.namespace, reference.name) if reference else None


def refusals_in(ruleset: Ruleset | None) -> Mapping[str, frozenset[Refusal]]:
    """By hostname, how the enabled block rules of all installations answer whom they block."""
    found: dict[str, frozenset[Refusal]] = {}
    for rule in ruleset.rules if ruleset else ():
        mark = read_mark(rule)
        if isinstance(mark, Enforcement) and mark.enabled and mark.action == BLOCK:
            for hostname in mark.hostnames:
                found[hostname] = found.get(hostname, frozenset()) | {_refusal(mark.response)}
    return found


def _refusal(response: Response | BlockResponse | None) -> Refusal:
    return Refusal(response.status_code, response.content_type) if response else Refusal()


def verification_verdict(record: BindingRecord, found: Verdict | None) -> Verdict:
    """What a binding says of the check from outside. `found` is what the last one found under this spec, as far as this
    process has made one."""
    off = _off(record.spec)
    if off is not None:
        return off
    return found or said_before(record) or _PENDING


def said_before(record: BindingRecord) -> Verdict | None:
    """What the status says that a check found, if it still counts."""
    before = find(record.status.conditions, ConditionType.VERIFIED)
    if before is None or before.reason not in _FOUND:
        return None
    reason = _FOUND[before.reason]
    if reason in _OPEN:
        return blocked(reason, before.message)
    is_current = before.observed_generation == record.metadata.generation and bool(covered_hostnames(record))
    return ok(reason, before.message) if is_current else None


def _off(spec: HostBindingSpec | None) -> Verdict | None:
    if spec is None:
        return None
    if spec.verification is None:
        return ok(Reason.VERIFICATION_OFF, "spec.verification is absent")
    if spec.action is not Action.BLOCK:
        return ok(
            Reason.VERIFICATION_OFF,
            f"spec.enforcement.action is {spec.action}: bad clients get through by choice, so none is sent",
        )
    return None
