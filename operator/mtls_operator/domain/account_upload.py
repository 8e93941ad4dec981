"""How a CA comes to its certificate: an identical one is used, else one is announced and uploaded, once."""

from __future__ import annotations

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_adoption import is_adoption_refused
from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_knowledge import occupants
from mtls_operator.domain.account_search import Found, find, is_listed, is_there, looked_long_enough
from mtls_operator.domain.account_steps import ReadCertificates, RecordCertificate, RecordPendingUpload, Upload
from mtls_operator.domain.certificates import Bundle, bundle_fingerprint
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.records import AddFinalizer
from mtls_operator.domain.resync import SHORTEST_SECONDS
from mtls_operator.domain.zone_places import FRESH_SECONDS


def obtain(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> None:
    if is_adoption_refused(account, agenda, demand, bundle.fingerprint):
        return
    if not is_listed(account, demand, account.now - FRESH_SECONDS):
        agenda.steps.append(ReadCertificates(demand.authority))
    elif not _is_announced_settled(account, agenda, demand, bundle):
        return
    elif found := find(account, demand, bundle.fingerprint):
        if is_there(account, agenda, demand, found[0]):
            record(account, agenda, demand, found)
    elif _is_missing(account, agenda, demand, bundle):
        _upload(account, agenda, demand, bundle)


def _is_announced_settled(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> bool:
    """Whether nothing is left of an upload that was announced before the source changed: what was sent is found and
    used, or was never made. Whatever else is recorded would make it nobody's."""
    if demand.pending_upload in (frozenset(), bundle.fingerprints):
        return True
    announced = bundle_fingerprint(demand.pending_upload)
    if found := find(account, demand, announced):
        if is_there(account, agenda, demand, found[0]):
            record(account, agenda, demand, found)
        return False
    return looked_long_enough(account, agenda, demand, account.known.sent.get(announced, account.known.started))


def _is_missing(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> bool:
    """Whether the account does not hold the bundle, though it may have been sent or another CA of ours relies on it:
    that is believed after a window."""
    relied_on = any(
        each.certificate_id and each.bundle and each.bundle.fingerprint == bundle.fingerprint
        for each in account.demands
    )
    since = account.known.sent.get(bundle.fingerprint, account.known.started if relied_on else None)
    return since is None or looked_long_enough(account, agenda, demand, since)


def hold(agenda: Agenda, demand: Demand) -> None:
    if not demand.has_finalizer:
        agenda.steps.append(AddFinalizer(demand.authority))


def look(account: Account, agenda: Agenda, demand: Demand) -> None:
    """List the account now and then, without any other reason."""
    if not is_listed(account, demand, account.now - SHORTEST_SECONDS):
        agenda.steps.append(ReadCertificates(demand.authority))


def hold_what_it_has(agenda: Agenda, demand: Demand) -> None:
    """The finalizer alone, of a CA that something may have been made for."""
    if demand.certificate_id is not None or demand.pending_upload:
        hold(agenda, demand)


def record(account: Account, agenda: Agenda, demand: Demand, found: Found) -> None:
    hold(agenda, demand)
    certificate, bundle = found
    ours = certificate_owner(certificate.name) == account.owner
    ownership = Ownership.CREATED if ours else Ownership.ADOPTED
    agenda.steps.append(RecordCertificate(demand.authority, certificate.id, ownership, bundle))


def _upload(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> None:
    if bundle.fingerprint in agenda.uploading:
        return
    if len(occupants(account.known.listed_by(demand.token))) + len(agenda.uploading) >= account.limit:
        agenda.without_slot.add(demand.authority)
        agenda.wakes.append(account.now + account.timing.window)
        return
    agenda.uploading.add(bundle.fingerprint)
    hold(agenda, demand)
    if demand.pending_upload != bundle.fingerprints:
        agenda.steps.append(RecordPendingUpload(demand.authority, bundle))
    agenda.steps.append(Upload(demand.authority, bundle, demand.name))
