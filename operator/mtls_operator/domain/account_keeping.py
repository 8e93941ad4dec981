"""A CA that has its certificate: it is there, and it is what the source asks for, or becomes so by a rotation.

| the CA                                          | next                                                            |
|-------------------------------------------------|-----------------------------------------------------------------|
| has no valid source, or may not be acted on     | nothing: what is in force stays                                 |
| readings of it are doubted                      | list                                                            |
| an object of it is not listed                   | ask for it by its id                                            |
| announced an upload that is wanted no more      | find and use it, or strike the announcement after a window      |
| the source holds other certificates             | record the rotation (`rotation.after_change`)                   |
| another object has to be current, or it is gone | find or upload one (`account_upload`), record it                |
| the next phase has come                         | record it                                                       |
| an earlier object that no binding uses          | delete it (`account_disposal`), strike it                       |
"""

from __future__ import annotations

from mtls_operator.api.certificate_authority import RotationPhase
from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_release import discard
from mtls_operator.domain.account_search import (
    certificates_by_fingerprint,
    confirm_gone,
    contents_by_id,
    find,
    is_listed,
    is_listed_afresh,
)
from mtls_operator.domain.account_steps import ClearPendingUpload, RecordRotation
from mtls_operator.domain.account_upload import is_announced_settled, list_again, obtain
from mtls_operator.domain.certificates import Bundle, CaCertificate
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.rotation import (
    Standing,
    after_change,
    after_phase,
    has_changed,
    is_current_enough,
    wanted_in_force,
)


def keep(account: Account, agenda: Agenda, demand: Demand, current: CertificateId) -> None:
    """Keep a CA's certificate in the account, and bring about what its source holds."""
    source = demand.bundle
    if source is None:
        return
    if _must_be_listed(account, demand, source, current):
        list_again(account, agenda, demand, _lacking(account, demand, source, current))
        return
    if unseen := _unseen(account, demand):
        for certificate_id in unseen:
            confirm_gone(account, agenda, demand, certificate_id)
        return
    lacking = _lacking(account, demand, source, current)
    _pursue(account, agenda, demand, source, lacking)
    for certificate_id in demand.standing.objects:
        if certificate_id not in demand.occupied and not _holds(account, demand, certificate_id, lacking):
            discard(account, agenda, demand, certificate_id)


def _pursue(account: Account, agenda: Agenda, demand: Demand, source: Bundle, lacking: Bundle | None) -> None:
    standing, now = demand.standing, account.now
    expected = lacking.fingerprints if lacking else frozenset[str]()
    if demand.pending_upload not in (frozenset(), expected):
        if is_announced_settled(account, agenda, demand):
            agenda.steps.append(ClearPendingUpload(demand.authority))
    elif has_changed(standing, source):
        contents = contents_by_id(account, demand)
        _record(agenda, demand, after_change(standing, source, now, demand.overlap, contents))
    elif lacking is not None:
        obtain(account, agenda, demand, lacking)
    elif later := after_phase(standing, now, demand.overlap, in_force_everywhere=not demand.behind):
        _record(agenda, demand, later)
    elif standing.rotation is not None and standing.rotation.phase is RotationPhase.OVERLAP:
        agenda.wakes.append(standing.retires_last)


def _record(agenda: Agenda, demand: Demand, standing: Standing) -> None:
    agenda.steps.append(RecordRotation(demand.authority, standing.rotation, standing.retiring))


def _must_be_listed(account: Account, demand: Demand, source: Bundle, current: CertificateId) -> bool:
    """Whether something has to be decided on what the account holds now, or on what it holds since it is doubted."""
    wanted = _wanted(account, demand, source)
    changed = has_changed(demand.standing, source)
    undecided = bool(demand.standing.objects) if changed else not is_current_enough(demand.standing, wanted)
    if undecided or demand.pending_upload or current in account.known.gone:
        return not is_listed_afresh(account, demand)
    return account.known.doubted > account.known.started and not is_listed(account, demand, account.known.doubted)


def _unseen(account: Account, demand: Demand) -> list[CertificateId]:
    """Objects of the CA that the listing lacks, if there is one, and that may still be there."""
    if demand.token not in account.known.listings:
        return []
    listed = {each.id for each in account.known.listed_by(demand.token)} | account.known.gone
    return [each for each in demand.objects if each not in listed]


def _lacking(account: Account, demand: Demand, source: Bundle, current: CertificateId) -> Bundle | None:
    """What another object has to hold that becomes current; None when the current one does."""
    gone = current in account.known.gone
    wanted = _wanted(account, demand, source)
    if has_changed(demand.standing, source) or (is_current_enough(demand.standing, wanted) and not gone):
        return None
    bundle = Bundle((*source.certificates, *_accepted_still(account, demand, wanted - source.fingerprints)))
    return None if is_current_enough(demand.standing, bundle.fingerprints) and not gone else bundle


def _accepted_still(account: Account, demand: Demand, fingerprints: frozenset[str]) -> list[CaCertificate]:
    """The CAs of earlier sources that go into an object with the new ones. What no object of the account holds is in
    force no more, and by what has expired nobody is accepted, but Cloudflare would refuse the whole upload."""
    known = certificates_by_fingerprint(account, demand)
    return [
        known[each] for each in sorted(fingerprints & known.keys()) if known[each].not_after.timestamp() > account.now
    ]


def _wanted(account: Account, demand: Demand, source: Bundle) -> frozenset[str]:
    return wanted_in_force(demand.standing, source, account.now, side_by_side=demand.side_by_side)


def _holds(account: Account, demand: Demand, certificate_id: CertificateId, bundle: Bundle | None) -> bool:
    """Whether an earlier object is the one that is about to become current again."""
    found = find(account, demand, bundle.fingerprint) if bundle else None
    return found is not None and found[0].id == certificate_id
