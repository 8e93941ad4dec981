"""What the listings of an account prove: that a certificate is there, or that it is not.

Negative evidence counts late: "was never created" and "is gone" are believed a consistency window after our last write
at the earliest, after a start a window after the start. A listing counts only for those who would have been given it:
each token lists for itself (safety invariant 12).
"""

from __future__ import annotations

from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_knowledge import occupants
from mtls_operator.domain.account_steps import ReadCertificates
from mtls_operator.domain.certificates import Bundle, uploaded_bundle
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import Certificate, CertificateId

Found = tuple[Certificate, Bundle]
"""A certificate of the account and what it holds."""


def is_there(account: Account, agenda: Agenda, demand: Demand, certificate: Certificate) -> bool:
    """Whether a listed certificate can be relied on. One of ours that no other CA uses may have been deleted by the
    process before us, and still be listed for a window."""
    used = any(each.certificate_id == certificate.id and not each.deleting for each in account.demands)
    ours = certificate_owner(certificate.name) == account.owner
    believed_at = account.known.started + account.timing.window
    if used or not ours or certificate.id in account.known.uploaded or is_listed(account, demand, believed_at):
        return True
    if account.now >= believed_at:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(believed_at)
    return False


def looked_long_enough(account: Account, agenda: Agenda, demand: Demand, since: float) -> bool:
    """Whether the account was listed a window after something, by a token that has listed it before."""
    believed_at = since + account.timing.window
    if is_listed(account, demand, believed_at):
        return True
    begun = account.known.listings[demand.token].begun
    again = min(believed_at, begun + max(account.timing.poll, (begun - since) / 2))
    if begun < since or account.now >= again:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(again)
    return False


def find(account: Account, demand: Demand, fingerprint: str) -> Found | None:
    """The account's certificate of a bundle that the CA may use."""
    found = find_marked_or_not(account, demand, fingerprint)
    return found if found is None or demand.adopts or certificate_owner(found[0].name) is not None else None


def find_marked_or_not(account: Account, demand: Demand, fingerprint: str) -> Found | None:
    """The account's certificate of a bundle: matched by its certificates, never by name or text. One with our mark
    comes first, then one of another installation."""
    listed = [(each, uploaded_bundle(each.pem)) for each in occupants(account.known.listed_by(demand.token))]
    matching = [(each, bundle) for each, bundle in listed if bundle and bundle.fingerprint == fingerprint]

    def rank(each: Found) -> tuple[bool, bool, CertificateId]:
        owner = certificate_owner(each[0].name)
        return owner != account.owner, owner is None, each[0].id

    return min(matching, key=rank, default=None)


def is_listed(account: Account, demand: Demand, after: float) -> bool:
    listing = account.known.listings.get(demand.token)
    return listing is not None and listing.begun >= after
