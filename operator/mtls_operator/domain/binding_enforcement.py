"""What `Enforced` says of a binding: by a rule of which kind its hostnames are covered, or why not yet."""

from __future__ import annotations

from collections.abc import Sequence

from mtls_operator.api.policies import Action, IssuerPinning
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_in_force import action_of
from mtls_operator.domain.binding_view import BindingView, names_and_until, stage_of, uncovered
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.verdicts import Verdict, ok, waiting
from mtls_operator.domain.zone_progress import HostStage

COVERED = frozenset({HostStage.ENFORCED, HostStage.LOGGED, HostStage.MOVING})


def enforced(record: BindingRecord, view: BindingView, hostnames: Sequence[str]) -> Verdict:
    """Whether a rule covers every hostname as the spec asks."""
    if action_of(record) is Action.NONE and not any(stage_of(view, name) in COVERED for name in hostnames):
        return ok(
            Reason.NOT_ENFORCED,
            "spec.enforcement.action is None: there is no rule, and requests without a client certificate get through",
        )
    if removed := uncovered(view):
        return waiting(
            Reason.RULE_ALTERED,
            f"somebody has removed our rule, and requests get through until it is back: {', '.join(removed)}",
        )
    if view.altered is not None:
        return view.altered
    if hostnames and all(stage_of(view, name) in COVERED for name in hostnames):
        return _otherwise(record, view, hostnames) or _covered(record, view, len(hostnames))
    if view.trouble is not None and view.trouble.reason is Reason.QUOTA_EXHAUSTED:
        return view.trouble
    return _under_way(view)


def acting_on(view: BindingView, hostname: str) -> Action | None:
    """What the rule that covers a hostname does with requests without an accepted certificate."""
    progress = (view.progress or {}).get(hostname)
    if progress is None or progress.stage is HostStage.MOVING:
        return progress.meanwhile if progress else None
    return {HostStage.ENFORCED: Action.BLOCK, HostStage.LOGGED: Action.LOG}.get(progress.stage)


def _otherwise(record: BindingRecord, view: BindingView, hostnames: Sequence[str]) -> Verdict | None:
    """What is said as long as a rule covers hostnames that does not do with requests what the spec asks for."""
    acting = {name: acting_on(view, name) for name in hostnames}
    others = [f"{name} ({acting[name]})" for name in sorted(acting) if acting[name] != action_of(record)]
    if not others:
        return None
    return waiting(
        Reason.PROGRESSING,
        f"spec.enforcement.action is {action_of(record)}, and rules with another one cover still: {', '.join(others)}",
    )


def _under_way(view: BindingView) -> Verdict:
    if arriving := names_and_until(view, HostStage.ARRIVING):
        return waiting(Reason.ARRIVING, f"the rule follows when the association has settled: {arriving}")
    if any(each.until is not None for each in (view.progress or {}).values() if each.stage is HostStage.ASSOCIATED):
        settling = names_and_until(view, HostStage.ASSOCIATED)
        return waiting(Reason.PROGRESSING, f"the rule is there and on its way to the whole edge: {settling}")
    return waiting(Reason.PROGRESSING, "not covered by a rule yet")


def _covered(record: BindingRecord, view: BindingView, count: int) -> Verdict:
    if action_of(record) is Action.LOG:
        return ok(
            Reason.LOG_ONLY,
            f"spec.enforcement.action is Log: requests to {count} hostname(s) without an accepted certificate are"
            " logged and get through",
        )
    left_out = _left_out(view)
    never = record.spec is not None and record.spec.issuer_pinning is IssuerPinning.NEVER
    if never or any(each.unpinned for each in (view.progress or {}).values()):
        way_out = (
            "set spec.enforcement.issuerPinning to Always to accept only those of this CA"
            if never
            else "that ends when what the spec asks for now can be put in force"
        )
        return ok(
            Reason.ISSUER_NOT_PINNED,
            f"{count} hostname(s) covered by an enabled rule that accepts certificates of any CA that is associated"
            f" with them, whoever associated it: {way_out}" + (f". Besides, {left_out}" if left_out else ""),
        )
    if left_out:
        return ok(Reason.REVOCATION_INCOMPLETE, f"{count} hostname(s) covered by an enabled rule, but {left_out}")
    return ok(Reason.ENFORCED, f"{count} hostname(s) covered by an enabled rule")


def _left_out(view: BindingView) -> str:
    """What is said of revoked certificates that no rule stops; nothing where there are none."""
    unrevoked = max((each.unrevoked for each in (view.progress or {}).values()), default=0)
    if not unrevoked:
        return ""
    return (
        f"{unrevoked} revoked certificate(s) get through, those that were revoked first: their serial numbers do not"
        " fit into the rules that there may be in the zone. Raise revocation.maxRulesPerZone of the operator's chart if"
        " the zone's plan has more, or have the CA drop certificates that have expired from its revocation list. Where"
        " SourceResolved of the CA resource says that a list cannot be read, mend that first."
    )
