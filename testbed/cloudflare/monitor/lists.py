"""Invariant 3: a hostname leaves a list only when it was given up, and what others need stays."""

from __future__ import annotations

from testbed.cloudflare.monitor.actions import Association
from testbed.cloudflare.monitor.case import Case, Findings
from testbed.cloudflare.monitor.truth import ClaimedPlace, Place


def judge_removals(case: Case) -> Findings:
    """Judges what a PUT took off the list, in truth.

    | the hostname is                                              | may go                     |
    |--------------------------------------------------------------|----------------------------|
    | named by a mark that nobody can read                         | no                         |
    | claimed `arriving` or `held` by another, for long enough     | no                         |
    | claimed `leaving` by anybody, now or until a moment ago      | yes                        |
    | claimed in another way, or claimed once                      | no                         |
    | never claimed (foreign)                                      | no, unless it is brand-new |
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
    sightings, long_ago = case.sightings, case.now - case.patience.rival_claims
    if sightings.unreadable_since(zone_id, hostname) <= long_ago:
        return "a mark that nobody can read names it"
    claims = sightings.claims_on(place)
    for claim, since in claims.items():
        if _is_rival(case, claim) and since <= long_ago:
            return f"{claim.owner} claims it as {claim.state}"
    if any(claim.state == "leaving" for claim in claims) or sightings.released_at(place) > long_ago:
        return None
    if claims or sightings.was_ever_claimed(place):
        return "nobody claims it as leaving"
    return "it is foreign, no installation ever claimed it" if case.known(sightings.listed_since(place)) else None


def _is_rival(case: Case, claim: ClaimedPlace) -> bool:
    return claim.state != "leaving" and not case.is_own(claim.owner)
