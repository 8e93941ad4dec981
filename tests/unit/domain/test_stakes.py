"""Who wins where two bindings want one hostname differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.api.host_binding import HostBindingStatus, HostnameState, HostnameStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.observed import BlockResponse, CertificateId
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.stakes import Conflicts, managed_of, stakes_of
from mtls_operator.domain.verdicts import ok
from mtls_operator.domain.zone_stakes import Stake, Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.binding_records import CERTIFICATE, OTHER_CERTIFICATE, binding, metadata

OK = ok(Reason.ACCEPTED, "")
PLAIN = Target(CERTIFICATE, policy=Policy(frozenset({"AA01"}), "block"))
TOLD = Target(CERTIFICATE, policy=Policy(frozenset({"AA01"}), "block", BlockResponse(403, "text/plain", "no")))
MOVED = Target(OTHER_CERTIFICATE, policy=Policy(frozenset({"BB02"}), "block"))
API, WEB = "api.example.com", "www.example.com"

Judged = tuple[BindingRecord, BindingAssessment]


def judged(record: BindingRecord, target: Target | None = PLAIN) -> Judged:
    return record, BindingAssessment(OK, OK, None, target)


def key(name: str) -> ResourceKey:
    return ResourceKey("apps", name)


def wanted_by(stakes: Sequence[Stake]) -> dict[str, dict[str, Target]]:
    return {stake.binding.name: dict(stake.wants) for stake in stakes}


@st.composite
def zones(draw: st.DrawFn) -> list[Judged]:
    """Up to four bindings of any kind that contend for two hostnames."""
    names = st.lists(st.sampled_from([API, WEB]), min_size=1, max_size=2, unique=True)
    found = []
    for number in range(draw(st.integers(0, 4))):
        certificate = draw(st.sampled_from([CERTIFICATE, OTHER_CERTIFICATE]))
        meta = metadata(
            f"b{number}",
            created=draw(st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", None])),
            deleting=draw(st.booleans()),
        )
        managed: dict[CertificateId, list[str]] = {certificate: draw(names)} if draw(st.booleans()) else {}
        record = binding(f"b{number}", *draw(names), managed=managed, meta=meta)
        found.append(judged(record, draw(st.sampled_from([None, PLAIN, TOLD, MOVED]))))
    return found


def contradictions(stakes: Sequence[Stake]) -> list[str]:
    """Hostnames that two stakes want on different lists, or under different policies where both name one."""
    return [
        hostname
        for one in stakes
        for other in stakes
        for hostname in one.wants.keys() & other.wants.keys()
        if _differ(one.wants[hostname], other.wants[hostname])
    ]


def _differ(one: Target, other: Target) -> bool:
    decided_by_one = one.authority is not None and one.authority == other.authority
    if decided_by_one and None in {one.policy, other.policy}:
        return False
    return one.certificate != other.certificate or len({one.policy, other.policy} - {None}) > 1


@given(zones())
def test_no_two_stakes_want_one_hostname_differently(zone: list[Judged]) -> None:
    stakes, _ = stakes_of(zone)

    assert contradictions(stakes) == []


@given(zones())
def test_a_hostname_is_wanted_or_lost_to_somebody_and_never_both(zone: list[Judged]) -> None:
    stakes, conflicts = stakes_of(zone)

    wanted = {(stake.binding, hostname) for stake in stakes for hostname in stake.wants}
    lost = {(loser, hostname) for loser, names in conflicts.items() for hostname in names}
    asked = {
        (record.key, hostname)
        for record, assessment in zone
        if not record.deleting
        for hostname in (record.spec.hostnames if record.spec and assessment.target else _owned(record))
    }
    assert wanted | lost == asked
    assert wanted & lost == set()


def _owned(record: BindingRecord) -> set[str]:
    return {hostname for names in managed_of(record).values() for hostname in names}


@given(zones())
def test_nobody_loses_to_itself_and_the_order_of_listing_does_not_matter(zone: list[Judged]) -> None:
    _, conflicts = stakes_of(zone)
    _, reversed_conflicts = stakes_of(zone[::-1])

    assert _losses(conflicts) == _losses(reversed_conflicts)
    assert all(winner != loser for loser, names in conflicts.items() for winner in names.values())


def _losses(conflicts: Conflicts) -> set[tuple[ResourceKey, str]]:
    return {(loser, hostname) for loser, names in conflicts.items() for hostname in names}


def test_bindings_that_want_the_same_both_have_a_stake() -> None:
    stakes, conflicts = stakes_of([judged(binding("one")), judged(binding("two"))])

    assert wanted_by(stakes) == {"one": {API: PLAIN}, "two": {API: PLAIN}}
    assert conflicts == {}


def test_the_incumbent_wins_over_an_older_newcomer() -> None:
    older = binding("older", meta=metadata("older", created="2025-01-01T00:00:00Z"))
    incumbent = binding("young", managed={CERTIFICATE: [API]})

    stakes, conflicts = stakes_of([judged(older, TOLD), judged(incumbent, PLAIN)])

    assert wanted_by(stakes) == {"older": {}, "young": {API: PLAIN}}
    assert conflicts == {key("older"): {API: key("young")}}


def test_of_two_newcomers_the_older_wins() -> None:
    older = binding("z", meta=metadata("z", created="2025-01-01T00:00:00Z"))

    _, conflicts = stakes_of([judged(binding("a"), TOLD), judged(older, PLAIN)])

    assert conflicts == {key("a"): {API: key("z")}}


def test_of_two_newcomers_of_one_age_the_first_by_name_wins() -> None:
    _, conflicts = stakes_of([judged(binding("b"), TOLD), judged(binding("a"), PLAIN)])

    assert conflicts == {key("b"): {API: key("a")}}


@pytest.mark.parametrize("certificate", [CERTIFICATE, OTHER_CERTIFICATE], ids=["the same", "another"])
def test_a_hostname_that_is_given_up_on_whatever_certificate_is_taken_over_at_once(certificate: CertificateId) -> None:
    leaving = binding("old", managed={certificate: [API]}, meta=metadata("old", deleting=True))

    stakes, conflicts = stakes_of([judged(leaving, None), judged(binding("new"), PLAIN)])

    assert wanted_by(stakes) == {"old": {}, "new": {API: PLAIN}}
    assert conflicts == {}


def test_who_wants_what_another_installation_has_otherwise_keeps_nobody_else_from_it() -> None:
    barred = binding("a", meta=metadata("a", created="2025-01-01T00:00:00Z"))

    stakes, conflicts = stakes_of(
        [judged(barred, MOVED), judged(binding("b"), PLAIN)], frozenset({(OTHER_CERTIFICATE, API)})
    )

    assert wanted_by(stakes) == {"a": {}, "b": {API: PLAIN}}
    assert conflicts == {key("a"): {API: key("b")}}


def test_of_two_incumbents_the_one_stays_that_has_the_hostname_where_it_wants_it() -> None:
    moving = binding("a-moving", managed={CERTIFICATE: [API]})
    staying = binding("staying", managed={CERTIFICATE: [API]})

    _, conflicts = stakes_of([judged(moving, MOVED), judged(staying)])

    assert conflicts == {key("a-moving"): {API: key("staying")}}


@pytest.mark.parametrize(
    ("told_by_older", "told_by_younger", "winner"),
    [("Enforced", "Enforced", "younger"), ("Conflicted", "Enforced", "younger"), ("Logged", "Logged", "older")],
)
def test_of_two_incumbents_the_one_stays_that_goes_on_blocking_what_is_blocked(
    told_by_older: str, told_by_younger: str, winner: str
) -> None:
    older, younger = (
        binding(
            name,
            managed={CERTIFICATE: [API]},
            status=HostBindingStatus(hostnames=(HostnameStatus(name=API, state=HostnameState(told)),)),
            meta=metadata(name, created=created),
        )
        for name, told, created in [
            ("older", told_by_older, "2026-01-01T00:00:00Z"),
            ("younger", told_by_younger, "2026-01-02T00:00:00Z"),
        ]
    )
    logs = replace(PLAIN, policy=Policy(frozenset({"AA01"}), "log"))

    stakes, _ = stakes_of([judged(older, logs), judged(younger)])

    assert [name for name, wants in wanted_by(stakes).items() if wants] == [winner]


@pytest.mark.parametrize(("meanwhile", "is_blocked"), [("Block", True), ("Log", False), (None, True)])
def test_what_moves_and_is_only_logged_meanwhile_is_not_blocked(meanwhile: str | None, *, is_blocked: bool) -> None:
    told = HostnameStatus(name=API, state=HostnameState.MOVING, meanwhile=meanwhile)
    record = binding("moves", managed={CERTIFICATE: [API]}, status=HostBindingStatus(hostnames=(told,)))

    (stake,), _ = stakes_of([judged(record)])

    assert stake.enforced == {API}
    assert (API in stake.blocked) is is_blocked


@pytest.mark.parametrize("told", ["Moving", "Conflicted"])
def test_of_two_that_have_nothing_the_older_wins_whatever_the_verdict_makes_it_say(told: str) -> None:
    status = HostBindingStatus(hostnames=(HostnameStatus(name=API, state=HostnameState(told)),))
    older = binding("older", status=status, meta=metadata("older", created="2026-01-01T00:00:00Z"))
    younger = binding("younger", meta=metadata("younger", created="2026-01-02T00:00:00Z"))
    logs = replace(PLAIN, policy=Policy(frozenset({"AA01"}), "log"))

    _, conflicts = stakes_of([judged(older, logs), judged(younger)])

    assert conflicts == {key("younger"): {API: key("older")}}


@pytest.mark.parametrize("action", ["log", "none"])
@pytest.mark.parametrize("authority", [key("ca"), key("another")])
def test_what_a_binding_that_cannot_be_reconciled_blocks_is_not_opened_by_another(
    authority: ResourceKey, action: str
) -> None:
    status = HostBindingStatus(hostnames=(HostnameStatus(name=API, state=HostnameState.ENFORCED),))
    blocks = binding("blocks", managed={CERTIFICATE: [API]}, status=status)
    opens = replace(PLAIN, policy=Policy(frozenset({"AA01"}), action), authority=authority)

    stakes, conflicts = stakes_of([judged(blocks, None), judged(binding("opens"), opens)])

    assert [name for name, wants in wanted_by(stakes).items() if wants] == ["blocks"]
    assert conflicts == {key("opens"): {API: key("blocks")}}


def test_what_one_ca_wants_contradicts_nothing_where_a_binding_of_it_cannot_be_reconciled() -> None:
    ca = key("ca")
    rotated = replace(MOVED, authority=ca)
    blocked = binding("blocked", managed={CERTIFICATE: [API]})

    stakes, conflicts = stakes_of([judged(blocked, None), judged(binding("well"), rotated)])

    assert wanted_by(stakes) == {"blocked": {API: Target(CERTIFICATE, authority=ca)}, "well": {API: rotated}}
    assert conflicts == {}


def test_a_binding_that_cannot_be_reconciled_keeps_a_hostname_on_every_list_that_it_is_on() -> None:
    halfway = binding("one", managed={CERTIFICATE: [API], OTHER_CERTIFICATE: [API]})

    (stake,), _ = stakes_of([judged(halfway, None)])

    assert {stake.wants[API].certificate, *stake.wants[API].beside} == {CERTIFICATE, OTHER_CERTIFICATE}


def test_only_the_contended_hostname_is_lost() -> None:
    stakes, _ = stakes_of([judged(binding("a", API)), judged(binding("b", API, WEB), MOVED)])

    assert wanted_by(stakes) == {"a": {API: PLAIN}, "b": {WEB: MOVED}}


@pytest.mark.parametrize("deleting", [False, True])
def test_a_stake_says_what_holds_the_resource_and_whether_it_goes(*, deleting: bool) -> None:
    record = binding("one", managed={CERTIFICATE: [API]}, meta=metadata("one", deleting=deleting, finalizer=True))

    (stake,), _ = stakes_of([judged(record)])

    assert (stake.has_finalizer, stake.deleting, stake.managed) == (True, deleting, {CERTIFICATE: frozenset({API})})


def test_a_binding_that_cannot_be_reconciled_goes_on_wanting_what_its_status_records() -> None:
    record = binding("one", WEB, managed={CERTIFICATE: [API]})

    stakes, _ = stakes_of([judged(record, None)])

    assert wanted_by(stakes) == {"one": {API: Target(CERTIFICATE, authority=key("ca"))}}


def test_a_binding_that_loses_a_hostname_keeps_nobody_else_from_it() -> None:
    first = binding("first", API, meta=metadata("first", created="2026-01-01T00:00:00Z"))
    loser = binding("loser", API, meta=metadata("loser", created="2026-01-02T00:00:00Z"))
    third = binding("third", API, meta=metadata("third", created="2026-01-03T00:00:00Z"))

    stakes, conflicts = stakes_of([judged(first), judged(loser, MOVED), judged(third)])

    assert wanted_by(stakes) == {"first": {API: PLAIN}, "loser": {}, "third": {API: PLAIN}}
    assert conflicts == {key("loser"): {API: key("first")}}


def test_bindings_of_two_cas_with_one_certificate_tell_of_the_rotation_that_lasts_longest() -> None:
    rotating = replace(
        PLAIN, until="2026-03-02T00:00:00Z", earlier=frozenset({OTHER_CERTIFICATE}), overlap=60.0, authority=key("ca")
    )
    lately = replace(PLAIN, until="2026-03-01T00:00:00Z", aim=frozenset({"b" * 16}), overlap=90.0)
    other = replace(PLAIN, authority=key("other"))

    for order in ([rotating, other, lately], [other, lately, rotating]):
        stakes, conflicts = stakes_of([judged(binding(str(i), API, WEB), each) for i, each in enumerate(order)])

        told = replace(rotating, overlap=90.0)
        assert conflicts == {}
        assert wanted_by(stakes) == {
            str(i): dict.fromkeys([API, WEB], replace(told, authority=each.authority)) for i, each in enumerate(order)
        }


def test_a_binding_that_cannot_be_reconciled_does_not_tell_more_than_it_knows() -> None:
    held = binding("held", managed={CERTIFICATE: [API]})
    rotating = replace(PLAIN, until="2026-03-02T00:00:00Z", authority=key("ca"))
    plain = replace(PLAIN, authority=key("ca"))

    stakes, _ = stakes_of([judged(held, None), judged(binding("a", API), rotating), judged(binding("b", API), plain)])

    assert wanted_by(stakes)["held"] == {API: Target(CERTIFICATE, authority=key("ca"))}
    assert wanted_by(stakes)["b"] == {API: rotating}
