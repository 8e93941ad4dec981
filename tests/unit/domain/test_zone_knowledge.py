"""What is remembered of a zone, and what is believed of a reading."""

from __future__ import annotations

from mtls_operator.domain.marks import Claim, ClaimState, Installation, claim_body
from mtls_operator.domain.observed import CertificateId, Rule, Ruleset
from mtls_operator.domain.zone_knowledge import ZoneKnowledge, nothing_known

US = Installation("us", "11111111-2222-4333-8444-555555555555")
OTHERS = Installation("them", "99999999-2222-4333-8444-555555555555")
CERTIFICATE = CertificateId("aaaaaaaa-0000-4000-8000-000000000000")
API = "api.example.com"
PLACE = (CERTIFICATE, API)
WINDOW = 90.0
ARRIVING, HELD, LEAVING = ClaimState.ARRIVING, ClaimState.HELD, ClaimState.LEAVING


def ruleset(version: int, *states: ClaimState, by: Installation = US) -> Ruleset:
    """A ruleset in which the hostname is claimed in these states."""
    claims = [
        Claim(by, state, frozenset({CERTIFICATE}), frozenset({API}), frozenset(), frozenset()) for state in states
    ]
    return Ruleset("set", version, tuple(Rule(f"rule-{n}", claim_body(c, f"ref-{n}")) for n, c in enumerate(claims)))


def written(known: ZoneKnowledge, rules: Ruleset, now: float) -> ZoneKnowledge:
    return known.with_rules_written(rules, begun=now - 1, now=now, us=US)


def read(known: ZoneKnowledge, rules: Ruleset | None, begun: float) -> ZoneKnowledge:
    return known.with_rules_read(rules, begun=begun, now=begun + 1, us=US, window=WINDOW)


def version(known: ZoneKnowledge) -> int | None:
    return known.rules.value.version if known.rules and known.rules.value else None


def test_a_ruleset_older_than_one_already_seen_changes_nothing() -> None:
    known = written(nothing_known(0.0), ruleset(5, HELD), now=10.0)

    assert read(known, ruleset(4), begun=20.0) is known
    assert read(known, None, begun=20.0) is known


def test_an_older_ruleset_is_believed_a_window_after_the_answer_that_showed_the_newer_one() -> None:
    known = written(nothing_known(0.0), ruleset(5), now=10.0)

    assert version(read(known, ruleset(4), begun=9.0 + WINDOW)) == 5
    assert version(read(known, ruleset(4), begun=10.0 + WINDOW)) == 4


def test_a_newer_ruleset_and_one_in_its_place_are_believed_at_once() -> None:
    known = written(nothing_known(0.0), ruleset(5), now=10.0)

    assert version(read(known, ruleset(6), begun=11.0)) == 6
    assert version(read(known, Ruleset("another", 1, ()), begun=11.0)) == 1


def test_our_rules_are_exact_after_an_answer_to_a_write_and_a_window_after_a_start_or_a_failure() -> None:
    started = read(nothing_known(100.0), ruleset(1), begun=101.0)
    failed = read(written(started, ruleset(2), now=110.0).with_rules_unknown(120.0), ruleset(2), begun=121.0)

    assert nothing_known(100.0).rules_exact_from(WINDOW) is None
    assert started.rules_exact_from(WINDOW) == 190.0
    assert read(started, ruleset(1), begun=190.0).rules_exact_from(WINDOW) is None
    assert written(started, ruleset(2), now=110.0).rules_exact_from(WINDOW) is None
    assert failed.rules_exact_from(WINDOW) == 210.0


def test_an_answer_to_a_later_write_does_not_say_what_becomes_of_one_that_may_be_carried_out_yet() -> None:
    lost = written(nothing_known(0.0), ruleset(1), now=10.0).with_rules_unknown(80.0)

    assert written(lost, ruleset(2), now=30.0).rules_exact_from(WINDOW) == 80.0 + WINDOW
    assert written(lost, ruleset(2), now=81.0).rules_exact_from(WINDOW) is None
    assert lost.with_rules_unknown(70.0).rules_exact_from(WINDOW) == 80.0 + WINDOW


def test_after_a_failed_write_the_rules_must_be_read_and_nothing_counts_as_given_up() -> None:
    known = written(nothing_known(0.0), ruleset(1), now=10.0).with_released(frozenset({PLACE}))

    failed = known.with_rules_unknown(20.0)

    assert failed.rules_must_be_read
    assert failed.released == frozenset()


def listed(known: ZoneKnowledge, *hostnames: str, begun: float) -> ZoneKnowledge:
    return known.with_list_read(CERTIFICATE, frozenset(hostnames), begun)


def put(known: ZoneKnowledge, *hostnames: str, now: float) -> ZoneKnowledge:
    return known.with_list_written(CERTIFICATE, frozenset(hostnames), now)


def test_a_hostname_counts_as_put_from_the_first_write_on_while_it_stays_on_the_list() -> None:
    arriving = listed(written(nothing_known(0.0), ruleset(1, ARRIVING), now=10.0), begun=10.0)
    once = put(arriving, API, now=12.0)
    again = put(listed(once, API, begun=20.0), API, "www.example.com", now=22.0)

    assert again.put_since == {PLACE: 12.0}


def test_a_hostname_that_had_to_be_put_back_counts_anew() -> None:
    arriving = listed(written(nothing_known(0.0), ruleset(1, ARRIVING), now=10.0), begun=10.0)

    again = put(listed(put(arriving, API, now=12.0), begun=20.0), API, now=22.0)

    assert again.put_since == {PLACE: 22.0}


