"""What is said of the bindings of a zone: their statuses, from the plan and from what is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.host_binding import HostBindingStatus, HostnameState, ManagedRule, Rival
from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.exposure import ZoneLook, alteration
from mtls_operator.domain.handling import is_observed, is_suspended
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import CertificateId, Ruleset
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.resync import looked_at, overdue, said_before
from mtls_operator.domain.verdicts import Verdict, blocked, waiting
from mtls_operator.domain.zone_foresight import Plans
from mtls_operator.domain.zone_knowledge import ZoneKnowledge
from mtls_operator.domain.zone_plan import ZonePlan
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_steps import ReadList, ReadRules
from mtls_operator.domain.zone_view import ZoneView, view_of
from mtls_operator.engine.parties import Judgement, Party
from mtls_operator.engine.situation import Situation

_PAST_ARRIVING = frozenset({HostStage.ASSOCIATED, HostStage.MOVING, HostStage.ENFORCED})


@dataclass(frozen=True)
class ZoneReport:
    """Says of each binding what has become of it."""

    situation: Situation
    installation: Installation
    judged: Judgement
    known: ZoneKnowledge
    remark: Verdict | None
    """What to say of bindings that have all they ask for."""
    read_at: MutableMapping[ResourceKey, float]
    """Of each binding, since when all that it relies on was known last in this process."""
    started: float
    """When the process was."""

    def statuses(
        self, party: Party, plan: ZonePlan, trouble: Verdict | None, foreseen: Plans | None
    ) -> Iterator[tuple[BindingRecord, HostBindingStatus]]:
        """The statuses of a party's bindings, but of those about which nothing can be said now."""
        mine = {stake.binding for stake in party.desired.own}
        ruleset = self.known.rules.value if self.known.rules else None
        seen = view_of(ruleset, self.installation) if ruleset else None
        rules = self._rules_by_hostname(ruleset, seen)
        now = self.situation.clock.moment()
        for record, assessment in self.judged.bindings:
            if record.key not in mine or self._has_nothing_to_say(record):
                continue
            authority, progress = self.situation.authority_for(record), _progress(plan, record)
            view = BindingView(
                assessment=assessment,
                progress=progress,
                lost=self._lost(record, plan),
                clusters=_clusters_of_others(seen),
                rules=_rules_of(record, rules),
                rival=_rival(plan) if self.known.rules else record.status.rival,
                zone=self.situation.zone_of(record) if assessment.resolved.is_ok else None,
                trouble=_conflict(plan) or trouble or _replacement(plan),
                remark=_conflict(plan) or self._lateness(record, trouble) or self.remark,
                plan=None if foreseen is None else foreseen.get(record.key, ()),
                is_fresh=self._is_fresh(record, party, plan),
                removals_from=plan.put_back_until,
                not_after=authority.status.not_after if authority else None,
                altered=_altered(record, progress, ruleset, seen),
                look=self._look(record, assessment),
                verification=self.situation.found_outside(record),
            )
            yield record, binding_status(record, view, now)

    def _lateness(self, record: BindingRecord, trouble: Verdict | None) -> Verdict | None:
        """That what it relies on could not be read for too long."""
        certificates = {CertificateId(each.certificate_id) for each in record.status.managed}
        if (since := looked_at(self.known, certificates)) is not None:
            self.read_at[record.key] = since
        read_at, ready = self.read_at.get(record.key), find(record.status.conditions, ConditionType.READY)
        late = overdue(trouble, read_at, self.started, self.situation.clock.now())
        return said_before(ready, read_at) or late

    def _lost(self, record: BindingRecord, plan: ZonePlan) -> Mapping[str, str]:
        """Hostnames that the binding does not get, and who has them."""
        here = self.judged.conflicts.get(record.key, {})
        wanted = frozenset(record.spec.hostnames) if record.spec and not record.deleting else frozenset()
        return {
            **{name: f"installation {owner}" for name, owner in plan.contradicted.items() if name in wanted},
            **{name: f"MtlsHostBinding {key}" for name, key in here.items()},
        }

    def _has_nothing_to_say(self, record: BindingRecord) -> bool:
        """It is about to go, or something is still being read and anything said would be taken back a moment later."""
        gone = record.deleting and not (record.metadata.has_finalizer and record.status.managed)
        return gone or self.situation.is_binding_loading(record)

    def _is_fresh(self, record: BindingRecord, party: Party, plan: ZonePlan) -> bool:
        """Whether all that a binding relies on has been read since a fresh look was asked for; of one that has nothing
        yet, the rules and the lists that it wants to be on. What its neighbours want to be read is not its concern."""
        certificates = {CertificateId(each.certificate_id) for each in record.status.managed}
        if not certificates:
            wanted = _wanted(party, record)
            reads = (step for step in plan.steps if isinstance(step, ReadRules | ReadList))
            return not any(isinstance(step, ReadRules) or step.certificate in wanted for step in reads)
        since = looked_at(self.known, certificates)
        return since is not None and since >= self.known.doubted

    def _look(self, record: BindingRecord, assessment: BindingAssessment) -> ZoneLook | None:
        zone, credential = self.situation.zone_of(record), assessment.credential
        return self.situation.zone_looks(zone.id, credential) if zone and credential else None

    def _rules_by_hostname(
        self, ruleset: Ruleset | None, seen: ZoneView | None
    ) -> Mapping[str, tuple[ManagedRule, ...]] | None:
        """The enforcement rules of ours that cover each hostname; None while the rules are not known."""
        if ruleset is None or seen is None:
            return None
        refs = {rule.id: rule.body.ref for rule in ruleset.rules}
        covering: dict[str, tuple[ManagedRule, ...]] = {}
        for group in seen.enforcement:
            rule = ManagedRule(id=group.rule_id or "", ref=refs[group.rule_id or ""])
            for hostname in group.hostnames:
                covering[hostname] = (*covering.get(hostname, ()), rule)
        return covering


