"""What belongs to a CA that is deleted, is held by our finalizer, and names nothing in its status, which may be lost.

A certificate is its own if it carries our mark, no other CA of the cluster has it in its status, and

- it holds what the CA's source does, or
- its name is the one under which the CA uploads just these certificates, or
- a binding that refers to the CA says that it has hostnames on its list.

That is recorded again, and then let go of like anything else. Marks alone start no removal: a resource has to name it.
"""

from __future__ import annotations

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_search import Found, is_there, looked_long_enough, marked_by
from mtls_operator.domain.account_steps import ReadCertificates, RecordCertificate
from mtls_operator.domain.marks import certificate_name
from mtls_operator.domain.records import RemoveFinalizer
from mtls_operator.domain.rotation import Retiring


def recall(account: Account, agenda: Agenda, demand: Demand) -> None:
    """Record again what is the CA's own, or let it go when there is nothing, and no binding may rely on it."""
    if demand.token not in account.known.listings:
        agenda.steps.append(ReadCertificates(demand.authority))
        return
    found = _own(account, demand)
    if found:
        if all(is_there(account, agenda, demand, certificate) for certificate, _ in found):
            _record(account, agenda, demand, found)
    elif not demand.used_by and _is_missing(account, agenda, demand):
        agenda.steps.append(RemoveFinalizer(demand.authority))


def _is_missing(account: Account, agenda: Agenda, demand: Demand) -> bool:
    """Whether there is nothing of it, though something may have been uploaded just before its status was lost."""
    fingerprint = demand.bundle.fingerprint if demand.bundle else ""
    since = max(account.known.started, account.known.last_upload)
    return looked_long_enough(account, agenda, demand, fingerprint, since)


def _record(account: Account, agenda: Agenda, demand: Demand, found: list[Found]) -> None:
    """One of them becomes the current object; the others are earlier ones, to be emptied and deleted."""
    (certificate, bundle), *others = found
    left = tuple(Retiring(frozenset(), account.now, certificate_id=each.id) for each, _ in others)
    agenda.steps.append(RecordCertificate(demand.authority, certificate.id, Ownership.CREATED, bundle, left))


def _own(account: Account, demand: Demand) -> list[Found]:
    """What is the CA's own, first what becomes current: while bindings use the CA one that they name, so that none of
    them has to move; else what its source holds now."""
    others = {each for other in account.demands if other is not demand for each in other.objects}
    marked = [each for each in marked_by(account, demand, account.owner) if each[0].id not in others]
    return sorted(
        (each for each in marked if _belongs(account, demand, each)),
        key=lambda each: (not _is_relied_on(demand, each), not _is_of_source(demand, each), each[0].id),
    )


def _belongs(account: Account, demand: Demand, found: Found) -> bool:
    certificate, bundle = found
    its_name = certificate_name(demand.display_name, bundle.fingerprint, account.owner)
    is_named = certificate.name == its_name or certificate.id in demand.named_by_users
    return is_named or _is_of_source(demand, found)


def _is_relied_on(demand: Demand, found: Found) -> bool:
    return bool(demand.used_by) and found[0].id in demand.named_by_users


def _is_of_source(demand: Demand, found: Found) -> bool:
    return demand.bundle is not None and demand.bundle.fingerprint == found[1].fingerprint
