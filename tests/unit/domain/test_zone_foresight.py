"""What is said of an observed binding: the lines of its plan are what is done once it is managed, in that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.imagined_zone import scenes
from mtls_operator.domain.marks import ClaimState, claim_body, enforcement_body
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule, Ruleset
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.revoked import Revocations, RevokedSerials
from mtls_operator.domain.stakes import foreseen_stakes, stakes_of
from mtls_operator.domain.verdicts import ok
from mtls_operator.domain.zone_foresight import Foreseen, foresee, readings
from mtls_operator.domain.zone_knowledge import Reading, ZoneKnowledge
from mtls_operator.domain.zone_stakes import Desired, Stake, Target
from mtls_operator.domain.zone_steps import ReadList, ReadRules
from tests.unit.domain.binding_records import OTHER_CERTIFICATE, binding, metadata
from tests.unit.domain.test_zone_plan import (
    API,
    CERTIFICATE,
    FOREIGN,
    KEY,
    OTHERS,
    TARGET,
    TIMING,
    US,
    WEB,
    CalmZone,
    claim,
    enforced,
    wanted,
)

FINE = ok(Reason.ACCEPTED, "")
OTHER = ResourceKey("apps", "other")
ARRIVAL = [
    f"claim {API} as arriving on certificate {CERTIFICATE}",
    f"associate {API} with certificate {CERTIFICATE}",
    f"claim {API} as held on certificate {CERTIFICATE}",
    f"block requests to {API} without a client certificate issued by AA01",
]
DEPARTURE = [
    f"block requests to {API} no more",
    f"claim {API} as leaving on certificate {CERTIFICATE}",
    f"take {API} off the list of certificate {CERTIFICATE}",
    f"drop the claim on {API}",
]


def known(*rules: Rule, hostnames: frozenset[str] = frozenset({"old.example.com"})) -> ZoneKnowledge:
    return ZoneKnowledge(
        started=0.0,
        rules=Reading(Ruleset("set", 1, (*rules, FOREIGN)), 500.0),
        rules_must_be_read=False,
        lists={CERTIFICATE: Reading(hostnames, 500.0)},
    )


def known_to(zone: CalmZone) -> ZoneKnowledge:
    return zone.operator.known.with_list_read(CERTIFICATE, zone.listed, zone.time.now)


def stake(*hostnames: str, target: Target = TARGET, managed: Sequence[str] = (), adopts: bool = True) -> Stake:
    owned = {target.certificate: frozenset(managed)} if managed else {}
    return Stake(KEY, owned, dict.fromkeys(hostnames, target), has_finalizer=bool(managed), adopts=adopts)


def lines(
    mine: Stake, seen: ZoneKnowledge, *still: Stake, lost: dict[str, ResourceKey] | None = None
) -> Sequence[str] | None:
    plans = foresee(Foreseen(Desired(US, (mine,), still), {KEY: lost or {}}), seen, TIMING)
    return None if plans is None else list(plans[KEY])


def test_the_plan_of_a_new_binding_is_its_arrival_step_by_step() -> None:
    assert lines(stake(API), known()) == ARRIVAL


def test_what_is_foreseen_is_what_is_done_once_it_is_managed() -> None:
    zone = CalmZone()
    zone.wait(200.0)
    foreseen = Desired(US, (stake(API),))
    steps = [type(step).__name__ for step, _, _ in scenes(foreseen, known(), TIMING)]

    done = zone.after(wanted())

    assert [each for each in steps if not each.startswith("Read")] == [
        each for each in done if not each.startswith("Read")
    ]


def test_a_zone_without_any_custom_rule_is_no_exception() -> None:
    empty = replace(known(), rules=Reading(None, 500.0))

    assert lines(stake(API), empty) == ARRIVAL


def test_what_is_on_the_list_already_is_adopted() -> None:
    found = lines(stake(API), known(hostnames=frozenset({API})))

    assert found is not None
    assert found[1] == f"adopt {API}, on the list of certificate {CERTIFICATE} already"


def test_a_binding_that_adopts_nothing_leaves_alone_what_is_on_the_list() -> None:
    found = lines(stake(API, WEB, adopts=False), known(hostnames=frozenset({WEB})))

    assert found == [*ARRIVAL, f"leave {WEB} alone: on the list already, and spec.adoptionPolicy is Never"]


def test_what_another_binding_has_is_left_to_it() -> None:
    assert lines(stake(), known(), lost={API: OTHER}) == [
        f"leave {API} to MtlsHostBinding apps/other, which has it with another CA or enforcement"
    ]


def test_what_another_installation_has_otherwise_is_left_to_it() -> None:
    theirs = replace(claim(ClaimState.HELD, by=OTHERS), aim=frozenset({"f" * 16}), in_force=frozenset({"f" * 16}))
    other = replace(theirs, certificate_ids=frozenset({CertificateId(OTHER_CERTIFICATE)}))

    assert lines(stake(API), known(Rule("theirs", claim_body(other, "theirs")))) == [
        f"leave {API} to installation {OTHERS.owner}, which has it with other CAs"
    ]


def test_nothing_would_be_written_where_another_cluster_uses_our_name() -> None:
    rival = replace(US, cluster=OTHERS.cluster)
    theirs = claim(ClaimState.HELD, WEB, by=rival)

    assert lines(stake(API), known(Rule("theirs", claim_body(theirs, "theirs")))) == [
        f"write nothing: another cluster, {OTHERS.cluster}, uses our ownerId {US.owner}"
    ]


def test_what_somebody_wiped_away_with_the_whole_ruleset_would_be_put_back() -> None:
    lost = replace(stake(API, managed=[API]), enforced=frozenset({API}))

    found = lines(lost, known(hostnames=frozenset({API})))

    assert found is not None
    assert found[-1] == ARRIVAL[-1]


def test_hostnames_that_the_spec_has_no_more_would_leave() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert lines(stake(managed=[API]), known_to(zone)) == DEPARTURE


def test_some_come_and_some_go_and_those_that_stay_are_not_spoken_of() -> None:
    zone = CalmZone()
    zone.after(wanted(API, "stays.example.com"))

    found = lines(stake(WEB, "stays.example.com", managed=[API, "stays.example.com"]), known_to(zone))

    assert found is not None
    assert not [line for line in found if "stays" in line]
    assert [line.replace(WEB, API) for line in found if WEB in line] == ARRIVAL
    assert [line for line in found if API in line] == DEPARTURE


def test_when_all_is_in_force_there_is_nothing_to_do() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert lines(stake(API, managed=[API]), known_to(zone)) == []


def test_another_response_is_a_changed_rule_and_nothing_else() -> None:
    zone = CalmZone()
    zone.after(wanted())
    assert TARGET.policy is not None
    told = replace(TARGET, policy=replace(TARGET.policy, response=BlockResponse(403, "text/plain", "no")))

    assert lines(stake(API, target=told, managed=[API]), known_to(zone)) == [ARRIVAL[-1]]


def test_a_rule_that_is_not_pinned_names_no_issuers() -> None:
    assert TARGET.policy is not None
    unpinned = replace(TARGET, policy=replace(TARGET.policy, issuers=None))

    found = lines(stake(API, target=unpinned), known())

    assert found is not None
    assert found[-1] == f"block requests to {API} without a client certificate"


def test_revoked_certificates_are_counted_and_not_named() -> None:
    revoked = Revocations((("AA01", RevokedSerials(((2.0, "1"), (1.0, "2")))),))
    zone = CalmZone()
    zone.after(wanted(target=replace(TARGET, revoked=revoked)))
    more = Revocations((("AA01", RevokedSerials(((3.0, "3"), (2.0, "1"), (1.0, "2")))),))
    fewer = Revocations((("AA01", RevokedSerials(((2.0, "1"),))),))

    found = lines(stake(API, target=replace(TARGET, revoked=revoked)), known())
    after = lines(stake(API, target=replace(TARGET, revoked=more), managed=[API]), known_to(zone))
    less = lines(stake(API, target=replace(TARGET, revoked=fewer), managed=[API]), known_to(zone))

    assert found == [
        *ARRIVAL[:3],
        f"block requests to {API} with one of 2 certificate(s) that AA01 revoked",
        ARRIVAL[3],
    ]
    assert after == [f"block requests to {API} with one of 1 certificate(s) that AA01 revoked"]
    assert less == []


def test_a_hostname_of_others_in_the_same_rule_is_not_spoken_of() -> None:
    zone = CalmZone()
    zone.after(wanted())
    theirs = replace(zone.cluster.stakes[0], binding=OTHER)

    assert lines(stake(WEB), known_to(zone), theirs) == [line.replace(API, WEB) for line in ARRIVAL]


def test_a_hostname_that_another_rule_covers_too_goes_on_being_blocked() -> None:
    zone = CalmZone()
    zone.after(wanted(API, WEB))
    again = Rule("again", enforcement_body(replace(enforced(API), retained=True), "again"))
    seen = known_to(zone)
    assert seen.rules is not None
    assert seen.rules.value is not None
    both = replace(seen.rules.value, rules=(again, *seen.rules.value.rules))

    found = lines(stake(API, WEB, managed=[API, WEB]), replace(seen, rules=Reading(both, seen.rules.begun)))

    assert found == []


def test_each_of_two_observed_bindings_is_told_of_its_own_hostnames() -> None:
    two = replace(stake(WEB), binding=OTHER)

    plans = foresee(Foreseen(Desired(US, (stake(API), two)), {}), known(), TIMING)

    assert plans is not None
    assert list(plans[KEY]) == ARRIVAL
    assert list(plans[OTHER]) == [line.replace(API, WEB) for line in ARRIVAL]


def test_an_unfinished_plan_of_another_binding_is_not_spoken_of() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=5.0)
    theirs = replace(zone.cluster.stakes[0], binding=OTHER)

    found = lines(stake(WEB), known_to(zone), theirs)

    assert found is not None
    assert not [line for line in found if API in line]


@pytest.mark.parametrize(
    ("seen", "missing"),
    [
        (ZoneKnowledge(started=0.0), [ReadRules(), ReadList(CERTIFICATE)]),
        (replace(known(), rules_must_be_read=True), [ReadRules()]),
        (replace(known(), lists={}), [ReadList(CERTIFICATE)]),
        (known().with_doubt(600.0), [ReadRules(), ReadList(CERTIFICATE)]),
        (known(), []),
    ],
    ids=["nothing", "rules are doubtful", "list not read", "a look is due", "all is there"],
)
def test_nothing_is_foreseen_before_all_of_it_has_been_read(seen: ZoneKnowledge, missing: list[object]) -> None:
    foreseen = Foreseen(Desired(US, (stake(API),)), {})

    assert readings(foreseen, seen) == missing
    assert (foresee(foreseen, seen, TIMING) is None) == bool(missing)


def test_a_plan_that_finds_no_end_is_cut_off() -> None:
    assert len(list(scenes(Desired(US, (stake(API),)), known(), TIMING, limit=3))) == 3


# From bindings to what would be wanted


def observed(*hostnames: str, name: str = "binding", deleting: bool = False) -> BindingRecord:
    return binding(name, *hostnames, spec={"managementPolicy": "Observe"}, meta=metadata(name, deleting=deleting))


def judged(record: BindingRecord) -> tuple[BindingRecord, BindingAssessment]:
    return record, BindingAssessment(FINE, FINE, None, TARGET)


def test_an_observed_binding_wants_nothing_and_would_want_its_hostnames() -> None:
    zone = [judged(observed(API))]

    ((real,), _), ((would_be,), _) = stakes_of(zone), foreseen_stakes(zone)

    assert (real.wants, real.idle) == ({}, True)
    assert (would_be.wants, would_be.idle) == ({API: TARGET}, False)


def test_where_nobody_is_observed_there_is_nothing_to_foresee() -> None:
    assert foreseen_stakes([judged(binding("one"))]) == ((), {})
    assert foreseen_stakes([judged(observed(API, deleting=True))]) == ((), {})


def test_managed_bindings_and_those_that_cannot_be_read_are_foreseen_as_they_are() -> None:
    unreadable = replace(binding("two"), spec=None)

    stakes, _ = foreseen_stakes([judged(observed(API)), judged(binding("one", WEB)), judged(unreadable)])

    assert [dict(each.wants) for each in stakes] == [{API: TARGET}, {WEB: TARGET}, {}]


def test_an_observed_binding_that_is_deleted_lets_go_of_what_it_has_with_everything_in_force() -> None:
    record = replace(observed(API, deleting=True), status=binding(managed={CERTIFICATE: [API]}).status)

    ((stake,), _) = stakes_of([judged(record)])

    assert (stake.retains, stake.idle, stake.wants) == (True, False, {})


def test_what_an_observed_binding_has_in_force_is_not_repaired() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), observed=True))
    zone.zone.delete_rule("rule-2")
    zone.begin_again()

    assert set(zone.wait(5_000.0)) == {"ReadRules"}
    assert zone.marks() == [None, claim(ClaimState.HELD)]
