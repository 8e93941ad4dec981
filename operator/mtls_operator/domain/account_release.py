"""How a CA that is deleted is let go, and its certificate with it if nobody needs it.

Only a certificate whose name carries our mark is deleted (safety invariant 5).
"""

from __future__ import annotations

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_search import find, is_listed, is_there, looked_long_enough
from mtls_operator.domain.account_steps import ConfirmGone, DeleteCertificate, ReadCertificates
from mtls_operator.domain.account_upload import record
from mtls_operator.domain.certificates import bundle_fingerprint
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import RemoveFinalizer
from mtls_operator.domain.zone_places import FRESH_SECONDS


def release(account: Account, agenda: Agenda, demand: Demand) -> None:
    if demand.used_by or not demand.has_finalizer:
        return
    if demand.retains and not demand.pending_upload:
        agenda.steps.append(RemoveFinalizer(demand.authority))
    elif demand.certificate_id is not None:
        _give_back(account, agenda, demand, demand.certificate_id)
    elif demand.pending_upload:
        _find_pending(account, agenda, demand)
    else:
        agenda.steps.append(RemoveFinalizer(demand.authority))


def _find_pending(account: Account, agenda: Agenda, demand: Demand) -> None:
    fingerprint = bundle_fingerprint(demand.pending_upload)
    since = account.known.sent.get(fingerprint, account.known.started)
    if demand.token not in account.known.listings:
        agenda.steps.append(ReadCertificates(demand.authority))
    elif found := find(account, demand, fingerprint):
        if is_there(account, agenda, demand, found[0]):
            record(account, agenda, demand, found)
    elif looked_long_enough(account, agenda, demand, since):
        agenda.steps.append(RemoveFinalizer(demand.authority))


def _give_back(account: Account, agenda: Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    if demand.ownership is Ownership.ADOPTED or certificate_id in account.known.gone or _is_shared(account, demand):
        agenda.steps.append(RemoveFinalizer(demand.authority))
    elif not is_listed(account, demand, account.now - FRESH_SECONDS):
        _list_when_due(account, agenda, demand, certificate_id)
    else:
        _delete(account, agenda, demand, certificate_id)


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


def _delete(account: Account, agenda: Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    known = account.known
    found = next((each for each in known.listed_by(demand.token) if each.id == certificate_id), None)
    refusals = known.refusals(certificate_id, account.now)
    if found is None:
        _confirm_gone(account, agenda, demand, certificate_id)
    elif certificate_owner(found.name) != account.owner:
        agenda.steps.append(RemoveFinalizer(demand.authority))
    elif refusals is not None and refusals[1] >= refusals[0] + account.timing.window:
        agenda.in_use_elsewhere.add(demand.authority)
        agenda.steps.append(RemoveFinalizer(demand.authority))
    elif refusals is not None and not is_listed(account, demand, refusals[1]):
        _list_when_due(account, agenda, demand, certificate_id)
    else:
        agenda.steps.append(DeleteCertificate(demand.authority, certificate_id))


def _confirm_gone(account: Account, agenda: Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    believed_at = max(account.known.started, account.known.last_upload) + account.timing.window
    if account.now >= believed_at:
        agenda.steps.append(ConfirmGone(demand.authority, certificate_id))
    else:
        agenda.wakes.append(believed_at)


def _is_shared(account: Account, demand: Demand) -> bool:
    """Whether another CA resource of this cluster that stays, or that bindings still use, has the same certificate."""
    return any(
        other.authority != demand.authority
        and other.certificate_id == demand.certificate_id
        and (not other.deleting or other.used_by)
        for other in account.demands
    )