def test_what_was_put_before_we_claimed_it_does_not_count() -> None:
    unclaimed = put(listed(written(nothing_known(0.0), ruleset(1), now=10.0), API, begun=10.0), API, now=12.0)

    assert written(unclaimed, ruleset(2, ARRIVING), now=20.0).put_since == {}


def test_what_was_put_before_it_was_given_up_does_not_count_when_it_is_taken_again() -> None:
    arriving = listed(written(nothing_known(0.0), ruleset(1, ARRIVING), now=10.0), begun=10.0)
    leaving = written(put(arriving, API, now=12.0), ruleset(2, LEAVING), now=20.0)

    assert written(leaving, ruleset(3, ARRIVING), now=30.0).put_since == {}


def test_a_claim_counts_from_when_it_was_first_seen() -> None:
    known = read(written(nothing_known(0.0), ruleset(1, ARRIVING), now=10.0), ruleset(2, ARRIVING), begun=50.0)

    assert known.claimed_since == {(CERTIFICATE, API, ARRIVING): 10.0}


def test_a_hostname_is_leaving_from_when_it_is_claimed_as_nothing_else() -> None:
    both = written(nothing_known(0.0), ruleset(1, ARRIVING, LEAVING), now=10.0)
    still_both = written(both, ruleset(2, ARRIVING, LEAVING), now=15.0)

    leaving = written(still_both, ruleset(3, LEAVING), now=20.0)

    assert still_both.claimed_since[(CERTIFICATE, API, LEAVING)] == 15.0
    assert written(leaving, ruleset(4, LEAVING), now=30.0).claimed_since[(CERTIFICATE, API, LEAVING)] == 15.0


def test_what_others_claim_is_not_ours() -> None:
    known = written(nothing_known(0.0), ruleset(1, ARRIVING, by=OTHERS), now=10.0)

    assert known.claimed_since == {}


def test_a_hostname_taken_off_counts_from_the_first_write_without_it_unless_it_came_back() -> None:
    leaving = listed(written(nothing_known(0.0), ruleset(1, LEAVING), now=10.0), API, begun=10.0)
    off = put(leaving, now=12.0)

    assert put(listed(off, begun=20.0), now=22.0).taken_off_since == {PLACE: 12.0}
    assert put(listed(off, API, begun=20.0), now=22.0).taken_off_since == {PLACE: 22.0}


def test_a_hostname_that_is_claimed_again_is_no_longer_taken_off_or_given_up() -> None:
    leaving = listed(written(nothing_known(0.0), ruleset(1, LEAVING), now=10.0), API, begun=10.0)
    released = put(leaving, now=12.0).with_released(frozenset({PLACE}))

    again = written(released, ruleset(2, ARRIVING), now=20.0)

    assert released.released == {PLACE}
    assert again.released == frozenset()
    assert again.taken_off_since == {}


def test_after_a_lost_write_of_a_list_nothing_of_that_list_is_known() -> None:
    other = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
    arriving = listed(written(nothing_known(0.0), ruleset(1, ARRIVING), now=10.0), begun=10.0)
    known = put(arriving, API, now=12.0).with_list_read(other, frozenset(), 13.0)

    lost = known.with_list_write_lost(CERTIFICATE, 5.0)

    assert set(lost.lists) == {other}
    assert lost.put_since == {}


def test_what_is_put_on_one_list_is_not_undone_on_another() -> None:
    elsewhere = CertificateId("bbbbbbbb-0000-4000-8000-000000000000")
    known = written(nothing_known(0.0), ruleset(5, HELD), now=10.0)
    known = known.with_list_read(CERTIFICATE, frozenset(), 11.0).with_list_written(CERTIFICATE, frozenset({API}), 12.0)

    known = known.with_list_read(elsewhere, frozenset(), 13.0).with_list_written(elsewhere, frozenset({API}), 14.0)

    assert known.undone == {}
    assert known.put_back == {PLACE}


def test_all_claims_gone_from_one_reading_to_the_next_were_taken_by_somebody_unless_a_write_of_ours_was_lost() -> None:
    known = written(nothing_known(0.0), ruleset(5, HELD), now=10.0)
    in_doubt = known.with_rules_unknown(20.0)
    started = read(nothing_known(0.0), ruleset(5, HELD), begun=1.0)

    assert read(known, ruleset(6), begun=30.0).bereft
    assert not read(in_doubt, ruleset(6), begun=30.0).bereft
    assert not read(started, ruleset(6), begun=30.0).bereft


def test_what_was_taken_is_known_until_it_is_noted_or_seen_again() -> None:
    known = read(written(nothing_known(0.0), ruleset(5, HELD), now=10.0), ruleset(6), begun=30.0)

    assert read(known, ruleset(7), begun=40.0).bereft
    assert not known.with_replaced(40.0).bereft
    assert not read(known, ruleset(7, HELD), begun=40.0).bereft


def test_what_the_process_before_us_claimed_shows_a_window_after_the_start_or_in_the_answer_to_a_write() -> None:
    early = read(nothing_known(100.0), ruleset(1), begun=101.0)
    late = read(early, ruleset(1), begun=100.0 + WINDOW)

    assert nothing_known(100.0).shows_predecessor_from(WINDOW) is None
    assert early.shows_predecessor_from(WINDOW) == 100.0 + WINDOW
    assert late.shows_predecessor_from(WINDOW) is None
    assert written(early, ruleset(2), now=102.0).shows_predecessor_from(WINDOW) is None
    assert late.with_rules_unknown(200.0).shows_predecessor_from(WINDOW) is None
