"""From verdicts to the conditions of a resource, in the sense of kstatus.

`Ready` says whether all is well; `Reconciling` is there while the operator goes on by itself, `Stalled` while
somebody has to change something. Neither of the two is written as False: absent means no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from mtls_operator.api.conditions import Condition, ConditionStatus, ConditionType
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.verdicts import Outcome, Verdict, chosen, ok, worst

_UNKNOWN_YET = frozenset({Reason.PROGRESSING, Reason.CREDENTIALS_PENDING})
_UNKNOWN = frozenset(
    {
        Reason.VERIFICATION_OFF,
        Reason.VERIFICATION_PENDING,
        Reason.VERIFICATION_REFUSED,
        Reason.TARGET_UNREACHABLE,
    }
)
"""Nobody can tell, and nothing else is the worse for it."""
OPEN_BY_CHOICE = frozenset({Reason.LOG_ONLY, Reason.NOT_ENFORCED})
"""All that the spec asks for is there, and it is not what the condition's type says."""
_FALSE_AND_WELL = OPEN_BY_CHOICE | {Reason.GOOD_CLIENT_REFUSED}
"""The condition is False, and `Ready` does not depend on it."""
_BROUGHT_ABOUT = frozenset(
    {ConditionType.ASSOCIATED, ConditionType.ENFORCED, ConditionType.UPLOADED, ConditionType.ROTATED}
)
_MESSAGE_LIMIT = 4096
_Said = tuple[ConditionType, ConditionStatus, Verdict]


def conditions_of(
    aspects: Mapping[ConditionType, Verdict],
    others: Sequence[Verdict],
    previous: Iterable[Condition],
    generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """One condition per aspect, and `Ready`, `Reconciling` or `Stalled` from all of them and from `others`.

    `others` come first where they are as bad: they explain why an aspect does not get on (a deletion, an outage), or
    qualify that all is well.
    """
    overall = worst(*others, *aspects.values())
    if overall.is_ok:
        well = Verdict(Outcome.OK, Reason.RECONCILED, "everything that the spec asks for is in force")
        overall = others[0] if others else well
    summary: list[_Said] = [
        (ConditionType.READY, ConditionStatus.TRUE if overall.is_ok else ConditionStatus.FALSE, overall)
    ]
    if overall.outcome is Outcome.WAITING:
        summary.append((ConditionType.RECONCILING, ConditionStatus.TRUE, overall))
    if overall.outcome is Outcome.BLOCKED:
        summary.append((ConditionType.STALLED, ConditionStatus.TRUE, overall))
    summary += [(kind, _status(verdict), verdict) for kind, verdict in aspects.items()]
    known = {condition.type: condition for condition in previous}
    return tuple(_condition(each, known.get(each[0]), generation, now) for each in summary)


def observed(
    aspects: Mapping[ConditionType, Verdict], others: Sequence[Verdict], plan: Sequence[str]
) -> tuple[dict[ConditionType, Verdict], list[Verdict]]:
    """What is said of a resource that is only observed: what is not in force is not waited for. What is wrong with its
    spec, or keeps us from looking, is said as always."""
    told = {
        kind: chosen(Reason.OBSERVED, "spec.managementPolicy is Observe: status.plan says what would be done")
        if kind in _BROUGHT_ABOUT and verdict.outcome is Outcome.WAITING
        else verdict
        for kind, verdict in aspects.items()
    }
    if plan:
        ready = chosen(
            Reason.OBSERVED,
            f"spec.managementPolicy is Observe: status.plan has {len(plan)} step(s), the first: {plan[0]}",
        )
    else:
        ready = ok(Reason.OBSERVED, "spec.managementPolicy is Observe, and there is nothing that would be done")
    return told, [*others, ready]


def _status(verdict: Verdict) -> ConditionStatus:
    if verdict.reason in _UNKNOWN:
        return ConditionStatus.UNKNOWN
    if verdict.is_ok and verdict.reason not in _FALSE_AND_WELL:
        return ConditionStatus.TRUE
    return ConditionStatus.UNKNOWN if verdict.reason in _UNKNOWN_YET else ConditionStatus.FALSE


def _condition(said: _Said, previous: Condition | None, generation: int, now: datetime) -> Condition:
    """The transition time stays as long as the status does; a condition that says the same as before is the same."""
    kind, status, verdict = said
    reason, message = verdict.reason.value, verdict.message[:_MESSAGE_LIMIT]
    since = now
    if previous is not None and previous.status == status:
        if (previous.reason, previous.message, previous.observed_generation) == (reason, message, generation):
            return previous
        since = previous.last_transition_time
    return Condition(
        type=kind.value,
        status=status.value,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=since,
    )
