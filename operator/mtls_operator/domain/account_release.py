"""How a CA that is deleted is let go: first what is left of earlier objects, then the current one.

One whose status names nothing may have lost it: what is its own is looked for before.
"""

from __future__ import annotations

from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_disposal import Disposal, dispose
from mtls_operator.domain.account_recall import recall
from mtls_operator.domain.account_steps import ClearPendingUpload, ReadCertificates, RecordRotation
from mtls_operator.domain.account_upload import is_announced_settled
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import RemoveFinalizer
from mtls_operator.domain.rotation import without_object


def release(account: Account, agenda: Agenda, demand: Demand) -> None:
    """Let a CA go when no binding uses it any more, and nothing of it is left that is ours to remove."""
    if not demand.has_finalizer:
        return
    if demand.is_forgotten and (demand.used_by or not demand.retains):
        recall(account, agenda, demand)
    elif demand.used_by:
        return
    elif demand.pending_upload:
        _settle_pending(account, agenda, demand)
    elif demand.retains:
        _leave(account, agenda, demand)
    elif demand.standing.objects:
        for certificate_id in demand.standing.objects:
            discard(account, agenda, demand, certificate_id)
    else:
        (current,) = demand.objects
        disposal = dispose(account, agenda, demand, current)
        if disposal is Disposal.KEPT:
            agenda.in_use_elsewhere.add(demand.authority)
        if disposal is not Disposal.PENDING:
            agenda.steps.append(RemoveFinalizer(demand.authority))


def _leave(account: Account, agenda: Agenda, demand: Demand) -> None:
    """Let go of a CA whose certificate stays, when every listing shows it: who wants the same next, be it another
    process, finds it and does not upload it again (safety invariant 7)."""
    is_new = demand.certificate_id in account.known.uploaded
    shown_at = account.known.last_upload + account.timing.window if is_new else account.now
    if account.now < shown_at:
        agenda.wakes.append(shown_at)
    else:
        agenda.steps.append(RemoveFinalizer(demand.authority))


def discard(account: Account, agenda: Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    """Delete an earlier object that no binding uses, and strike it from the status once it is gone, or stays."""
    disposal = dispose(account, agenda, demand, certificate_id)
    if disposal is Disposal.PENDING:
        return
    left = without_object(demand.standing, certificate_id)
    kept = certificate_id if disposal is Disposal.KEPT else None
    agenda.steps.append(RecordRotation(demand.authority, left.rotation, left.retiring, kept))


def _settle_pending(account: Account, agenda: Agenda, demand: Demand) -> None:
    if demand.token not in account.known.listings:
        agenda.steps.append(ReadCertificates(demand.authority))
    elif is_announced_settled(account, agenda, demand):
        none_there = demand.certificate_id is None
        agenda.steps.append((RemoveFinalizer if none_there else ClearPendingUpload)(demand.authority))
