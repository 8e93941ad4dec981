"""What would be done in a zone for bindings that are only observed, in lines for people (`status.plan`).

The lines tell what would be written to Cloudflare, in order; no times, no readings and nothing of other bindings, so
that they change only when what they mean does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mtls_operator.domain.imagined_zone import Scene, long_known, scenes
from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Installation, Mark, Revocation, read_mark
from mtls_operator.domain.observed import CertificateId, Rule, Ruleset
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_knowledge import ZoneKnowledge
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_plan import ZonePlan, plan_zone
from mtls_operator.domain.zone_progress import HostStage
from mtls_operator.domain.zone_stakes import Desired, Stake
from mtls_operator.domain.zone_steps import DeleteRule, ReadList, ReadRules, WriteList, WriteRule, ZoneStep
from mtls_operator.domain.zone_view import BLOCK, LOG, view_of

Plans = Mapping[ResourceKey, tuple[str, ...]]
Words = Callable[[str], str]
"""From hostnames to a line about them."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The observed bindings that act with one token as if they were managed, and everybody else standing still."""

    desired: Desired
    lost: Mapping[ResourceKey, Mapping[str, ResourceKey]]
    """Per binding the hostnames that it would not get, and the binding that has them."""


@dataclass(frozen=True, slots=True)
class _Deed:
    """Something that is done to hostnames, whoever wants it."""

    hostnames: frozenset[str]
    words: Words


def readings(foreseen: Foreseen, known: ZoneKnowledge) -> list[ZoneStep]:
    """What has to be read before anything can be foreseen, because it was never read or may have changed since."""
    steps: list[ZoneStep] = []
    if known.rules is None or known.rules_must_be_read or known.rules.begun < known.doubted:
        steps.append(ReadRules())
    for certificate in sorted(_certificates(foreseen.desired.stakes)):
        reading = known.lists.get(certificate)
        if reading is None or reading.begun < known.doubted:
            steps.append(ReadList(certificate))
    return steps


def foresee(foreseen: Foreseen, known: ZoneKnowledge, timing: Timing) -> Plans | None:
    """By binding what would be done if it were managed; None while something has to be read first."""
    desired = foreseen.desired
    if readings(foreseen, known):
        return None
    deeds = [deed for scene in scenes(desired, known, timing) for deed in _deeds(scene, desired.installation)]
    first = plan_zone(desired, long_known(desired, known, timing), 0.0, timing)
    return {
        stake.binding: tuple(
            dict.fromkeys(
                [
                    *_lines(deeds, _names(stake)),
                    *_obstacles(first, stake),
                    *_lost(foreseen.lost.get(stake.binding, {})),
                ]
            )
        )
        for stake in desired.stakes
    }


def _lines(deeds: Sequence[_Deed], names: Collection[str]) -> Iterator[str]:
    for deed in deeds:
        if mine := sorted(deed.hostnames.intersection(names)):
            yield deed.words(", ".join(mine))


def _obstacles(plan: ZonePlan, stake: Stake) -> Iterator[str]:
    """What a binding would not get, and why."""
    if plan.rival is not None:
        yield f"write nothing: another cluster, {plan.rival.cluster}, uses our ownerId {plan.rival.owner}"
    progress = (plan.progress or {}).get(stake.binding, {})
    if refused := sorted(name for name, each in progress.items() if each.stage is HostStage.REFUSED):
        yield f"leave {', '.join(refused)} alone: on the list already, and spec.adoptionPolicy is Never"
    for name in sorted(plan.contradicted.keys() & stake.wants):
        yield f"leave {name} to installation {plan.contradicted[name]}, which has it with other CAs"


def _lost(lost: Mapping[str, ResourceKey]) -> list[str]:
    return [
        f"leave {name} to MtlsHostBinding {other}, which has it with another CA or enforcement"
        for name, other in sorted(lost.items())
    ]


def _deeds(scene: Scene, us: Installation) -> Iterator[_Deed]:
    step, rules, listed = scene
    match step:
        case WriteList(certificate, hostnames):
            yield from _of_list(certificate, listed, hostnames, rules, us)
        case WriteRule(body, rule_id, _):
            yield from _of_rule(_mark_of(rules, rule_id), read_mark(Rule("new", body)), _ours(rules, us, rule_id))
        case DeleteRule(rule_id):
            yield from _of_rule(_mark_of(rules, rule_id), None, _ours(rules, us, rule_id))
        case _:
            return


