"""The rules of ours that a zone should have now: claims, and enforcement of what is safely on its list.

Rules of this module:
- A hostname enters an enforcement rule only when its claim is `held` and it was read on the list, and its claim
  becomes `leaving` only when no rule of ours covers it any more (safety invariant 2, both directions).
- Claims and enforcement that no status knows (orphans) stay as they are; what somebody changed of them is repaired.
- A rule that exists is written only on exact knowledge of what it holds, and the ruleset is created only just after it
  was not there (safety invariant 9). A rule is put before those of others only just after they were read.
- What `zone_revocation` wants comes after what can be done for enforcement without it: a rule that is put right, or
  asks for more, does not wait for a list of revoked certificates. Only where the plan has no rule left for it does a
  revocation give way first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from mtls_operator.domain import zone_revocation, zone_succession
from mtls_operator.domain.marks import (
    Claim,
    ClaimState,
    Enforcement,
    Mark,
    Revocation,
    claim_body,
    enforcement_body,
    read_mark,
    revocation_body,
    rule_ref,
)
from mtls_operator.domain.observed import Rule, RuleBody
from mtls_operator.domain.rule_groups import Edit, Group, RemoveRule, additions, removals
from mtls_operator.domain.zone_agenda import Agenda
from mtls_operator.domain.zone_altered import is_made_good
from mtls_operator.domain.zone_knowledge import Place
from mtls_operator.domain.zone_others import accepted_by_others, kept_for_an_overlap, unready, withdrawn
from mtls_operator.domain.zone_overlap import is_overlapping, told_until
from mtls_operator.domain.zone_places import FRESH_SECONDS, ZoneState
from mtls_operator.domain.zone_revocation import Intent
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_steps import DeleteRule, ReadRules, WriteRule, ZoneStep
from mtls_operator.domain.zone_view import (
    BLOCK,
    ClaimKey,
    EnforcementKey,
    Policy,
    RevocationKey,
    claim_becomes,
    claim_fits,
    enforcement_becomes,
    enforcement_fits,
)


def edits(zone: ZoneState, agenda: Agenda, revocation: Intent) -> list[ZoneStep]:
    """The writes of rules that can be done now, claims before enforcement, additions before removals. As long as our
    own rules are not known exactly that is to create some; and they are read again though nothing is to be done,
    because what a process before us sent last may come to light only then."""
    proposed = (
        zone_succession.inheritances(zone)
        or _own_edits(zone, agenda, revocation)
        or [*_repairs(zone), *zone_succession.adoptions(zone)]
    )
    if zone.rules.begun < zone.now - FRESH_SECONDS and any(_needs_a_look(zone, step) for step in proposed):
        return [ReadRules()]
    exact_from = zone.known.rules_exact_from(zone.timing.window)
    if exact_from is None:
        return proposed
    creations: list[ZoneStep] = [
        step
        for step in proposed
        if isinstance(step, WriteRule)
        and step.rule_id is None
        and not (_releases(step) or _begins_to_block(zone, step))
    ]
    return creations if creations or zone.now < exact_from else [ReadRules()]


def _own_edits(zone: ZoneState, agenda: Agenda, revocation: Intent) -> list[ZoneStep]:
    others = [*_claim_edits(zone, agenda), *_enforcement_edits(zone, agenda, revocation)]
    revocations = [_revocation_step(zone, edit) for edit in zone_revocation.edits(zone, revocation.wanted)]
    return [*revocations, *others] if zone_revocation.gives_way(zone) else [*others, *revocations]


def _needs_a_look(zone: ZoneState, step: ZoneStep) -> bool:
    """Somebody, be it the process before us, may have created the ruleset since; or put a rule first, which a new one
    that keeps somebody out has to come before. What was covered is open until it is so again: that waits for no look,
    which may be slow for ever, and a rule in the wrong place is put right."""
    if zone.rules.value is None:
        return True
    if not isinstance(step, WriteRule) or step.rule_id is not None:
        return False
    mark = _mark_of(step)
    return isinstance(mark, Enforcement | Revocation) and mark.hostnames.isdisjoint(zone.told_enforced)


def _begins_to_block(zone: ZoneState, step: WriteRule) -> bool:
    """Whether a rule is only for hostnames that were not covered: the process before us may have begun to give them up,
    which cannot be seen yet."""
    mark = _mark_of(step)
    return isinstance(mark, Enforcement) and mark.hostnames.isdisjoint(zone.told_enforced)


def _releases(step: WriteRule) -> bool:
    """Whether a rule says that hostnames are given up: there may be one that covers them and cannot be seen yet."""
    mark = _mark_of(step)
    return isinstance(mark, Claim) and mark.state is ClaimState.LEAVING


def _mark_of(step: WriteRule) -> Mark | None:
    return read_mark(Rule("new", step.body))


def wakes(zone: ZoneState) -> list[float]:
    """When our own rules can be known exactly."""
    exact_from = zone.known.rules_exact_from(zone.timing.window)
    return [] if exact_from is None else [exact_from]


def _repairs(zone: ZoneState) -> list[ZoneStep]:
    """What somebody did to rules of ours and the edits for hostnames do not undo: they come first, so that a hostname
    is in a rule that can be read before the one that cannot goes."""
    bodies = {rule.id: rule.body for rule in (zone.rules.value.rules if zone.rules.value else ())}
    before, apart = zone.view.first_foreign_rule, _rules_apart(zone)
    return [
        *(DeleteRule(each.rule_id) for each in zone.view.altered if is_made_good(zone, each)),
        *(WriteRule(body, rule_id, repairs=True) for rule_id, body in zone.view.defaced if rule_id not in apart),
        *(
            WriteRule(bodies[rule_id], rule_id, before, repairs=True)
            for rule_id in zone.view.misplaced
            if rule_id not in apart
        ),
    ]


def _rules_apart(zone: ZoneState) -> frozenset[str | None]:
    """Rules that hold nothing but hostnames of bindings that are laid aside, or that act with another token, which is
    the one to repair them with (safety invariant 12)."""
    apart = zone.left_to_others
    return frozenset(
        [group.rule_id for group in zone.view.claims if group.hostnames <= apart]
        + [group.rule_id for group in zone.view.enforcement if group.hostnames <= apart]
        + [group.rule_id for group in zone.view.revocations if group.key.hostnames <= apart]
    )


def _claim_edits(zone: ZoneState, agenda: Agenda) -> list[ZoneStep]:
    wanted = _claims_wanted(zone, agenda)
    edits: list[Edit[ClaimKey]] = [*additions(zone.view.claims, wanted, claim_fits, claim_becomes)]
    return [_claim_step(zone, edit) for edit in edits or removals(zone.view.claims, wanted)]


def _enforcement_edits(zone: ZoneState, agenda: Agenda, revocation: Intent) -> list[ZoneStep]:
    wanted = _enforcement_wanted(zone, agenda, revocation)
    edits: list[Edit[EnforcementKey]] = [
        *additions(zone.view.enforcement, wanted, enforcement_fits, enforcement_becomes)
    ]
    return [_enforcement_step(zone, edit) for edit in edits or removals(zone.view.enforcement, wanted)]


def _claims_wanted(zone: ZoneState, agenda: Agenda) -> Mapping[ClaimKey, frozenset[str]]:
    wanted: defaultdict[ClaimKey, set[str]] = defaultdict(set)
    for place, target in zone.wanted.items():
        wanted[_wanted_claim(zone, agenda, place, target)].add(place[1])
    for place in sorted(zone.unwanted):
        for key in _unwanted_claims(zone, agenda, place):
            wanted[key].add(place[1])
    for group in zone.view.claims:
        for hostname in group.hostnames:
            place = (group.key.certificate, hostname)
            if place not in zone.wanted and place not in zone.owned:
                wanted[group.key].add(hostname)
    return {key: frozenset(hostnames) for key, hostnames in wanted.items()}


def _wanted_claim(zone: ZoneState, agenda: Agenda, place: Place, target: Target) -> ClaimKey:
    certificate, hostname = place
    present = zone.view.claim_keys(certificate, hostname)
    held = place in agenda.settled or any(key.state is ClaimState.HELD for key in present)
    state = ClaimState.HELD if held and place not in agenda.lost else ClaimState.ARRIVING
    if target.policy is None:
        known = next((key for key in present if key.state is state), ClaimKey(certificate, state))
        return replace(known, aim=target.aim, until=target.until) if target.aim else known
    in_force = target.in_force if state is ClaimState.HELD else frozenset[str]()
    return ClaimKey(certificate, state, target.aim, in_force, target.until)


def _unwanted_claims(zone: ZoneState, agenda: Agenda, place: Place) -> list[ClaimKey]:
    """A hostname keeps its claim while a rule of ours relies on it: until it is out of the rule, or the rule is
    what the hostname needs on the list of another certificate, where it is held. Meanwhile it tells others where the
    hostname is going: they wait for that. One that was only on its way there, while another list holds it, is relied on
    by nobody. One that is retained never leaves: others would take it off the list."""
    certificate, hostname = place
    present, target = zone.view.claim_keys(certificate, hostname), zone.destination(hostname)
    if place in zone.retained_places:
        return [] if place in agenda.let_go else present
    if _may_leave(zone, agenda, place, target):
        return [ClaimKey(certificate, ClaimState.LEAVING)]
    if target is None:
        return present
    return [replace(key, aim=target.aim, until=told_until(zone, place, target)) for key in present]


def _may_leave(zone: ZoneState, agenda: Agenda, place: Place, target: Target | None) -> bool:
    _, hostname = place
    if zone.is_on_its_way(place):
        return True
    if target is not None and zone.is_held(place) and is_overlapping(zone, place, target):
        return False
    if target is not None and target.policy is not None and not target.policy.pins and zone.is_held(place):
        return zone.has_moved(hostname) and hostname in agenda.moved
    relying = [key for key in zone.view.enforcement_keys(hostname) if not key.retained or zone.is_held(place)]
    # Nobody would take away a rule that names a hostname which is recorded no more.
    named = hostname in zone.enforcement_to_give_up and any(not e.retained for e in zone.view.revocation_keys(hostname))
    return not (relying or named) or zone.has_moved(hostname)


def _enforcement_wanted(zone: ZoneState, agenda: Agenda, revocation: Intent) -> Mapping[EnforcementKey, frozenset[str]]:
    wanted: defaultdict[EnforcementKey, set[str]] = defaultdict(set)
    for place, target in zone.wanted.items():
        if (target.policy is None and place[1] in zone.governed) or (target.policy and target.policy.is_bare):
            continue
        keys = zone.view.enforcement_keys(place[1])
        if target.policy is not None and place in agenda.confirmed:
            keys = _unless_revoked_get_in(zone, place[1], _on_the_way(zone, place, target, target.policy), revocation)
        elif place in agenda.confirmed:
            # It goes on wanting what is in force, and a rule of ours is never disabled by us.
            keys = [replace(key, enabled=True) for key in keys] or _covered_before(zone, place[1])
        for key in keys:
            wanted[key].add(place[1])
    for group in zone.view.enforcement:
        staying = group.hostnames - zone.wanted_hostnames - _given_up(zone, group.key)
        wanted[group.key] |= staying - zone.retained_hostnames
        wanted[replace(group.key, retained=True)] |= staying & zone.retained_hostnames
    return {key: frozenset(hostnames) for key, hostnames in wanted.items()}


def _unless_revoked_get_in(
    zone: ZoneState, hostname: str, key: EnforcementKey, revocation: Intent
) -> list[EnforcementKey]:
    """Before a rule is there, or accepts more issuers, those whose certificates were revoked have to be kept out. But a
    rule that somebody took away is put back first."""
    if not revocation.lacking.get(hostname):
        return [key]
    present, new = zone.view.enforcement_keys(hostname), key.policy.issuers
    if not present:
        return [key] if hostname in zone.told_enforced or hostname in zone.known.accepted else []
    widens = any(e.policy.issuers is not None and (new is None or not new <= e.policy.issuers) for e in present)
    return [replace(each, enabled=True) for each in present] if widens else [key]


def _given_up(zone: ZoneState, key: EnforcementKey) -> frozenset[str]:
    """What leaves a rule because nobody wants it any more. What is retained stays, though somebody named it meanwhile
    and gave it up before it was his."""
    given_up = zone.enforcement_to_give_up
    return given_up & zone.held_hostnames if key.retained else given_up


def _on_the_way(zone: ZoneState, place: Place, target: Target, policy: Policy) -> EnforcementKey:
    """The next policy on the way to the wanted one. Rules are ANDed, so a hostname goes from one set of issuers to
    another directly only where one includes the other, otherwise through their union; and an issuer is withdrawn only
    when every installation is ready for it. Which ones a rule that accepts any of them is relied on for is not known:
    while the hostname moves from another CA, or others aim at other ones, it goes on accepting any."""
    _, hostname = place
    present = [key.policy.issuers for key in zone.view.enforcement_keys(hostname)]
    for old in present or _accepted_before(zone, hostname):
        new = policy.issuers
        if new is None or (old is not None and old <= new):
            continue
        if old is None:
            if unready(zone, hostname, target):
                return EnforcementKey(replace(policy, issuers=None))
            continue
        if not new <= old:
            both = replace(policy, issuers=old | new)
            return EnforcementKey(both if _has_room(both, hostname) else replace(policy, issuers=old))
        leaving = withdrawn(zone, hostname, old, new)
        if leaving and unready(zone, hostname, target):
            return EnforcementKey(replace(policy, issuers=new | leaving))
    return EnforcementKey(policy if present else _as_newcomer(zone, hostname, policy))


def _as_newcomer(zone: ZoneState, hostname: str, policy: Policy) -> Policy:
    """Rules are ANDed: the first rule of ours must not end an overlap of others for their clients."""
    if policy.issuers is None or policy.action != BLOCK:
        return policy
    wider = replace(policy, issuers=policy.issuers | kept_for_an_overlap(zone, hostname))
    return wider if _has_room(wider, hostname) else policy


def is_cramped(zone: ZoneState, hostname: str, policy: Policy) -> bool:
    """Whether a hostname stays under the issuers of before, because no rule could accept both those and the wanted."""
    new, present = policy.issuers, [key.policy.issuers for key in zone.view.enforcement_keys(hostname)]
    return new is not None and any(
        old is not None and not (old <= new or new <= old or _has_room(replace(policy, issuers=old | new), hostname))
        for old in present
    )


def _has_room(policy: Policy, hostname: str) -> bool:
    return enforcement_fits(EnforcementKey(policy), {hostname})


def _covered_before(zone: ZoneState, hostname: str) -> list[EnforcementKey]:
    """What covered a hostname until somebody took it away, if this process has seen it."""
    rule = zone.known.covered_by.get(hostname)
    if rule is None or hostname not in zone.told_enforced:
        return []
    return [EnforcementKey(Policy(rule.issuers, rule.action, rule.response, rule.tolerant))]


def _accepted_before(zone: ZoneState, hostname: str) -> list[frozenset[str] | None]:
    """What a rule accepted that somebody took away. Where this process has not seen it: what the rules of others
    accept, which cannot open anything."""
    if hostname in zone.known.accepted:
        return [zone.known.accepted[hostname]]
    return accepted_by_others(zone, hostname)


def _claim_step(zone: ZoneState, edit: Edit[ClaimKey]) -> ZoneStep:
    if isinstance(edit, RemoveRule):
        return DeleteRule(edit.rule_id)
    key = edit.key
    claim = Claim(
        installation=zone.desired.installation,
        state=key.state,
        certificate_ids=frozenset({key.certificate}),
        hostnames=edit.hostnames,
        aim=key.aim,
        in_force=key.in_force,
        until=key.until,
    )
    ref = _ref(zone, edit, "claim", key.certificate, key.state, min(edit.hostnames))
    return WriteRule(claim_body(claim, ref), edit.rule_id)


def _enforcement_step(zone: ZoneState, edit: Edit[EnforcementKey]) -> ZoneStep:
    if isinstance(edit, RemoveRule):
        return DeleteRule(edit.rule_id)
    rule = Enforcement(
        installation=zone.desired.installation,
        hostnames=edit.hostnames,
        issuers=edit.key.policy.issuers,
        action=edit.key.policy.action,
        response=edit.key.policy.response,
        enabled=edit.key.enabled,
        retained=edit.key.retained,
        tolerant=edit.key.policy.tolerant,
    )
    body = enforcement_body(rule, _ref(zone, edit, "enforce", min(edit.hostnames)))
    return WriteRule(body, edit.rule_id, None if edit.rule_id else zone.view.first_foreign_rule)


def _revocation_step(zone: ZoneState, edit: Edit[RevocationKey]) -> ZoneStep:
    if isinstance(edit, RemoveRule):
        return DeleteRule(edit.rule_id)
    key = edit.key
    rule = Revocation(
        installation=zone.desired.installation,
        hostnames=key.hostnames,
        issuer=key.issuer,
        serials=edit.hostnames,
        action=key.action,
        response=key.response,
        enabled=key.enabled,
        retained=key.retained,
        tolerant=key.tolerant,
    )
    body = revocation_body(rule, _ref(zone, edit, "revoke", key.issuer, min(key.hostnames), min(edit.hostnames)))
    return WriteRule(body, edit.rule_id, None if edit.rule_id else zone.view.first_foreign_rule)


def _ref(zone: ZoneState, edit: Group[ClaimKey] | Group[EnforcementKey] | Group[RevocationKey], *about: str) -> str:
    """A rule keeps its ref for life; a new one takes the first that is free."""
    present = _body_of(zone, edit.rule_id)
    if present is not None:
        return present.ref
    candidates = (
        rule_ref(zone.desired.installation, *about, str(attempt)) for attempt in range(len(zone.view.refs) + 1)
    )
    return next(ref for ref in candidates if ref not in zone.view.refs)


def _body_of(zone: ZoneState, rule_id: str | None) -> RuleBody | None:
    rules = zone.rules.value.rules if zone.rules.value else ()
    return next((rule.body for rule in rules if rule.id == rule_id), None)
