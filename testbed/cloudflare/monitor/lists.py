"""Invariant 3: a hostname leaves a list only when it was given up, and what others need stays."""

from __future__ import annotations

from testbed.cloudflare.monitor.actions import Association
from testbed.cloudflare.monitor.case import Case, Findings
from testbed.cloudflare.monitor.truth import ClaimedPlace, Place


def judge_removals(case: Case) -> Findings:
    """Judges what a PUT took off the list, in truth.

    | the hostname is                                                  | may go                            |
    |------------------------------------------------------------------|-----------------------------------|
    | named by a mark that nobody can read                             | no                                |
    | claimed `arriving` or `held` by another, for long enough to know | no                                |
    | claimed `leaving` by anybody, now or until a moment ago          | yes                               |
    | claimed `arriving` or `held` by the caller                       | no                                |
    | anything else: foreign, or once claimed                          | if it came on the list just now   |

    The last line is the race that nobody can win: a list that was read before the hostname came, and written after.
    """
    action = case.action
    if not isinstance(action, Association) or not action.writes:
        return
    key = action.zone_id, action.certificate_id
    for hostname in sorted(case.before.hostnames(*key) - case.after.hostnames(*key)):
        why = _why_it_stays(case, (*key, hostname))
        if why is not None:
            yield 3, f"{case.owner} takes {hostname} off the list of certificate {action.certificate_id}: {why}"


def _why_it_stays(case: Case, place: Place) -> str | None:
    zone_id, _, hostname = place
    if case.sightings.unreadable_since(zone_id, hostname) <= case.long_ago:
        return "a mark that nobody can read names it"
    claims = case.sightings.claims_on(place)
    for claim, since in claims.items():
        if _is_rival(case, claim) and since <= case.long_ago:
            return f"{claim.owner} claims it as {claim.state}"
    if any(claim.state == "leaving" for claim in claims) or case.sightings.released_at(place) > case.long_ago:
        return None
    if any(case.is_own(claim.owner) and since <= case.sent for claim, since in claims.items()):
        return "it claims it itself"
    return _why_nobody_gave_it_up(case, place)


def _why_nobody_gave_it_up(case: Case, place: Place) -> str | None:
    if not case.known(case.sightings.listed_since(place)):
        return None
    if case.sightings.was_ever_claimed(place):
        return "nobody claims it as leaving"
    return "it is foreign, no installation ever claimed it"


def _is_rival(case: Case, claim: ClaimedPlace) -> bool:
    return claim.state != "leaving" and not case.is_own(claim.owner)
