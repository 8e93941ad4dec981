"""What the listings of an account prove: that a certificate is there, or that it is not.

Negative evidence counts late: "was never created" and "is gone" are believed a consistency window after our last write
at the earliest, after a start a window after the start, and "gone" never by an older state than one that was seen. An
upload without an answer, or of the process before us, may be under way for as long as a call takes besides. A listing
counts only for those who would have been given it: each token lists for itself (safety invariant 12).
"""

from __future__ import annotations

from collections.abc import Mapping

from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_knowledge import occupants
from mtls_operator.domain.account_steps import ConfirmGone, ReadCertificates
from mtls_operator.domain.certificates import Bundle, CaCertificate, bundle_fingerprint, uploaded_bundle
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.zone_places import FRESH_SECONDS

Found = tuple[Certificate, Bundle]
"""A certificate of the account and what it holds."""


def is_there(account: Account, agenda: Agenda, demand: Demand, certificate: Certificate) -> bool:
    """Whether a listed certificate can be relied on. One with a mark that nothing of ours relies on may have been
    deleted by the process before us, and still be listed for a window; and a deletion that nobody has answered may be
    carried out later still."""
    used = any(
        certificate.id in each.occupied or (each.certificate_id == certificate.id and not each.deleting)
        for each in account.demands
    )
    unmarked = certificate_owner(certificate.name) is None
    is_known = used or unmarked or certificate.id in account.known.uploaded
    lost = account.known.deletions_lost.get(certificate.id)
    since = account.known.started if lost is None else lost + account.timing.slow_call
    believed_at = since + account.timing.window
    if (is_known and lost is None) or is_listed(account, demand, believed_at):
        return True
    if account.now >= believed_at:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(believed_at)
    return False


def looked_long_enough(account: Account, agenda: Agenda, demand: Demand, fingerprint: str, since: float) -> bool:
    """Whether the account was listed a window after something that may have made an object with a bundle, by a token
    that has listed it before. An upload that nobody has answered may be carried out later still."""
    slow = account.timing.slow_call if fingerprint in account.known.unanswered else 0.0
    believed_at = since + slow + account.timing.window
    if is_listed(account, demand, believed_at):
        return True
    begun = account.known.listings[demand.token].begun
    again = min(believed_at, begun + max(account.timing.poll, (begun - since) / 2))
    if begun < since or account.now >= again:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(again)
    return False


def is_announced_missing(account: Account, agenda: Agenda, demand: Demand) -> bool:
    """Whether an upload that was announced was never made. Only where the account was listed."""
    announced = bundle_fingerprint(demand.pending_upload)
    since = account.known.sent.get(announced, account.known.started)
    return looked_long_enough(account, agenda, demand, announced, since)


def confirm_gone(account: Account, agenda: Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    """Ask for a certificate that the listing lacks, when an answer that there is none would prove it."""
    known = account.known
    seen = known.seen.get(certificate_id, known.started)
    believed_at = max(known.started, known.last_upload, seen) + account.timing.window
    if account.now >= believed_at:
        agenda.steps.append(ConfirmGone(demand.authority, certificate_id))
    else:
        agenda.wakes.append(believed_at)


def find(account: Account, demand: Demand, fingerprint: str) -> Found | None:
    """The account's certificate of a bundle that the CA may use."""
    found = find_marked_or_not(account, demand, fingerprint)
    return found if found is None or demand.adopts or certificate_owner(found[0].name) is not None else None


def find_marked_or_not(account: Account, demand: Demand, fingerprint: str) -> Found | None:
    """The account's certificate of a bundle: matched by its certificates, never by name or text. One with our mark
    comes first, then one of another installation."""
    matching = [each for each in _readable(account, demand) if each[1].fingerprint == fingerprint]

    def rank(each: Found) -> tuple[bool, bool, CertificateId]:
        owner = certificate_owner(each[0].name)
        return owner != account.owner, owner is None, each[0].id

    return min(matching, key=rank, default=None)


def marked_by(account: Account, demand: Demand, owner: str) -> list[Found]:
    """The account's certificates that an installation uploaded."""
    return [each for each in _readable(account, demand) if certificate_owner(each[0].name) == owner]


def certificates_by_fingerprint(account: Account, demand: Demand) -> Mapping[str, CaCertificate]:
    """Every CA certificate that the account holds, in whatever object."""
    return {each.fingerprint: each for _, bundle in _readable(account, demand) for each in bundle.certificates}


def contents_by_id(account: Account, demand: Demand) -> Mapping[CertificateId, frozenset[str]]:
    """What is in each object of the account, by fingerprints."""
    return {certificate.id: bundle.fingerprints for certificate, bundle in _readable(account, demand)}


def is_listed(account: Account, demand: Demand, after: float) -> bool:
    """Whether its token has listed the account since then."""
    listing = account.known.listings.get(demand.token)
    return listing is not None and listing.begun >= after


def is_listed_afresh(account: Account, demand: Demand) -> bool:
    """Whether its token has listed the account just now."""
    return is_listed(account, demand, account.now - FRESH_SECONDS)


def _readable(account: Account, demand: Demand) -> list[Found]:
    listed = [(each, uploaded_bundle(each.pem)) for each in occupants(account.known.listed_by(demand.token))]
    return [(each, bundle) for each, bundle in listed if bundle is not None]