def _wanted(party: Party, record: BindingRecord) -> set[CertificateId]:
    """The certificates that a binding wants, or would if it were managed."""
    stakes = (*party.desired.own, *(party.foreseen.desired.own if party.foreseen else ()))
    return {target.certificate for each in stakes if each.binding == record.key for target in each.wants.values()}


def _clusters_of_others(seen: ZoneView | None) -> Mapping[str, Sequence[str]]:
    others = {each.mark.installation for each in seen.marks_of_others} if seen else set()
    return {one.owner: sorted(each.cluster for each in others if each.owner == one.owner) for one in others}


def _altered(
    record: BindingRecord,
    progress: Mapping[str, HostProgress] | None,
    ruleset: Ruleset | None,
    seen: ZoneView | None,
) -> Verdict | None:
    if ruleset is None or seen is None or record.deleting:
        return None
    hostnames = frozenset(name for name, each in (progress or {}).items() if each.stage in _PAST_ARRIVING)
    set_aside = is_suspended(record.spec) or is_observed(record.spec)
    return alteration(seen, ruleset.rules, hostnames, set_aside=set_aside)


def _conflict(plan: ZonePlan) -> Verdict | None:
    if plan.rival is None:
        return None
    return blocked(
        Reason.MANAGEMENT_CONFLICT,
        f"another cluster ({plan.rival.cluster}) has rules in the zone under our ownerId {plan.rival.owner}: nothing is"
        " written. Give one of the two installations another ownerId, or, if the other is gone, name it in takeover of"
        " the operator's chart.",
    )


def _rival(plan: ZonePlan) -> Rival | None:
    return Rival(owner_id=plan.rival.owner, cluster_uid=plan.rival.cluster) if plan.rival else None


def _replacement(plan: ZonePlan) -> Verdict | None:
    if plan.put_back_until is None:
        return None
    until = format_moment(datetime.fromtimestamp(plan.put_back_until, UTC))
    return waiting(
        Reason.RULESET_REPLACED,
        f"somebody replaced the zone's custom rules: ours are put back, and nothing is removed before {until}",
    )


def _progress(plan: ZonePlan, record: BindingRecord) -> Mapping[str, HostProgress] | None:
    """Where the hostnames stand; None while that cannot be told."""
    if record.key in plan.undecided:
        return None
    if plan.progress is None:
        return None if record.status.managed or _is_refused(record) else {}
    return plan.progress.get(record.key, {})


def _is_refused(record: BindingRecord) -> bool:
    """Whether something is said of hostnames that it does not own."""
    return any(each.state == HostnameState.REFUSED for each in record.status.hostnames)


def _rules_of(
    record: BindingRecord, rules: Mapping[str, tuple[ManagedRule, ...]] | None
) -> tuple[ManagedRule, ...] | None:
    if rules is None:
        return None
    mine = sorted(hostname for each in record.status.managed for hostname in each.hostnames)
    return tuple({rule.id: rule for hostname in mine for rule in rules.get(hostname, ())}.values())