def _ours(rules: Ruleset | None, us: Installation, but: str | None) -> list[Mark]:
    """The marks of this installation in all rules but one."""
    marks = [read_mark(rule) for rule in (rules.rules if rules else ()) if rule.id != but]
    return [mark for mark in marks if isinstance(mark, Claim | Enforcement | Revocation) and mark.installation == us]


def _of_list(
    certificate: CertificateId, before: frozenset[str], after: frozenset[str], rules: Ruleset | None, us: Installation
) -> Iterator[_Deed]:
    arriving = view_of(rules, us).claimed(certificate, ClaimState.ARRIVING)
    yield _Deed(after - before, lambda names: f"associate {names} with certificate {certificate}")
    yield _Deed(
        arriving & after & before, lambda names: f"adopt {names}, on the list of certificate {certificate} already"
    )
    yield _Deed(before - after, lambda names: f"take {names} off the list of certificate {certificate}")


def _of_rule(before: Mark | None, after: Mark | None, others: Sequence[Mark]) -> Iterator[_Deed]:
    if isinstance(after, Claim):
        yield from _of_claim(before, after)
    if isinstance(after, Enforcement):
        yield from _of_enforcement(before, after)
    if isinstance(after, Revocation):
        yield from _of_revocation(before, after)
    left = [*others, *([after] if after else [])]
    if isinstance(before, Claim):
        yield _Deed(_gone(before, left), lambda names: f"drop the claim on {names}")
    if isinstance(before, Enforcement):
        verb = _verb(before)
        yield _Deed(_gone(before, left), lambda names: f"{verb} requests to {names} no more")


def _of_claim(before: Mark | None, after: Claim) -> Iterator[_Deed]:
    same = isinstance(before, Claim) and (before.state, before.certificate_ids) == (after.state, after.certificate_ids)
    added = after.hostnames - before.hostnames if same and isinstance(before, Claim) else after.hostnames
    certificates = ", ".join(sorted(after.certificate_ids))
    yield _Deed(added, lambda names: f"claim {names} as {after.state} on certificate {certificates}")


def _of_enforcement(before: Mark | None, after: Enforcement) -> Iterator[_Deed]:
    same = isinstance(before, Enforcement) and replace(before, hostnames=after.hostnames) == after
    added = after.hostnames - before.hostnames if same and isinstance(before, Enforcement) else after.hostnames
    issuers = "" if after.issuers is None else f" issued by {', '.join(sorted(after.issuers))}"
    verb = _verb(after)
    yield _Deed(added, lambda names: f"{verb} requests to {names} without a client certificate{issuers}")


def _of_revocation(before: Mark | None, after: Revocation) -> Iterator[_Deed]:
    """How many certificates is said, not which: there may be thousands."""
    same = isinstance(before, Revocation) and before.hostnames == after.hostnames
    count = len(after.serials - before.serials if same and isinstance(before, Revocation) else after.serials)
    verb = _verb(after)
    if count:
        yield _Deed(
            after.hostnames,
            lambda names: f"{verb} requests to {names} with one of {count} certificate(s) that {after.issuer} revoked",
        )


def _verb(rule: Enforcement | Revocation) -> str:
    return {BLOCK: "block", LOG: "log"}.get(rule.action, f"do `{rule.action}` with")


def _gone(before: Claim | Enforcement, left: Sequence[Mark]) -> frozenset[str]:
    """Those of a rule's hostnames that no rule of its kind has any more."""
    alike = [mark.hostnames for mark in left if isinstance(mark, Claim | Enforcement) and type(mark) is type(before)]
    return before.hostnames.difference(*alike)


def _mark_of(rules: Ruleset | None, rule_id: str | None) -> Mark | None:
    return next((read_mark(rule) for rule in (rules.rules if rules else ()) if rule.id == rule_id), None)


def _names(stake: Stake) -> frozenset[str]:
    return frozenset(stake.wants).union(*stake.managed.values())


def _certificates(stakes: Collection[Stake]) -> frozenset[CertificateId]:
    return frozenset(
        certificate
        for stake in stakes
        for certificate in (*stake.managed, *(target.certificate for target in stake.wants.values()))
    )
