"""Invariants 2, 5 and 7 on certificates: nothing in use or of somebody else is deleted, nothing is uploaded twice."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.cloudflare.monitor.actions import CertificateDeletion, Upload
from testbed.cloudflare.monitor.case import Case, Findings
from testbed.cloudflare.monitor.marks import certificate_owner, owner_of
from testbed.cloudflare.monitor.truth import ClaimedPlace, claims, fingerprints, rules_of
from testbed.cloudflare.state import Certificate


class Uploads:
    """Remembers which installation uploaded which certificate, whatever name it gave it."""

    def __init__(self) -> None:
        self._uploaders: dict[str, str] = {}

    def judge(self, case: Case) -> Findings:
        """Invariant 7: a second upload of the same certificates, also when it was refused."""
        if not isinstance(case.action, Upload):
            return
        wanted = fingerprints(case.action.pem or "")
        for certificate in case.before.certificates.get(case.action.account_id, {}).values():
            if wanted and wanted == frozenset(certificate.fingerprints) and self._is_of(case.owner, certificate):
                yield 7, f"{case.owner} uploads again what it has uploaded as certificate {certificate.id}"
        self._note(case, case.action.account_id)

    def _is_of(self, owner: str, certificate: Certificate) -> bool:
        return owner in {certificate_owner(certificate.name), self._uploaders.get(certificate.id)}

    def _note(self, case: Case, account_id: str) -> None:
        old, new = (state.certificates.get(account_id, {}) for state in (case.before, case.after))
        self._uploaders.update(dict.fromkeys(new.keys() - old.keys(), case.owner))


def judge_deletion(case: Case) -> Findings:
    """Invariants 2 and 5: what may not be deleted, also when the deletion was refused."""
    action = case.action
    if not isinstance(action, CertificateDeletion):
        return
    certificate = case.before.certificates.get(action.account_id, {}).get(action.certificate_id)
    if certificate is None:
        return
    if certificate_owner(certificate.name) is None:
        yield 5, f"{case.owner} deletes certificate {certificate.id}, whose name {certificate.name!r} has no mark"
    for claim in _claims_on(case, certificate.id):
        if case.is_own(claim.owner) and claim.hostname in case.before.hostnames(claim.zone_id, certificate.id):
            yield 2, f"{case.owner} deletes certificate {certificate.id} while its {claim.hostname} is on its list"
        if not case.is_own(claim.owner) and claim.state != "leaving" and _had_to_be_known(case, claim):
            yield (
                5,
                (f"{case.owner} deletes certificate {certificate.id}, which {claim.owner} claims for {claim.hostname}"),
            )


def _claims_on(case: Case, certificate_id: str) -> Iterator[ClaimedPlace]:
    for zone_id in case.before.rulesets:
        for claim in claims(case.before, zone_id):
            if claim.certificate_id == certificate_id:
                yield claim


def _had_to_be_known(case: Case, claim: ClaimedPlace) -> bool:
    """An installation reads the rules of zones in which it has something. Of claims elsewhere it hears only that the
    certificate is in use, a window after the hostname is on the list, until somebody takes it off."""
    may_be_unheard = claim.zone_id in case.excused or (claim.state == "arriving" and not case.hears_of_arrivals)
    is_said_to_be_used = case.known(case.sightings.listed_since(claim.place))
    has_marks_there = any(case.is_own(owner_of(rule)) for rule in rules_of(case.before, claim.zone_id))
    if may_be_unheard and not is_said_to_be_used and not has_marks_there:
        return False
    return case.sightings.claims_on(claim.place).get(claim, case.now) <= case.long_ago
