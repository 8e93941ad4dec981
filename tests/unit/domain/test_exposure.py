"""What lets requests past a rule that is in force, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from mtls_operator.api.conditions import Condition, ConditionStatus, ConditionType
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.exposure import (
    EXPOSURES,
    Proxying,
    ZoneLook,
    associated_in_view_of,
    enforced_in_view_of,
    no_look,
    proxying_of,
)
from mtls_operator.domain.observed import AccessRule, DnsRecord
from mtls_operator.domain.sources import CredentialKey, SourceKey, SourceKind
from mtls_operator.domain.verdicts import Outcome, Verdict, blocked, ok, waiting

A, B = "a.example.com", "b.example.com"
ENFORCED = ok(Reason.ENFORCED, "2 hostname(s) covered by an enabled rule")
UNPINNED = ok(Reason.ISSUER_NOT_PINNED, "2 hostname(s) covered by a rule for any CA")
INCOMPLETE = ok(Reason.REVOCATION_INCOMPLETE, "2 hostname(s) covered, but 7 revoked certificate(s) get through")
ASSOCIATED = ok(Reason.ASSOCIATED, "2 hostname(s) associated")
OFFICE = AccessRule("1" * 32, "whitelist", "ip", "203.0.113.7")
GERMANY = AccessRule("2" * 32, "whitelist", "country", "DE")


def look(
    *allowances: AccessRule,
    managed: frozenset[str] = frozenset(),
    proxying: Mapping[str, Proxying] | None = None,
    hostnames: frozenset[str] = frozenset({A, B}),
) -> ZoneLook:
    return ZoneLook(hostnames, frozenset(allowances), proxying or {}, managed)


def said(verdict: Verdict, kind: ConditionType = ConditionType.ENFORCED) -> Condition:
    """The condition of a verdict, as a process before this one has left it."""
    return Condition(
        type=kind,
        status=ConditionStatus.TRUE if verdict.is_ok else ConditionStatus.FALSE,
        reason=verdict.reason,
        message=verdict.message,
        observed_generation=1,
        last_transition_time=datetime(2027, 1, 1, tzinfo=UTC),
    )


def enforced(base: Verdict, seen: ZoneLook | None, before: Condition | None = None) -> Verdict:
    return enforced_in_view_of(base, before, [A, B], seen)


def associated(base: Verdict, seen: ZoneLook | None, before: Condition | None = None, *, pins: bool = True) -> Verdict:
    return associated_in_view_of(base, before, [A, B], seen, pins=pins)


# Records


def record(name: str, kind: str = "A", *, proxied: bool = True) -> DnsRecord:
    return DnsRecord(f"{name} {kind}", name, kind, proxied)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], Proxying.ABSENT),
        ([record(A)], Proxying.PROXIED),
        ([record(A, "CNAME")], Proxying.PROXIED),
        ([record(A, "AAAA", proxied=False)], Proxying.NOT_PROXIED),
        ([record(A, proxied=False), record(A, "AAAA")], Proxying.PROXIED),
        ([record(A, "TXT", proxied=False)], Proxying.ABSENT),
        ([record(B)], Proxying.ABSENT),
        ([record("*.example.com")], Proxying.PROXIED),
        ([record("*.example.com", proxied=False)], Proxying.NOT_PROXIED),
        ([record("*.example.com"), record(A, proxied=False)], Proxying.NOT_PROXIED),
        ([record("example.com")], Proxying.ABSENT),
    ],
)
def test_a_hostname_is_proxied_by_its_own_records_or_by_a_wildcard_above_it(
    records: list[DnsRecord], expected: Proxying
) -> None:
    assert proxying_of([A], records) == {A: expected}


def test_the_nearest_wildcard_counts() -> None:
    records = [record("*.example.com"), record("*.eu.example.com", proxied=False)]

    assert proxying_of(["x.y.eu.example.com"], records) == {"x.y.eu.example.com": Proxying.NOT_PROXIED}


# Enforced


def test_a_zone_in_which_others_have_nothing_changes_nothing() -> None:
    assert enforced(ENFORCED, look()) == ENFORCED


def test_an_ip_access_rule_that_allows_is_named_with_what_it_matches() -> None:
    verdict = enforced(ENFORCED, look(OFFICE, GERMANY))

    assert (verdict.outcome, verdict.reason) == (Outcome.BLOCKED, Reason.BYPASSED_BY_ACCESS_RULE)
    assert "those of address 203.0.113.7, country DE." in verdict.message


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("ip6", "address 2001:db8::1"),
        ("ip_range", "addresses 2001:db8::1"),
        ("asn", "autonomous system 2001:db8::1"),
        ("planet", "planet 2001:db8::1"),
    ],
)
def test_every_kind_of_ip_access_rule_has_its_words(target: str, words: str) -> None:
    assert words in enforced(ENFORCED, look(AccessRule("1", "whitelist", target, "2001:db8::1"))).message


def test_of_many_ip_access_rules_the_first_are_named_and_the_others_counted() -> None:
    rules = [AccessRule(str(number), "whitelist", "ip", f"203.0.113.{number}") for number in range(8)]

    message = enforced(ENFORCED, look(*rules)).message

    assert "203.0.113.4 and 3 more." in message


def test_a_hostname_whose_records_are_not_proxied_is_exposed() -> None:
    verdict = enforced(ENFORCED, look(proxying={A: Proxying.PROXIED, B: Proxying.NOT_PROXIED}))

    assert (verdict.outcome, verdict.reason) == (Outcome.BLOCKED, Reason.NOT_PROXIED)
    assert f": {B}. Turn on" in verdict.message


def test_a_hostname_without_a_record_is_told_of_and_all_is_in_force() -> None:
    verdict = enforced(ENFORCED, look(proxying={A: Proxying.PROXIED, B: Proxying.ABSENT}))

    assert (verdict.outcome, verdict.reason) == (Outcome.OK, Reason.NOT_PROXIED)
    assert verdict.message.startswith(f"{ENFORCED.message}; but the zone has no DNS record for {B}:")
    assert "load balancer" in verdict.message


def test_what_a_look_does_not_find_of_a_hostname_that_came_into_force_after_it_proves_nothing() -> None:
    seen = look(proxying={A: Proxying.PROXIED, B: Proxying.NOT_PROXIED}, hostnames=frozenset({A}))

    assert enforced(ENFORCED, seen) == ENFORCED


def test_a_missing_pin_is_said_before_a_missing_record() -> None:
    assert enforced(UNPINNED, look(proxying={A: Proxying.ABSENT})) == UNPINNED
    assert enforced(INCOMPLETE, look(proxying={A: Proxying.ABSENT})) == INCOMPLETE


def test_revoked_certificates_that_do_not_fit_hide_no_exposure_and_are_not_hidden_by_one() -> None:
    verdict = enforced(INCOMPLETE, look(proxying={A: Proxying.NOT_PROXIED}, managed=frozenset({B})))

    assert (verdict.outcome, verdict.reason) == (Outcome.BLOCKED, Reason.NOT_PROXIED)
    assert verdict.message.endswith(f" Besides, {INCOMPLETE.message}")
    assert B not in verdict.message


def test_the_managed_ca_lets_its_clients_through_where_issuers_are_not_pinned() -> None:
    verdict = enforced(UNPINNED, look(managed=frozenset({A, "c.example.com"})))

    assert (verdict.outcome, verdict.reason) == (Outcome.BLOCKED, Reason.ON_MANAGED_CERTIFICATE_AUTHORITY)
    assert f"get through: {A}. Take" in verdict.message


def test_the_managed_ca_does_not_matter_to_other_hostnames_or_where_issuers_are_pinned() -> None:
    assert enforced(UNPINNED, look(managed=frozenset({"c.example.com"}))) == UNPINNED
    assert enforced(ENFORCED, look(managed=frozenset({A}))) == ENFORCED


def test_all_exposures_are_in_the_message_and_the_worst_gives_the_reason() -> None:
    verdict = enforced(UNPINNED, look(OFFICE, managed=frozenset({A}), proxying={B: Proxying.NOT_PROXIED}))

    assert verdict.reason == Reason.BYPASSED_BY_ACCESS_RULE
    assert verdict.message.count(" Besides, ") == 2


@pytest.mark.parametrize(
    "base",
    [
        ok(Reason.LOG_ONLY, "logged"),
        ok(Reason.NOT_ENFORCED, "no rule"),
        waiting(Reason.ARRIVING, "settling"),
        waiting(Reason.RULE_ALTERED, "disabled"),
    ],
)
def test_where_no_rule_blocks_nothing_bypasses_it(base: Verdict) -> None:
    assert enforced(base, look(OFFICE)) == base


@pytest.mark.parametrize("reason", sorted(EXPOSURES))
def test_a_process_that_has_not_looked_yet_takes_nothing_back(reason: Reason) -> None:
    before = blocked(reason, "as it was")

    assert enforced(ENFORCED, None, said(before)) == before


def test_a_process_that_has_not_looked_yet_leaves_a_remark_as_it_is() -> None:
    before = ok(Reason.NOT_PROXIED, "no record")

    assert enforced(ENFORCED, None, said(before)) == before


def test_without_a_look_and_without_anything_said_all_is_well() -> None:
    assert enforced(ENFORCED, None) == ENFORCED
    assert enforced(ENFORCED, None, said(waiting(Reason.ARRIVING, "settling"))) == ENFORCED


def test_what_a_look_finds_no_more_is_taken_back() -> None:
    assert enforced(ENFORCED, look(), said(blocked(Reason.BYPASSED_BY_ACCESS_RULE, "as it was"))) == ENFORCED


def test_before_anybody_looks_there_is_no_look() -> None:
    assert no_look("zone", CredentialKey(SourceKey(SourceKind.SECRET, "apps", "own"), "token")) is None


# Associated


def test_with_pinned_issuers_the_managed_ca_is_a_remark() -> None:
    verdict = associated(ASSOCIATED, look(managed=frozenset({A})))

    assert (verdict.outcome, verdict.reason) == (Outcome.OK, Reason.ON_MANAGED_CERTIFICATE_AUTHORITY)
    assert f"manages: {A}. Its clients are blocked" in verdict.message


def test_without_pinned_issuers_it_is_no_remark_because_it_is_an_exposure() -> None:
    assert associated(ASSOCIATED, look(managed=frozenset({A})), pins=False) == ASSOCIATED


def test_a_list_of_the_managed_ca_without_our_hostnames_is_not_spoken_of() -> None:
    assert associated(ASSOCIATED, look(managed=frozenset({"c.example.com"}))) == ASSOCIATED


def test_what_is_not_associated_has_no_remark() -> None:
    leaving = waiting(Reason.LEAVING, "being given up")

    assert associated(leaving, look(managed=frozenset({A}))) == leaving


def test_the_remark_stays_until_somebody_has_looked() -> None:
    before = ok(Reason.ON_MANAGED_CERTIFICATE_AUTHORITY, "as it was")

    assert associated(ASSOCIATED, None, said(before, ConditionType.ASSOCIATED)) == before
    assert associated(ASSOCIATED, None) == ASSOCIATED
