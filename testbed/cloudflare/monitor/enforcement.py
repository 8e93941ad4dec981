"""Invariants 2, 10 and 13: nobody is locked out, and what was enforced stays enforced until it is given up.

Everything here compares what was wrong before a request with what is wrong after it: only what a request of an
installation made wrong counts against it, not what people or drift left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from testbed.cloudflare.monitor.actions import Association, RulesetWrite, RuleWrite
from testbed.cloudflare.monitor.case import Case, Finding, Findings
from testbed.cloudflare.monitor.marks import Claim, Enforcement, read_mark
from testbed.cloudflare.monitor.truth import (
    claims,
    covered,
    enforcements,
    guards,
    is_in_force,
    locked_out,
    rules_of,
    served_hostnames,
)
from testbed.cloudflare.state import State


def zone_written(case: Case) -> str | None:
    """The zone whose lists or rules the request may have changed."""
    if isinstance(case.action, Association | RulesetWrite | RuleWrite) and case.before is not case.after:
        return case.action.zone_id
    return None


def judge_enforcement(case: Case) -> Findings:
    """Invariants 2 and 13, as far as one request shows them."""
    zone_id = zone_written(case)
    if zone_id is None:
        return
    yield from _judge_lock_outs(case, zone_id)
    if isinstance(case.action, RulesetWrite | RuleWrite):
        faults = _faults(case.before, zone_id)
        yield from (finding for finding in _faults(case.after, zone_id) if finding not in faults)
        yield from _judge_early_releases(case, zone_id)
        yield from _judge_places(case, zone_id)


def _judge_lock_outs(case: Case, zone_id: str) -> Findings:
    # A rule of somebody else may ask for certificates that were never there: that is not for a PUT to repair.
    marked_only = isinstance(case.action, Association)
    before = locked_out(case.before, zone_id, marked_only=marked_only)
    for rule_id, hostname in sorted(locked_out(case.after, zone_id, marked_only=marked_only) - before):
        yield 2, f"{hostname} is locked out: rule {rule_id} covers it and it is on no list of an accepted certificate"


def _faults(state: State, zone_id: str) -> list[Finding]:
    """What must not be in a zone at any time."""
    return [*_exclusions(state, zone_id), *_weak_rules(state, zone_id), *_live_claims(state, zone_id)]


def _exclusions(state: State, zone_id: str) -> Findings:
    common: dict[str, frozenset[str]] = {}
    for _, guard in guards(state, zone_id, marked_only=True):
        if guard.issuers is not None:
            for hostname in guard.hostnames:
                common[hostname] = common.get(hostname, guard.issuers) & guard.issuers
    for hostname, issuers in sorted(common.items()):
        if not issuers:
            yield 13, f"the enforcement rules that cover {hostname} exclude each other's issuers"


def _weak_rules(state: State, zone_id: str) -> Findings:
    held = {(claim.owner, claim.hostname) for claim in claims(state, zone_id) if claim.state == "held"}
    for rule, mark in enforcements(state, zone_id):
        acts = is_in_force(rule) or (rule.enabled and rule.action == "log")
        if not acts and any((mark.owner, hostname) in held for hostname in mark.guard.hostnames):
            yield 13, f"enforcement rule {rule.id} of hostnames that {mark.owner} holds neither blocks nor logs"


def _live_claims(state: State, zone_id: str) -> Findings:
    for rule in rules_of(state, zone_id):
        if isinstance(read_mark(rule), Claim) and (rule.enabled or rule.action != "log"):
            yield 13, f"claim {rule.id} is enabled or does something else than log"


def _judge_early_releases(case: Case, zone_id: str) -> Findings:
    """Invariant 2, tear-down: others may drop what is claimed as leaving, so the rule goes first."""
    before = set(claims(case.before, zone_id))
    for claim in claims(case.after, zone_id):
        if claim.state == "leaving" and claim not in before and case.is_own(claim.owner):
            for rule, mark in enforcements(case.after, zone_id):
                if not (is_in_force(rule) and mark.owner == claim.owner and claim.hostname in mark.guard.hostnames):
                    continue
                others = served_hostnames(case.after, zone_id, mark.guard, without=claim.certificate_id)
                if claim.hostname not in others:
                    yield 2, f"{claim.owner} claims {claim.hostname} as leaving while its rule {rule.id} covers it"


def _judge_places(case: Case, zone_id: str) -> Findings:
    """Invariant 13: an earlier rule of somebody else, such as a skip, would bypass a new one."""
    existed = {rule.id for rule in rules_of(case.before, zone_id)}
    stranger = None
    for rule in rules_of(case.after, zone_id):
        if read_mark(rule) is None and case.known(case.sightings.foreign_since(zone_id, rule.id)):
            stranger = rule.id
        if stranger and rule.id not in existed and isinstance(read_mark(rule), Enforcement):
            yield 13, f"{case.owner} creates enforcement rule {rule.id} after rule {stranger}, which is not ours"


GivenUp = Callable[[str, str], float]
"""(owner, hostname) -> Unix time in seconds, minus infinity for what has been wanted as long as it is enforced."""
_HEARD_WITHIN: Final = 900.0
"""Seconds after which an installation has heard of what its user did: it lists everything every ten minutes."""


@dataclass(frozen=True, slots=True)
class _Loss:
    zone_id: str
    owner: str
    hostname: str


class Coverage:
    """Invariants 13 and 10 over time: hostnames that lost their enforcement without being given up.

    A loss ends well when all claims of the owner on the hostname are `leaving`. It is a violation when the owner covers
    the hostname again instead and nobody covered it meanwhile, and when it is still claimed `held` at the end.

    `given_up` says when the user of an owner last wanted a hostname without enforcement. What was given up that short
    a time ago that the owner need not have heard of more is no loss: wanted again before its claim is `leaving`, it is
    still on its list, and covered again at once. What is released though its user wants it breaks invariant 10, unless
    another installation has it. Absent: nobody knows what users want, so whatever is released was given up.
    """

    def __init__(self, given_up: GivenUp | None) -> None:
        self._losses: dict[_Loss, bool] = {}
        self._given_up = given_up

    def judge(self, case: Case) -> Findings:
        """Follow one request."""
        zone_id = zone_written(case)
        if zone_id is None:
            return
        before, after = covered(case.before, zone_id), covered(case.after, zone_id)
        protected: frozenset[str] = frozenset().union(*after.values())
        released = _released(case.after, zone_id)
        for owner, hostname in sorted(released):
            lost = self._losses.pop(_Loss(zone_id, owner, hostname), None)
            if lost is not None and self._is_wanted(case, zone_id, owner, hostname):
                yield 10, f"{owner} gives up {hostname}, which its user wants to be enforced"
        for owner in before.keys() | after.keys():
            old, new = before.get(owner, frozenset()), after.get(owner, frozenset())
            for hostname in old - new:
                if (owner, hostname) not in released and not self._was_given_up(case, owner, hostname):
                    if hostname in _logged(case.after, zone_id, owner):
                        yield 13, f"{hostname} of {owner} is logged only, and was to be blocked"
                    self._losses[_Loss(zone_id, owner, hostname)] = hostname not in protected
            for hostname in sorted(new - old):
                if self._losses.pop(_Loss(zone_id, owner, hostname), False):
                    yield 13, f"{hostname} of {owner} was without enforcement for a while, and never given up"

    def _was_given_up(self, case: Case, owner: str, hostname: str) -> bool:
        return self._given_up is not None and self._given_up(owner, hostname) > case.now - _HEARD_WITHIN

    def _is_wanted(self, case: Case, zone_id: str, owner: str, hostname: str) -> bool:
        if self._given_up is None or self._was_given_up(case, owner, hostname):
            return False
        others = {each.owner for each in claims(case.before, zone_id) if each.hostname == hostname}
        others |= {mark.owner for _, mark in enforcements(case.before, zone_id) if hostname in mark.guard.hostnames}
        return others <= {owner}

    def still_lost(self, state: State) -> Findings:
        """What is lost in the end though its owner still claims to hold it."""
        for loss in sorted(self._losses, key=lambda item: (item.zone_id, item.owner, item.hostname)):
            if (loss.owner, loss.hostname) in _claimed(state, loss.zone_id, "held"):
                yield 13, f"{loss.hostname} of {loss.owner} lost its enforcement and is still claimed as held"


def _logged(state: State, zone_id: str, owner: str) -> frozenset[str]:
    """Hostnames that a rule of an installation logs."""
    rules = (mark for rule, mark in enforcements(state, zone_id) if rule.enabled and rule.action == "log")
    return frozenset(hostname for mark in rules if mark.owner == owner for hostname in mark.guard.hostnames)


def _released(state: State, zone_id: str) -> set[tuple[str, str]]:
    wanted = _claimed(state, zone_id, "held") | _claimed(state, zone_id, "arriving")
    return _claimed(state, zone_id, "leaving") - wanted


def _claimed(state: State, zone_id: str, claim_state: str) -> set[tuple[str, str]]:
    return {(claim.owner, claim.hostname) for claim in claims(state, zone_id) if claim.state == claim_state}
