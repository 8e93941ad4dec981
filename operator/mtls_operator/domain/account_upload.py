"""How a CA comes to its certificate: an identical one is used, else one is announced and uploaded, once."""

from __future__ import annotations

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_adoption import is_adoption_refused
from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_knowledge import occupants
from mtls_operator.domain.account_search import (
    Found,
    find,
    is_announced_missing,
    is_listed,
    is_listed_afresh,
    is_there,
    looked_long_enough,
)
from mtls_operator.domain.account_steps import ReadCertificates, RecordCertificate, RecordPendingUpload, Upload
from mtls_operator.domain.certificates import Bundle, bundle_fingerprint
from mtls_operator.domain.marks import certificate_name, certificate_owner
from mtls_operator.domain.records import AddFinalizer
from mtls_operator.domain.resync import SHORTEST_SECONDS
from mtls_operator.domain.rotation import after_replacement

REFUSED_SECONDS = 3600.0
"""How long what Cloudflare said against a bundle is taken as its word."""


def obtain(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> None:
    """Bring it about that the CA has an object with these certificates as its current one."""
    if is_adoption_refused(account, agenda, demand, bundle.fingerprint):
        return
    if not is_listed_afresh(account, demand):
        list_again(account, agenda, demand, bundle)
    elif demand.pending_upload not in (frozenset(), bundle.fingerprints):
        if is_announced_settled(account, agenda, demand):
            _find_or_upload(account, agenda, demand, bundle)
    else:
        _find_or_upload(account, agenda, demand, bundle)


def list_again(account: Account, agenda: Agenda, demand: Demand, lacking: Bundle | None) -> None:
    """List the account for a CA that may lack an object with these certificates. That no slot is free for it, or that
    Cloudflare does not take it, is said until another listing tells otherwise: a look that finds the same is no
    news."""
    agenda.steps.append(ReadCertificates(demand.authority))
    if lacking is None or find(account, demand, lacking.fingerprint):
        return
    if not _has_slot(account, demand, 0):
        agenda.without_slot.add(demand.authority)
    elif account.now >= account.known.sent.get(lacking.fingerprint, float("-inf")) + account.timing.window:
        _is_refused(account, agenda, demand, lacking)


def is_announced_settled(account: Account, agenda: Agenda, demand: Demand) -> bool:
    """Whether nothing is left of an upload that was announced before something changed: what was sent is found and
    used, or was never made. Whatever else is recorded would make it nobody's."""
    if found := find(account, demand, bundle_fingerprint(demand.pending_upload)):
        if is_there(account, agenda, demand, found[0]):
            record(account, agenda, demand, found)
        return False
    return is_announced_missing(account, agenda, demand)


def hold(agenda: Agenda, demand: Demand) -> None:
    """See to it that the resource cannot vanish unseen."""
    if not demand.has_finalizer:
        agenda.steps.append(AddFinalizer(demand.authority))


def look(account: Account, agenda: Agenda, demand: Demand) -> None:
    """List the account now and then, without any other reason."""
    if not is_listed(account, demand, max(account.now - SHORTEST_SECONDS, account.known.doubted)):
        agenda.steps.append(ReadCertificates(demand.authority))


def halt(account: Account, agenda: Agenda, demand: Demand) -> None:
    """Write nothing, and look when a look is due. What another cluster does with our ownerId is seen in zones, so that
    it ends is noticed by looking again."""
    hold_what_it_has(agenda, demand)
    if not is_listed(account, demand, account.known.doubted):
        agenda.steps.append(ReadCertificates(demand.authority))
    agenda.wakes.append(account.now + account.timing.window)


def hold_what_it_has(agenda: Agenda, demand: Demand) -> None:
    """The finalizer alone, of a CA that something may have been made for."""
    if demand.certificate_id is not None or demand.pending_upload:
        hold(agenda, demand)


def record(account: Account, agenda: Agenda, demand: Demand, found: Found) -> None:
    """Make what was found the current object."""
    hold(agenda, demand)
    certificate, bundle = found
    marked = certificate_owner(certificate.name) is not None
    ownership = Ownership.CREATED if marked else Ownership.ADOPTED
    earlier = None if demand.certificate_id in account.known.gone else demand.certificate_id
    retiring = after_replacement(demand.standing, earlier, certificate.id, bundle.fingerprints, account.now)
    agenda.steps.append(RecordCertificate(demand.authority, certificate.id, ownership, bundle, retiring))


def _find_or_upload(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> None:
    if found := find(account, demand, bundle.fingerprint):
        if is_there(account, agenda, demand, found[0]):
            record(account, agenda, demand, (found[0], bundle))
    elif _is_missing(account, agenda, demand, bundle) and not _is_refused(account, agenda, demand, bundle):
        _upload(account, agenda, demand, bundle)


def _is_missing(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> bool:
    """Whether the account does not hold the bundle, though it may have been sent, or an object of ours may hold it that
    is not listed: that is believed after a window."""
    listed = {each.id for each in account.known.listed_by(demand.token)} | account.known.gone
    relied_on = any(
        (each.certificate_id is not None and each.standing.in_force == bundle.fingerprints)
        or not listed.issuperset(each.standing.objects)
        for each in account.demands
    )
    since = account.known.sent.get(bundle.fingerprint, account.known.started if relied_on else None)
    return since is None or looked_long_enough(account, agenda, demand, bundle.fingerprint, since)


def _is_refused(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> bool:
    """Whether Cloudflare does not take new and previous CAs in one object. What is not such a mixture is sent again:
    it is all that there is to send."""
    if demand.bundle is None or demand.bundle.fingerprints == bundle.fingerprints:
        return False
    why, said_at = account.known.uploads_refused.get(bundle.fingerprint, ("", float("-inf")))
    if account.now >= said_at + REFUSED_SECONDS:
        return False
    agenda.bundle_refused[demand.authority] = why
    agenda.wakes.append(said_at + REFUSED_SECONDS)
    return True


def _upload(account: Account, agenda: Agenda, demand: Demand, bundle: Bundle) -> None:
    if bundle.fingerprint in agenda.uploading:
        return
    if not _has_slot(account, demand, len(agenda.uploading)):
        agenda.without_slot.add(demand.authority)
        agenda.wakes.append(account.now + account.timing.window)
        return
    agenda.uploading.add(bundle.fingerprint)
    hold(agenda, demand)
    if demand.pending_upload != bundle.fingerprints:
        agenda.steps.append(RecordPendingUpload(demand.authority, bundle))
    name = certificate_name(demand.display_name, bundle.fingerprint, account.owner)
    agenda.steps.append(Upload(demand.authority, bundle, name))


def _has_slot(account: Account, demand: Demand, taken: int) -> bool:
    """Whether the last listing leaves a slot besides those that are taken since."""
    return len(occupants(account.known.listed_by(demand.token))) + taken < account.limit
