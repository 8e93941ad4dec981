"""Between installations rules are ANDed: who may come, and when an issuer may be withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from mtls_operator.api.policies import Action
from mtls_operator.domain.marks import (
    NOT_COUNTED,
    Claim,
    ClaimState,
    Enforcement,
    Installation,
    claim_body,
    enforcement_body,
    read_mark,
)
from mtls_operator.domain.observed import CertificateId, Rule
from mtls_operator.domain.zone_others import Waiting, unready
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.test_zone_plan import API, CERTIFICATE, FOREIGN, OTHERS, TARGET, CalmZone, wanted

OLD, NEW = frozenset({"a" * 16}), frozenset({"b" * 16})
ELSEWHERE = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
AHEAD = Installation("ahead", "33333333-2222-4333-8444-555555555555")
A, B = frozenset({"AA01"}), frozenset({"BB02"})
ROTATED = Target(ELSEWHERE, NEW, NEW, Policy(B, "block"), issuers=B)
OVERLAP = Target(ELSEWHERE, NEW, OLD | NEW, Policy(A | B, "block"), issuers=A | B)


def claimed(
    state: ClaimState,
    certificate: CertificateId,
    aim: frozenset[str],
    in_force: frozenset[str],
    *,
    by: Installation = OTHERS,
    until: str | None = None,
) -> Rule:
    mark = Claim(by, state, frozenset({certificate}), frozenset({API}), aim, in_force, until)
    ref = f"{by.owner}-{state}-{certificate[:2]}"
    return Rule(ref, claim_body(mark, ref))


def ruled(issuer: str | None, by: Installation = OTHERS, *, retained: bool = False, enabled: bool = True) -> Rule:
    issuers = None if issuer is None else frozenset({issuer})
    mark = Enforcement(by, frozenset({API}), issuers, "block", None, enabled=enabled, retained=retained)
    return Rule(f"{by.owner}-rule", enforcement_body(mark, f"{by.owner}-rule"))


def logging(issuer: str) -> Rule:
    mark = Enforcement(OTHERS, frozenset({API}), frozenset({issuer}), "log", None, enabled=True)
    return Rule("them-log", enforcement_body(mark, "them-log"))


HELD, ARRIVING, LEAVING = ClaimState.HELD, ClaimState.ARRIVING, ClaimState.LEAVING

COMING = {
    "nobody else has it": ([], None),
    "held on the same certificate": ([claimed(HELD, CERTIFICATE, frozenset(), frozenset())], None),
    "held elsewhere, and our CAs accepted": ([claimed(HELD, ELSEWHERE, NEW, OLD | NEW)], None),
    "held elsewhere, and our CAs refused": ([claimed(HELD, ELSEWHERE, NEW, NEW)], "them"),
    "held elsewhere for CAs that nobody told": ([claimed(HELD, ELSEWHERE, frozenset(), frozenset())], "them"),
    "held where we come too, by a rule that refuses ours": (
        [claimed(HELD, CERTIFICATE, OLD, OLD), ruled("BB02")],
        "them",
    ),
    "arriving elsewhere, and theirs is the smaller ownerId": (
        [claimed(ARRIVING, ELSEWHERE, NEW, frozenset(), by=AHEAD)],
        "ahead",
    ),
    "arriving elsewhere, and ours is the smaller ownerId": (
        [claimed(ARRIVING, ELSEWHERE, NEW, frozenset(), by=replace(OTHERS, owner="zebra"))],
        None,
    ),
    "arriving elsewhere for the same CAs": ([claimed(ARRIVING, ELSEWHERE, OLD, frozenset(), by=AHEAD)], None),
    "arriving on the same certificate": ([claimed(ARRIVING, CERTIFICATE, NEW, frozenset(), by=AHEAD)], None),
    "being given up": ([claimed(LEAVING, ELSEWHERE, frozenset(), frozenset())], None),
    "covered by a rule that was left behind and refuses ours": ([ruled("BB02", retained=True)], "them"),
    "covered by a rule that was left behind and accepts ours": ([ruled("AA01", retained=True)], None),
    "covered by a rule that accepts any certificate": ([ruled(None, retained=True)], None),
    "covered by a rule that only logs": ([logging("BB02")], None),
    "named by a rule that is disabled": ([ruled("BB02", retained=True, enabled=False)], None),
}


@pytest.mark.parametrize(("rules", "owner"), COMING.values(), ids=COMING.keys())
def test_a_hostname_is_brought_in_where_nobody_would_be_locked_out_by_it(rules: list[Rule], owner: str | None) -> None:
    zone = CalmZone(rules=tuple(rules))

    zone.after(wanted(), seconds=60.0)

    (plan,) = zone.operator.plans()
    assert plan.contradicted == ({} if owner is None else {API: owner})
    assert (zone.ours().managed == {}) == (owner is not None)


def test_a_hostname_that_was_coming_is_taken_back_when_another_installation_is_seen_to_hold_it() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=30.0)
    zone.add_rules(claimed(HELD, ELSEWHERE, NEW, NEW))

    zone.wait(5_000.0)

    assert zone.listed == {"old.example.com"}
    assert [mark for mark in zone.marks() if isinstance(mark, Claim) and mark.installation != OTHERS] == []
    assert zone.ours().managed == {}


def test_a_hostname_that_we_hold_is_never_taken_back() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.add_rules(claimed(HELD, ELSEWHERE, NEW, NEW))

    zone.operator.look()
    zone.wait(5_000.0)

    assert API in zone.listed
    assert zone.stage().stage is HostStage.ENFORCED


READY = {
    "nobody else has it": ([], Waiting()),
    "they aim at the same and have it in force": (
        [claimed(HELD, ELSEWHERE, NEW, OLD | NEW), ruled(None)],
        Waiting(),
    ),
    "they aim at something else": ([claimed(HELD, ELSEWHERE, OLD, OLD | NEW)], Waiting(("them",))),
    "they have it not in force yet": (
        [claimed(HELD, CERTIFICATE, NEW, OLD), claimed(ARRIVING, ELSEWHERE, NEW, frozenset())],
        Waiting(("them",)),
    ),
    "their rule does not accept what we keep": (
        [claimed(HELD, ELSEWHERE, NEW, OLD | NEW), ruled("AA01")],
        Waiting(("them",)),
    ),
    "their overlap lasts": (
        [claimed(HELD, ELSEWHERE, NEW, OLD | NEW, until="1970-01-01T02:00:00Z")],
        Waiting(("them",), 7200.0),
    ),
    "their overlap is not counted yet": (
        [claimed(HELD, ELSEWHERE, NEW, OLD | NEW, until=NOT_COUNTED)],
        Waiting(("them",)),
    ),
    "their overlap is over": ([claimed(HELD, ELSEWHERE, NEW, NEW, until="1970-01-01T00:00:00Z")], Waiting()),
    "they are only coming": ([claimed(ARRIVING, ELSEWHERE, NEW, frozenset())], Waiting(("them",))),
    "they are giving it up": ([claimed(LEAVING, CERTIFICATE, frozenset(), frozenset())], Waiting()),
}


@pytest.mark.parametrize(("rules", "waiting"), READY.values(), ids=READY.keys())
def test_an_issuer_is_withdrawn_when_every_installation_is_ready(rules: list[Rule], waiting: Waiting) -> None:
    zone = CalmZone(rules=tuple(rules))
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted(target=OVERLAP), seconds=2_000.0)

    zone.after(wanted(target=replace(OVERLAP, policy=TARGET.policy)), seconds=0.5)

    (state,) = [zone.state(desired) for desired in zone.cluster.desired()]
    assert unready(state, API, ROTATED) == waiting


@pytest.mark.parametrize("retained", [True, False], ids=["left behind", "in use"])
def test_a_rule_that_accepts_our_ca_contradicts_nothing_that_a_binding_accepts_besides(*, retained: bool) -> None:
    zone = CalmZone(rules=(ruled("AA01", retained=retained),))

    zone.after(wanted(target=replace(TARGET, policy=Policy(A | frozenset({"EE09"}), "block"))))

    (plan,) = zone.operator.plans()
    assert plan.contradicted == {}
    assert zone.stage() == HostProgress(HostStage.ENFORCED)


def test_who_comes_withdraws_where_a_rule_accepts_only_what_its_binding_accepts_besides() -> None:
    zone = CalmZone(rules=(claimed(HELD, CERTIFICATE, OLD, OLD), ruled("EE09")))

    zone.after(wanted(target=replace(TARGET, policy=Policy(A | frozenset({"EE09"}), "block"))), seconds=60.0)

    (plan,) = zone.operator.plans()
    assert plan.contradicted == {API: "them"}


def test_nobody_waits_for_others_to_accept_what_a_binding_accepts_besides_its_ca() -> None:
    zone = CalmZone(rules=(claimed(HELD, ELSEWHERE, NEW, NEW), ruled("BB02")))
    besides = frozenset({"EE09"})
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted(target=replace(OVERLAP, policy=Policy(A | B | besides, "block"))))

    zone.after(wanted(target=replace(ROTATED, policy=Policy(B | besides, "block"))))

    assert issuers(zone) == [B | besides]
    assert zone.stage() == HostProgress(HostStage.ENFORCED)


def issuers(zone: CalmZone) -> list[frozenset[str] | None]:
    ruleset = zone.zone.ruleset.now
    marks = [read_mark(rule) for rule in ruleset.rules] if ruleset else []
    return [mark.issuers for mark in marks if isinstance(mark, Enforcement) and mark.installation.owner == "us"]


def test_while_another_installation_is_not_ready_both_are_accepted_and_the_hostname_stays_on_both_lists() -> None:
    theirs = claimed(HELD, CERTIFICATE, OLD, OLD)
    zone = CalmZone(rules=(theirs,), hostnames=frozenset({API}))
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted())

    zone.after(replace(zone.ours(), target=ROTATED))

    assert issuers(zone) == [frozenset({"AA01", "BB02"})]
    assert API in zone.zone.lists[CERTIFICATE].now & zone.zone.lists[ELSEWHERE].now
    assert zone.stage() == HostProgress(HostStage.MOVING, None, ("them",), meanwhile=Action.BLOCK)


def test_when_the_other_installation_is_ready_its_overlap_is_waited_for_and_then_the_issuer_is_withdrawn() -> None:
    theirs = claimed(HELD, CERTIFICATE, OLD, OLD)
    zone = CalmZone(rules=(theirs,), hostnames=frozenset({API}))
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted())
    zone.after(replace(zone.ours(), target=ROTATED))
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    ready = replace(claimed(HELD, ELSEWHERE, NEW, OLD | NEW, until="1970-01-01T05:00:00Z"), id=theirs.id)
    zone.zone.set_rules(tuple(ready if rule.id == theirs.id else rule for rule in ruleset.rules))

    zone.operator.look()
    zone.wait(1_000.0)
    waiting = (issuers(zone), zone.stage().until)
    zone.wait(9_000.0)

    assert waiting == ([frozenset({"AA01", "BB02"})], 18_000.0)
    assert issuers(zone) == [frozenset({"BB02"})]
    assert API not in zone.zone.lists[CERTIFICATE].now


@pytest.mark.parametrize("until", ["1970-01-01T01:00:00Z", None])
def test_who_comes_in_the_midst_of_an_overlap_of_another_installation_does_not_end_it(until: str | None) -> None:
    both = Enforcement(OTHERS, frozenset({API}), frozenset({"AA01", "BB02"}), "block", None, enabled=True)
    theirs = (Rule("them", enforcement_body(both, "them")), claimed(HELD, ELSEWHERE, NEW, OLD | NEW, until=until))
    zone = CalmZone(rules=theirs)
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({API})])
    zone.cluster.issuers = frozenset({"BB02"})

    zone.after(wanted(target=ROTATED), seconds=3_000.0)
    meanwhile = (issuers(zone), zone.stage().waits_for)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    ready = {"them": replace(theirs[0], body=ruled("BB02").body), theirs[1].id: claimed(HELD, ELSEWHERE, NEW, NEW)}
    zone.zone.set_rules(tuple(ready.get(rule.id, rule) for rule in ruleset.rules))
    zone.operator.look()
    zone.wait(1_000.0)

    in_overlap = until is not None
    expected = frozenset({"AA01", "BB02"}) if in_overlap else frozenset({"BB02"})
    assert meanwhile == ([expected], ("them",) if in_overlap else ())
    assert (issuers(zone), zone.stage().stage) == ([frozenset({"BB02"})], HostStage.ENFORCED)


@pytest.mark.parametrize(("known", "expected"), [({"a" * 16: "AA01"}, {"AA01", "BB02"}), ({}, {"BB02"})])
def test_where_no_rule_names_the_issuers_of_that_overlap_they_are_those_that_were_seen_in_the_account(
    known: Mapping[str, str], expected: set[str]
) -> None:
    zone = CalmZone(rules=(claimed(HELD, ELSEWHERE, NEW, OLD | NEW, until="1970-01-01T01:00:00Z"),))
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset({API})])
    zone.cluster.issuers, zone.cluster.identifiers = frozenset({"BB02"}), known

    zone.after(wanted(target=ROTATED), seconds=3_000.0)

    assert issuers(zone) == [frozenset(expected)]


def test_issuers_are_not_pinned_while_another_installation_is_relied_on_for_others() -> None:
    zone = CalmZone()
    zone.after(wanted(target=replace(TARGET, policy=Policy(None, "block"))))
    theirs = claimed(HELD, ELSEWHERE, NEW, NEW)
    zone.add_rules(theirs)
    zone.operator.look()

    zone.after(wanted(target=TARGET))
    meanwhile = (issuers(zone), zone.stage().stage, zone.stage().waits_for)
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    zone.zone.set_rules(tuple(rule for rule in ruleset.rules if rule.body != theirs.body))
    zone.operator.look()
    zone.wait(1_000.0)

    assert meanwhile == ([None], HostStage.MOVING, ("them",))
    assert (issuers(zone), zone.stage().stage) == ([frozenset({"AA01"})], HostStage.ENFORCED)


def waiting_zone() -> CalmZone:
    """We moved on, and another installation that uses the earlier CA keeps us from refusing it."""
    rules = (claimed(HELD, CERTIFICATE, OLD, OLD), ruled("AA01"), FOREIGN)
    zone = CalmZone(rules=rules, hostnames=frozenset({API}))
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    zone.after(wanted())
    zone.after(replace(zone.ours(), target=ROTATED))
    return zone


def without_ours(zone: CalmZone, kind: type[Claim | Enforcement]) -> tuple[Rule, ...]:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    marks = [(rule, read_mark(rule)) for rule in ruleset.rules]
    return tuple(rule for rule, mark in marks if not (isinstance(mark, kind) and mark.installation.owner == "us"))


def disabled(zone: CalmZone) -> tuple[Rule, ...]:
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    return tuple(
        replace(rule, body=replace(rule.body, enabled=False)) if rule.body.ref.startswith("mtls_operator_") else rule
        for rule in ruleset.rules
    )


SPOILT: dict[str, Callable[[CalmZone], tuple[Rule, ...]]] = {
    "deleted": lambda zone: without_ours(zone, Enforcement),
    "disabled": disabled,
    "replaced": lambda _zone: (FOREIGN,),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_a_rule_that_waits_for_others_is_put_back_as_wide_as_it_was(
    spoil: Callable[[CalmZone], tuple[Rule, ...]],
) -> None:
    zone = waiting_zone()
    zone.zone.set_rules(spoil(zone))

    zone.operator.look()
    zone.wait(5.0)

    assert issuers(zone) == [frozenset({"AA01", "BB02"})]


def test_after_a_start_too_by_what_the_rules_of_others_accept() -> None:
    zone = waiting_zone()
    zone.zone.set_rules(without_ours(zone, Enforcement))
    zone.begin_again()

    zone.wait(5.0)

    assert issuers(zone) == [frozenset({"AA01", "BB02"})]


def test_an_issuer_is_withdrawn_only_where_the_hostname_is_read_on_the_list_that_is_left() -> None:
    zone = waiting_zone()
    ruleset = zone.zone.ruleset.now
    assert ruleset is not None
    ready = claimed(HELD, ELSEWHERE, NEW, OLD | NEW, until="1970-01-01T05:00:00Z")
    theirs = claimed(HELD, CERTIFICATE, OLD, OLD)
    rules = tuple(
        replace(ready, id=rule.id) if rule.id == theirs.id else rule for rule in ruleset.rules if rule.id != "them-rule"
    )
    zone.zone.set_rules(rules)
    zone.operator.look()
    zone.wait(100.0)
    zone.zone.put_list(ELSEWHERE, frozenset())
    seen: list[bool] = []
    zone.zone.watch = lambda: seen.append(any(API in zone.zone.lists[each].now for each in (CERTIFICATE, ELSEWHERE)))

    zone.wait(9_000.0)

    assert all(seen)
    assert issuers(zone) == [frozenset({"BB02"})]
    assert API in zone.zone.lists[ELSEWHERE].now


@pytest.mark.parametrize(("takes_all_along", "leaves"), [(True, True), (False, False)])
def test_without_pinned_issuers_a_list_is_left_for_one_with_all_its_cas_though_others_count_no_overlap_yet(
    *, takes_all_along: bool, leaves: bool
) -> None:
    zone = CalmZone()
    zone.zone.lists[ELSEWHERE] = Past([0.0], [frozenset()])
    unpinned = Policy(None, "block")
    zone.after(wanted(target=replace(TARGET, policy=unpinned, issuers=frozenset({"AA01"}))))
    in_force = OLD | NEW if takes_all_along else NEW
    zone.add_rules(claimed(HELD, CERTIFICATE, in_force, OLD, until=NOT_COUNTED))
    zone.operator.look()

    zone.after(
        replace(
            zone.ours(),
            target=replace(ROTATED, aim=in_force, in_force=in_force, policy=unpinned, until=NOT_COUNTED),
        )
    )

    assert (set(zone.ours().managed) == {ELSEWHERE}) is leaves
    assert API in zone.listed
