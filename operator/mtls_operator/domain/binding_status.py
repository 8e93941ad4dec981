"""The status of a binding, from the verdicts on it and from where its hostnames stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil

from mtls_operator.api.conditions import Condition, ConditionStatus, ConditionType, find
from mtls_operator.api.host_binding import (
    HostBindingStatus,
    HostnameState,
    HostnameStatus,
    ManagedHostnames,
    MtlsHostBinding,
)
from mtls_operator.api.policies import Action
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_enforcement import enforced
from mtls_operator.domain.binding_in_force import action_of
from mtls_operator.domain.binding_view import BindingView, moment, names_and_until, stage_of, uncovered
from mtls_operator.domain.condition_set import OPEN_BY_CHOICE, conditions_of, observed
from mtls_operator.domain.exposure import EXPOSURES, ZoneLook, associated_in_view_of, enforced_in_view_of, pins_issuers
from mtls_operator.domain.handling import is_observed, retaining_field, suspension
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.verdicts import Outcome, Verdict, blocked, left_alone, ok, waiting
from mtls_operator.domain.verification_task import verification_verdict
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_steps import Managed

_REASONS = {reason.value: reason for reason in Reason}
_IN_FORCE = frozenset({HostStage.ASSOCIATED, HostStage.ENFORCED, HostStage.LOGGED})
_WANTED = {Action.BLOCK: HostStage.ENFORCED, Action.LOG: HostStage.LOGGED, Action.NONE: HostStage.ASSOCIATED}


def binding_status(record: BindingRecord, view: BindingView, now: datetime) -> HostBindingStatus:
    """The whole status but `managed`, which only `RecordManaged` changes. Equal facts give an equal status."""
    hostnames = record.spec.hostnames if record.spec else ()
    told: dict[str, object] = {}
    if view.progress is not None:
        ready = sum(1 for name in hostnames if stage_of(view, name) is _WANTED[action_of(record)])
        told["hostnames"] = _hostname_statuses(view, view.progress, hostnames)
        told["hostnames_ready"] = f"{ready}/{len(hostnames)}"
    if view.rules is not None:
        told["rules"] = tuple(view.rules)
    told["plan"] = _plan(record, view)
    return record.status.model_copy(
        update=told
        | {
            "observed_generation": record.metadata.generation,
            "conditions": _conditions(record, view, hostnames, now),
            "effective": _effective(record),
            "zone_id": view.zone.id if view.zone else record.status.zone_id,
            "zone_name": view.zone.name if view.zone else record.status.zone_name,
            "account_id": (view.zone.account_id if view.zone else None) or record.status.account_id,
            "rival": view.rival,
            "removals_from": _ceiling_of(view.removals_from),
            "certificate_authority_not_after": view.not_after or record.status.certificate_authority_not_after,
            "last_handled_reconcile_at": record.status.last_handled_reconcile_at
            if view.progress is None or not view.is_fresh
            else record.metadata.reconcile_requested_at,
        }
    )


def _plan(record: BindingRecord, view: BindingView) -> tuple[str, ...]:
    if record.deleting or not is_observed(record.spec):
        return ()
    if view.assessment.accepted.is_ok and not view.assessment.resolved.is_ok:
        return (f"wait: {view.assessment.resolved.message}",)
    return record.status.plan if view.plan is None else tuple(view.plan)


def with_managed(status: HostBindingStatus, managed: Managed) -> HostBindingStatus:
    """The status with another log of intents."""
    entries = tuple(
        ManagedHostnames(certificate_id=certificate, hostnames=tuple(sorted(names)))
        for certificate, names in sorted(managed.items())
        if names
    )
    return status.model_copy(update={"managed": entries})


def _conditions(
    record: BindingRecord, view: BindingView, hostnames: Sequence[str], now: datetime
) -> tuple[Condition, ...]:
    aspects = {
        ConditionType.ACCEPTED: view.assessment.accepted,
        ConditionType.RESOLVED_REFS: view.assessment.resolved,
        ConditionType.ASSOCIATED: _associated(view, hostnames),
        ConditionType.ENFORCED: enforced(record, view, hostnames),
    }
    if view.progress is None:
        aspects |= _as_before(record, aspects)
    aspects[ConditionType.VERIFIED] = verification_verdict(record, view.verification)
    in_force = aspects[ConditionType.ASSOCIATED].is_ok and aspects[ConditionType.ENFORCED].is_ok
    if view.progress is not None:
        aspects |= _in_view_of_others(record.status.conditions, aspects, hostnames, view.look)
    in_force = in_force and not any(each.to_revoke for each in (view.progress or {}).values())
    others = [] if view.trouble is None or in_force else [view.trouble]
    others += [] if view.remark is None else [view.remark]
    others += _contests(view)
    if is_observed(record.spec) and not record.deleting:
        aspects, others = observed(aspects, others, _plan(record, view))
    halted = suspension(record, owns_something=bool(record.status.managed))
    if halted is not None:
        others = [halted]
    elif record.deleting:
        others = [_deletion(record, view)]
    if halted is not None or record.deleting:
        aspects = {kind: left_alone(verdict) for kind, verdict in aspects.items()}
    return conditions_of(aspects, others, record.status.conditions, record.metadata.generation, now)


def _in_view_of_others(
    before: Sequence[Condition],
    aspects: Mapping[ConditionType, Verdict],
    hostnames: Sequence[str],
    look: ZoneLook | None,
) -> dict[ConditionType, Verdict]:
    enforced, associated = aspects[ConditionType.ENFORCED], aspects[ConditionType.ASSOCIATED]
    pins = pins_issuers(enforced)
    return {
        ConditionType.ENFORCED: enforced_in_view_of(enforced, find(before, ConditionType.ENFORCED), hostnames, look),
        ConditionType.ASSOCIATED: associated_in_view_of(
            associated, find(before, ConditionType.ASSOCIATED), hostnames, look, pins=pins
        ),
    }


def _contests(view: BindingView) -> list[Verdict]:
    contested = sorted(name for name, each in (view.progress or {}).items() if each.contested)
    overruled = sorted(name for name, each in (view.progress or {}).items() if each.overruled)
    lists = (
        f"somebody keeps taking {', '.join(contested)} off the certificate's list of hostnames, and it is put back each"
        " time: find who else writes the list (Terraform, the dashboard, another tool) and let only one do so"
    )
    rules = (
        f"somebody keeps changing or removing our rules for {', '.join(overruled)}, and they are put right each time:"
        " find who else writes the zone's custom rules (Terraform, the dashboard, another tool) and let it leave those"
        " alone that are marked mtls-operator"
    )
    said = [words for words, names in ((lists, contested), (rules, overruled)) if names]
    return [blocked(Reason.MANAGEMENT_CONFLICT, ". ".join(said))] if said else []


def _as_before(record: BindingRecord, aspects: Mapping[ConditionType, Verdict]) -> dict[ConditionType, Verdict]:
    """What was said last, as long as nothing newer is known. Who lost a hostname to whom is always known."""
    return {
        kind: _said_before(previous, record.metadata.generation)
        for kind in (ConditionType.ASSOCIATED, ConditionType.ENFORCED)
        if (previous := find(record.status.conditions, kind)) is not None
        and previous.reason in _REASONS
        and Reason.CONFLICTED not in {previous.reason, aspects[kind].reason}
    }


def _said_before(previous: Condition, generation: int) -> Verdict:
    """That all was well is true of the spec that it was said of: another one may name more hostnames."""
    outcome = _outcome_of(previous)
    if outcome is Outcome.OK and previous.observed_generation != generation:
        return waiting(Reason.PROGRESSING, "the spec has changed, and Cloudflare could not be asked since")
    return Verdict(outcome, _REASONS[previous.reason], previous.message)


def _outcome_of(previous: Condition) -> Outcome:
    is_exposed = previous.reason in EXPOSURES and previous.status == ConditionStatus.FALSE
    if is_exposed or previous.reason == Reason.ADOPTION_REFUSED:
        return Outcome.BLOCKED
    is_well = previous.status == ConditionStatus.TRUE or previous.reason in OPEN_BY_CHOICE
    return Outcome.OK if is_well else Outcome.WAITING


def _deletion(record: BindingRecord, view: BindingView) -> Verdict:
    assessment = view.assessment
    kept_by = retaining_field(record.spec)
    if kept_by is not None and view.trouble is None:
        staying = names_and_until(view, HostStage.LEAVING) or "nothing left"
        return waiting(Reason.DELETING, f"let go of and kept in force, as {kept_by}: {staying}")
    # What is refused is given up all the same, where there is a token to do it with.
    refusal = None if assessment.accepted.is_ok or assessment.credential else assessment.accepted
    blocker = view.trouble or refusal
    if blocker is not None and record.status.managed:
        return waiting(
            Reason.DELETION_BLOCKED,
            f"{blocker.message} Retried until it succeeds; annotate with apishield-mtls.io/force-orphan=true to let go"
            " and leave what is at Cloudflare behind.",
        )
    return (
        _overlap(view)
        or _held_up(view)
        or waiting(Reason.DELETING, f"being removed: {names_and_until(view, HostStage.LEAVING) or 'nothing left'}")
    )


def _overlap(view: BindingView) -> Verdict | None:
    """What a deletion says that waits until clients of its CA have had the time to change."""
    moving = {name: each for name, each in (view.progress or {}).items() if each.heir is not None}
    if not moving:
        return None
    latest = max(each.until for each in moving.values() if each.until is not None)
    names = ", ".join(f"{name} (to {each.heir})" for name, each in sorted(moving.items()))
    return waiting(
        Reason.DELETION_BLOCKED,
        f"another binding gets these hostnames with another CA, and both CAs are accepted until {moment(latest)}:"
        f" {names}. Shorten spec.rotation.overlap of the other CA to end that sooner.",
    )


def _held_up(view: BindingView) -> Verdict | None:
    """What a deletion says that waits for another binding of the same hostnames."""
    waiting_for = {name: each.held_up_by for name, each in (view.progress or {}).items() if each.held_up_by is not None}
    if not waiting_for:
        return None
    names = ", ".join(f"{name} ({other})" for name, other in sorted(waiting_for.items()))
    return waiting(
        Reason.DELETION_BLOCKED,
        "another MtlsHostBinding has these hostnames with another certificate and cannot be reconciled now, so what"
        f" covers them stays as it is: {names}. See its Ready condition; lift its suspension, mend or delete it, or"
        " annotate this one with apishield-mtls.io/force-orphan=true to let go and leave what is at Cloudflare behind.",
    )


def _associated(view: BindingView, hostnames: Sequence[str]) -> Verdict:
    under_way = _not_ours(view) or _under_way(view)
    if under_way is not None:
        return under_way
    if hostnames and all(stage_of(view, name) in _IN_FORCE for name in hostnames):
        return ok(Reason.ASSOCIATED, f"{len(hostnames)} hostname(s) associated, seen back and settled")
    if arriving := names_and_until(view, HostStage.ARRIVING):
        return waiting(Reason.ARRIVING, f"claimed and settling: {arriving}")
    return waiting(Reason.PROGRESSING, "not associated yet")


def _not_ours(view: BindingView) -> Verdict | None:
    if refused := names_and_until(view, HostStage.REFUSED):
        return blocked(
            Reason.ADOPTION_REFUSED,
            "on the CA's list of hostnames already, without a claim of this operator, and spec.adoptionPolicy is Never:"
            f" {refused}. Set it to IfIdentical to make them yours, or take them off the list at Cloudflare.",
        )
    if view.lost:
        named = ", ".join(f"{name} ({other})" for name, other in sorted(view.lost.items()))
        return blocked(Reason.CONFLICTED, f"held by somebody else with another CA or enforcement: {named}")
    return None


def _under_way(view: BindingView) -> Verdict | None:
    if missing := sorted(name for name, each in (view.progress or {}).items() if each.missing):
        return waiting(
            Reason.ARRIVING,
            f"somebody took them off the list; they have to be seen there and to settle: {', '.join(missing)}",
        )
    if leaving := names_and_until(view, HostStage.LEAVING):
        return waiting(Reason.LEAVING, f"being given up: {leaving}")
    return _waiting_for_others(view) or _moving(view)


def _waiting_for_others(view: BindingView) -> Verdict | None:
    """Where nothing is blocked a hostname may be where it goes, and be refused by another installation all the same."""
    held_up = {name: each.waits_for for name, each in (view.progress or {}).items() if each.waits_for}
    if not held_up:
        return None
    if any((view.progress or {})[name].refused for name in held_up):
        return _refused_elsewhere(view)
    others = sorted(frozenset[str]().union(*held_up.values()))
    names = names_and_until(view, HostStage.MOVING) or ", ".join(sorted(held_up))
    return waiting(
        Reason.WAITING_FOR_OTHERS,
        f"{_installations(others)} must accept the same CAs, and its overlap be over, before the earlier ones are"
        f" refused: {names}.{_takeover(view, others)}",
    )


def _refused_elsewhere(view: BindingView) -> Verdict:
    refused = {name: each.waits_for for name, each in (view.progress or {}).items() if each.refused}
    others = sorted(frozenset[str]().union(*refused.values()))
    named = ", ".join(f"{name} ({_installations(owners)})" for name, owners in sorted(refused.items()))
    return waiting(
        Reason.WAITING_FOR_OTHERS,
        f"clients of the CA are refused by rules of others, or were a moment ago: {named}. Give the other installation"
        f" the same CA, or the hostname to one of both.{_takeover(view, others)}",
    )


def _takeover(view: BindingView, owners: Sequence[str]) -> str:
    """What to list for installations that will never follow, because they are gone; in quotes, as an ownerId may look
    like a number."""
    places = ((owner, cluster) for owner in owners for cluster in view.clusters.get(owner, ()))
    listed = ", ".join(f'{{ownerId: "{owner}", clusterUID: "{cluster}"}}' for owner, cluster in places)
    return f" If one of them is gone, list it in takeover of the operator's chart: {listed}." if listed else ""


def _moving(view: BindingView) -> Verdict | None:
    moving = names_and_until(view, HostStage.MOVING)
    if not moving:
        return None
    if cramped := sorted(name for name, each in (view.progress or {}).items() if each.cramped):
        return waiting(
            Reason.ROTATING,
            "no rule has room for the issuers that are in force and for those that are wanted, so what is in force"
            f" stays: {', '.join(cramped)}. Name fewer spec.enforcement.additionalIssuers, or move by way of a CA that"
            " has fewer certificates.",
        )
    if removed := uncovered(view):
        names = ", ".join(removed)
        return waiting(Reason.RULE_ALTERED, f"somebody removed their rule, which is put back first: {names}")
    return waiting(Reason.ROTATING, f"moving from what is in force to what is wanted, covered all the while: {moving}")


def _installations(owners: Sequence[str]) -> str:
    return ", ".join(f"installation {owner}" for owner in owners)


def _ceiling_of(seconds: float | None) -> datetime | None:
    """The moment in whole seconds, as it is written; not a bit earlier than it is."""
    return None if seconds is None else datetime.fromtimestamp(ceil(seconds), UTC)


def _hostname_statuses(
    view: BindingView, progress: Mapping[str, HostProgress], hostnames: Sequence[str]
) -> tuple[HostnameStatus, ...]:
    return tuple(
        HostnameStatus(
            name=name,
            state=_state(view, progress, name),
            meanwhile=_meanwhile(view, progress, name),
            message=_message(view, progress, name),
        )
        for name in sorted({*hostnames, *progress})
    )


def _state(view: BindingView, progress: Mapping[str, HostProgress], hostname: str) -> HostnameState:
    if hostname in view.lost:
        return HostnameState.CONFLICTED
    if hostname not in progress and view.assessment.accepted.outcome is Outcome.BLOCKED:
        return HostnameState.REFUSED
    return HostnameState(stage_of(view, hostname).value)


def _meanwhile(view: BindingView, progress: Mapping[str, HostProgress], hostname: str) -> str | None:
    acting = progress[hostname].meanwhile if hostname in progress and hostname not in view.lost else None
    return None if acting is None else acting.value


def _message(view: BindingView, progress: Mapping[str, HostProgress], hostname: str) -> str | None:
    if hostname in view.lost:
        return f"held by {view.lost[hostname]}"
    if stage_of(view, hostname) is HostStage.REFUSED:
        return "on the list already, put there by somebody else"
    if hostname not in progress:
        return None
    if (other := progress[hostname].held_up_by) is not None:
        return f"waits for MtlsHostBinding {other}, which has it too and cannot be reconciled"
    if others := progress[hostname].waits_for:
        return f"waits for {_installations(others)}"
    until = progress[hostname].until
    return None if until is None else f"until {moment(until)} at least"


def _effective(record: BindingRecord) -> object:
    if record.spec is None:
        return record.status.effective
    return MtlsHostBinding(metadata=record.metadata, spec=record.spec).effective()
