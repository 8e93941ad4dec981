"""How an object that a CA needs no more goes from the account, if nobody else needs it.

| the object                                      | what becomes of it                                              |
|-------------------------------------------------|-----------------------------------------------------------------|
| is gone: deleted by us, or 404                  | nothing                                                         |
| another CA of this cluster has it               | stays                                                           |
| another installation claims it in some zone     | stays; the last one that uses it deletes it                     |
| its name carries no mark of this operator       | stays (safety invariant 5)                                      |
| its name carries a mark, whosever               | is deleted                                                      |
| the same, refused as in use for a window        | stays: somebody uses it whom we do not know                     |
| is not listed                                   | is asked for by its id; only 404 proves that it is gone         |
"""

from __future__ import annotations

from enum import Enum, auto

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_search import confirm_gone, is_listed, is_listed_afresh
from mtls_operator.domain.account_steps import DeleteCertificate, ReadCertificates
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import Certificate, CertificateId


class Disposal(Enum):
    """How far it is with an object that is needed no more."""

    PENDING = auto()
    """Something is to be done, or waited for."""
    DONE = auto()
    """It is gone, or it is not ours to remove."""
    KEPT = auto()
    """It stays, because somebody uses it whom we do not know."""


def dispose(account: Account, agenda: Agenda, demand: Demand, certificate_id: CertificateId) -> Disposal:
    """What to do next about an object that its CA needs no more."""
    if certificate_id in account.known.gone or _is_needed(account, demand, certificate_id):
        return Disposal.DONE
    if certificate_id == demand.certificate_id and demand.ownership is Ownership.ADOPTED:
        return Disposal.DONE
    if not is_listed_afresh(account, demand):
        _list_when_due(account, agenda, demand, certificate_id)
        return Disposal.PENDING
    listed = account.known.listed_by(demand.token)
    found = next((each for each in listed if each.id == certificate_id), None)
    if found is None:
        confirm_gone(account, agenda, demand, certificate_id)
        return Disposal.PENDING
    return _delete(account, agenda, demand, found)


def _delete(account: Account, agenda: Agenda, demand: Demand, found: Certificate) -> Disposal:
    if certificate_owner(found.name) is None:
        return Disposal.DONE
    refusals = account.known.refusals(found.id, account.now)
    if refusals is not None and refusals[1] >= refusals[0] + account.timing.window:
        return Disposal.KEPT
    if refusals is not None and not is_listed(account, demand, refusals[1]):
        _list_when_due(account, agenda, demand, found.id)
    else:
        agenda.steps.append(DeleteCertificate(demand.authority, found.id))
    return Disposal.PENDING


def _list_when_due(account: Account, agenda: Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    """After a refusal the next try waits, longer and longer up to a minute."""
    again = account.now
    if refusals := account.known.refusals(certificate_id, account.now):
        since, last = refusals
        again = last + min(60.0, max(10 * account.timing.poll, last - since))
    if account.now >= again:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(again)


def _is_needed(account: Account, demand: Demand, certificate_id: CertificateId) -> bool:
    """Whether another CA resource of this cluster that stays, is laid aside, or is still used by bindings, has the
    object, or another installation says that it relies on it."""
    return certificate_id in demand.claimed_by_others or any(
        other.authority != demand.authority
        and certificate_id in other.objects
        and (not other.deleting or other.used_by or other.idle)
        for other in account.demands
    )
