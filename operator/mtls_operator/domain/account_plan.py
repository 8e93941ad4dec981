"""What to do next with the CA certificates of an account: demands x known -> steps.

| the CA resource                   | the account                           | next                                     |
|-----------------------------------|---------------------------------------|------------------------------------------|
| wants a bundle, has no id         | not listed yet                        | list                                     |
|                                   | holds the same certificates           | hold, record its id (adopt)              |
|                                   | lists them as ours, none knows of it  | the same, a window after the start       |
|                                   | does not, and nothing was sent        | hold, record the intent, upload          |
|                                   | does not, and something was sent, or  | list until the window is over, upload    |
|                                   | another CA of ours relies on them     |                                          |
| has an id                         |                                       | hold, should the finalizer be lost       |
| announced another bundle before   | its outcome is not known              | settle that first                        |
| deleted, bindings use it          |                                       | nothing (`InUse`)                        |
| deleted, nothing was ever sent    |                                       | let go                                   |
| deleted, sent but no id           | holds it                              | record its id, go on                     |
|                                   | does not, after the window            | let go                                   |
| deleted, its id adopted or shared |                                       | let go, the certificate stays            |
| deleted, its id uploaded by us    | holds it with our mark                | delete; refused as in use: again later   |
|                                   | does not, and says 404 for the id     | let go                                   |

Rules of this module, besides those of `zone_plan`:
- Negative evidence counts late: "was never created" and "is gone" are believed a consistency window after our last
  write at the earliest, after a start a window after the start.
- An upload is announced in the status (`pendingUpload`) before it is sent, so that a lost answer or a crash leads
  to looking, not to a second upload (safety invariant 7).
- Only a certificate whose name carries our mark is deleted (safety invariant 5).
- A listing counts only for those who would have been given it: each token lists for itself (safety invariant 12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mtls_operator.api.certificate_authority import Ownership
from mtls_operator.domain.account_steps import (
    AccountStep,
    ConfirmGone,
    DeleteCertificate,
    ReadCertificates,
    RecordCertificate,
    RecordPendingUpload,
    Upload,
)
from mtls_operator.domain.certificates import Bundle, bundle_fingerprint, uploaded_bundle
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.zone_knowledge import Reading
from mtls_operator.domain.zone_places import FRESH_SECONDS, Timing

_ONE_DELETION_SECONDS = 900.0
"""Longer than the engine ever pauses between two tries: refusals further apart are of two deletions."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one CA resource asks of its account, and what its status says of the past."""

    authority: ResourceKey
    token: str = ""
    """Names the token that acts for it."""
    bundle: Bundle | None = None
    """The certificates of the source; None when there are none to act on (unreadable, refused, not served)."""
    name: str = ""
    """The name to upload under, with our mark."""
    certificate_id: CertificateId | None = None
    ownership: Ownership = Ownership.CREATED
    pending_upload: frozenset[str] = frozenset()
    has_finalizer: bool = False
    deleting: bool = False
    used_by: tuple[ResourceKey, ...] = ()
    """Bindings that refer to it or own hostnames on its lists."""


@dataclass(frozen=True, slots=True)
class AccountKnowledge:
    """What this process knows of an account's certificates. Times as in `zone_knowledge`."""

    started: float
    listings: Mapping[str, Reading[tuple[Certificate, ...]]] = field(default_factory=dict)
    """The account's certificates as each token lists them."""
    sent: Mapping[str, float] = field(default_factory=dict)
    """When an upload was sent, by bundle fingerprint: a listing may not show it for a window, whatever its outcome."""
    last_upload: float = float("-inf")
    """When the last one was sent or answered."""
    uploaded: frozenset[CertificateId] = frozenset()
    """Uploaded by this process, so not deleted by the one before it."""
    gone: frozenset[CertificateId] = frozenset()
    """Deleted by us, or 404."""
    refused_since: Mapping[CertificateId, float] = field(default_factory=dict)
    """Since when a deletion is refused as in use."""
    refused_last: Mapping[CertificateId, float] = field(default_factory=dict)

    def listed_by(self, token: str) -> tuple[Certificate, ...]:
        """What the token listed last, but for what is gone since; nothing when it has not listed yet."""
        listing = self.listings.get(token)
        return tuple(each for each in listing.value if each.id not in self.gone) if listing else ()

    def with_listing(self, token: str, certificates: tuple[Certificate, ...], begun: float) -> AccountKnowledge:
        return replace(self, listings={**self.listings, token: Reading(certificates, begun)})

    def with_upload_sent(self, fingerprint: str, now: float) -> AccountKnowledge:
        """The certificates may exist now: the answer was lost, or says that they were there before."""
        return replace(self, sent={**self.sent, fingerprint: now}, last_upload=now, listings={})

    def with_uploaded(self, token: str, certificate: Certificate, now: float) -> AccountKnowledge:
        """The answer came: it is known without listing again, to who uploaded it. The rest of the listing is as old as
        it was."""
        bundle = uploaded_bundle(certificate.pem)
        sent = {**self.sent, bundle.fingerprint: now} if bundle else self.sent
        before = self.listings.get(token)
        listing = Reading((*self.listed_by(token), certificate), before.begun if before else now)
        uploaded = self.uploaded | {certificate.id}
        return replace(self, sent=sent, last_upload=now, uploaded=uploaded, listings={token: listing})

    def with_listings_forgotten(self) -> AccountKnowledge:
        return replace(self, listings={})

    def with_found(self, token: str, certificate: Certificate) -> AccountKnowledge:
        """A certificate that the listing lacked is there by its id: the listing is completed by it."""
        listing = self.listings[token]
        completed = Reading((*listing.value, certificate), listing.begun)
        return replace(self, listings={**self.listings, token: completed})

    def with_gone(self, certificate_id: CertificateId) -> AccountKnowledge:
        return replace(self, gone=self.gone | {certificate_id}, listings={})

    def with_deletion_refused(self, certificate_id: CertificateId, now: float) -> AccountKnowledge:
        earlier = self.refusals(certificate_id, now)
        return replace(
            self,
            refused_since={**self.refused_since, certificate_id: earlier[0] if earlier else now},
            refused_last={**self.refused_last, certificate_id: now},
        )

    def refusals(self, certificate_id: CertificateId, now: float) -> tuple[float, float] | None:
        """Since when and when last a deletion was refused; None when that was another deletion, long ago."""
        last = self.refused_last.get(certificate_id)
        if last is None or now - last > _ONE_DELETION_SECONDS:
            return None
        return self.refused_since[certificate_id], last


Found = tuple[Certificate, Bundle]
"""A certificate of the account and what it holds."""


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """The steps, of which the first is to be done now; when to look again; and who waits for what."""

    steps: tuple[AccountStep, ...]
    wake_at: float | None
    without_slot: frozenset[ResourceKey] = frozenset()
    """Demands that no slot is free for."""
    in_use_elsewhere: frozenset[ResourceKey] = frozenset()
    """Deleted CAs whose certificate stays because somebody else uses it."""


@dataclass(slots=True)
class _Agenda:
    steps: list[AccountStep] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    without_slot: set[ResourceKey] = field(default_factory=set)
    in_use_elsewhere: set[ResourceKey] = field(default_factory=set)
    uploading: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Account:
    demands: tuple[Demand, ...]
    known: AccountKnowledge
    now: float
    timing: Timing
    limit: int
    owner: str


def plan_account(
    demands: tuple[Demand, ...], known: AccountKnowledge, now: float, timing: Timing, *, limit: int, owner: str
) -> AccountPlan:
    """Decide the next steps in an account. `limit` is its number of slots, `owner` this installation's id."""
    account = _Account(demands, known, now, timing, limit, owner)
    agenda = _Agenda()
    for demand in demands:
        if demand.deleting:
            _release(account, agenda, demand)
        elif demand.certificate_id is not None:
            _hold(agenda, demand)
        elif demand.bundle is not None:
            _obtain(account, agenda, demand, demand.bundle)
    return AccountPlan(
        steps=tuple(dict.fromkeys(agenda.steps)),
        wake_at=min(agenda.wakes, default=None),
        without_slot=frozenset(agenda.without_slot),
        in_use_elsewhere=frozenset(agenda.in_use_elsewhere),
    )


def _obtain(account: _Account, agenda: _Agenda, demand: Demand, bundle: Bundle) -> None:
    if not _is_listed(account, demand, account.now - FRESH_SECONDS):
        agenda.steps.append(ReadCertificates(demand.authority))
    elif not _is_announced_settled(account, agenda, demand, bundle):
        return
    elif found := _find(account, demand, bundle.fingerprint):
        if _is_there(account, agenda, demand, found[0]):
            _record(account, agenda, demand, found)
    elif _is_missing(account, agenda, demand, bundle):
        _upload(account, agenda, demand, bundle)


def _is_announced_settled(account: _Account, agenda: _Agenda, demand: Demand, bundle: Bundle) -> bool:
    """Whether nothing is left of an upload that was announced before the source changed: what was sent is found and
    used, or was never made. Whatever else is recorded would make it nobody's."""
    if demand.pending_upload in (frozenset(), bundle.fingerprints):
        return True
    announced = bundle_fingerprint(demand.pending_upload)
    if found := _find(account, demand, announced):
        if _is_there(account, agenda, demand, found[0]):
            _record(account, agenda, demand, found)
        return False
    return _looked_long_enough(account, agenda, demand, account.known.sent.get(announced, account.known.started))


def _is_there(account: _Account, agenda: _Agenda, demand: Demand, certificate: Certificate) -> bool:
    """Whether a listed certificate can be relied on. One of ours that no other CA uses may have been deleted by the
    process before us, and still be listed for a window."""
    used = any(each.certificate_id == certificate.id and not each.deleting for each in account.demands)
    ours = certificate_owner(certificate.name) == account.owner
    believed_at = account.known.started + account.timing.window
    if used or not ours or certificate.id in account.known.uploaded or _is_listed(account, demand, believed_at):
        return True
    if account.now >= believed_at:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(believed_at)
    return False


def _is_missing(account: _Account, agenda: _Agenda, demand: Demand, bundle: Bundle) -> bool:
    """Whether the account does not hold the bundle, though it may have been sent or another CA of ours relies on it:
    that is believed after a window."""
    relied_on = any(
        each.certificate_id and each.bundle and each.bundle.fingerprint == bundle.fingerprint
        for each in account.demands
    )
    since = account.known.sent.get(bundle.fingerprint, account.known.started if relied_on else None)
    return since is None or _looked_long_enough(account, agenda, demand, since)


def _hold(agenda: _Agenda, demand: Demand) -> None:
    if not demand.has_finalizer:
        agenda.steps.append(AddFinalizer(demand.authority))


def _record(account: _Account, agenda: _Agenda, demand: Demand, found: Found) -> None:
    _hold(agenda, demand)
    certificate, bundle = found
    ours = certificate_owner(certificate.name) == account.owner
    ownership = Ownership.CREATED if ours else Ownership.ADOPTED
    agenda.steps.append(RecordCertificate(demand.authority, certificate.id, ownership, bundle))


def _looked_long_enough(account: _Account, agenda: _Agenda, demand: Demand, since: float) -> bool:
    """Whether the account was listed a window after something, by a token that has listed it before."""
    believed_at = since + account.timing.window
    if _is_listed(account, demand, believed_at):
        return True
    begun = account.known.listings[demand.token].begun
    again = min(believed_at, begun + max(account.timing.poll, (begun - since) / 2))
    if begun < since or account.now >= again:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(again)
    return False


def _upload(account: _Account, agenda: _Agenda, demand: Demand, bundle: Bundle) -> None:
    if bundle.fingerprint in agenda.uploading:
        return
    if len(occupants(account.known.listed_by(demand.token))) + len(agenda.uploading) >= account.limit:
        agenda.without_slot.add(demand.authority)
        agenda.wakes.append(account.now + account.timing.window)
        return
    agenda.uploading.add(bundle.fingerprint)
    _hold(agenda, demand)
    if demand.pending_upload != bundle.fingerprints:
        agenda.steps.append(RecordPendingUpload(demand.authority, bundle))
    agenda.steps.append(Upload(demand.authority, bundle, demand.name))


def _release(account: _Account, agenda: _Agenda, demand: Demand) -> None:
    if demand.used_by or not demand.has_finalizer:
        return
    if demand.certificate_id is not None:
        _give_back(account, agenda, demand, demand.certificate_id)
    elif demand.pending_upload:
        _find_pending(account, agenda, demand)
    else:
        agenda.steps.append(RemoveFinalizer(demand.authority))


def _find_pending(account: _Account, agenda: _Agenda, demand: Demand) -> None:
    fingerprint = bundle_fingerprint(demand.pending_upload)
    since = account.known.sent.get(fingerprint, account.known.started)
    if demand.token not in account.known.listings:
        agenda.steps.append(ReadCertificates(demand.authority))
    elif found := _find(account, demand, fingerprint):
        if _is_there(account, agenda, demand, found[0]):
            _record(account, agenda, demand, found)
    elif _looked_long_enough(account, agenda, demand, since):
        agenda.steps.append(RemoveFinalizer(demand.authority))


def _give_back(account: _Account, agenda: _Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    if demand.ownership is Ownership.ADOPTED or certificate_id in account.known.gone or _is_shared(account, demand):
        agenda.steps.append(RemoveFinalizer(demand.authority))
    elif not _is_listed(account, demand, account.now - FRESH_SECONDS):
        _list_when_due(account, agenda, demand, certificate_id)
    else:
        _delete(account, agenda, demand, certificate_id)


def _list_when_due(account: _Account, agenda: _Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    """After a refusal the next try waits, longer and longer up to a minute."""
    again = account.now
    if refusals := account.known.refusals(certificate_id, account.now):
        since, last = refusals
        again = last + min(60.0, max(10 * account.timing.poll, last - since))
    if account.now >= again:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(again)


def _delete(account: _Account, agenda: _Agenda, demand: Demand, certificate_id: CertificateId) -> None:
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
    elif refusals is not None and not _is_listed(account, demand, refusals[1]):
        _list_when_due(account, agenda, demand, certificate_id)
    else:
        agenda.steps.append(DeleteCertificate(demand.authority, certificate_id))


def _confirm_gone(account: _Account, agenda: _Agenda, demand: Demand, certificate_id: CertificateId) -> None:
    believed_at = max(account.known.started, account.known.last_upload) + account.timing.window
    if account.now >= believed_at:
        agenda.steps.append(ConfirmGone(demand.authority, certificate_id))
    else:
        agenda.wakes.append(believed_at)


def _is_shared(account: _Account, demand: Demand) -> bool:
    """Whether another CA resource of this cluster that stays, or that bindings still use, has the same certificate."""
    return any(
        other.authority != demand.authority
        and other.certificate_id == demand.certificate_id
        and (not other.deleting or other.used_by)
        for other in account.demands
    )


def occupants(listed: Iterable[Certificate]) -> tuple[Certificate, ...]:
    """The certificates that occupy the account's CA slots: not those of Gateway and Access, nor client certificates."""
    return tuple(each for each in listed if each.ca and not each.belongs_to_cloudflare)


def _find(account: _Account, demand: Demand, fingerprint: str) -> Found | None:
    """The account's certificate of a bundle: matched by its certificates, never by name or text. One with our mark
    comes first."""
    listed = [(each, uploaded_bundle(each.pem)) for each in occupants(account.known.listed_by(demand.token))]
    matching = [(each, bundle) for each, bundle in listed if bundle and bundle.fingerprint == fingerprint]
    return min(matching, key=lambda each: (certificate_owner(each[0].name) != account.owner, each[0].id), default=None)


def _is_listed(account: _Account, demand: Demand, after: float) -> bool:
    listing = account.known.listings.get(demand.token)
    return listing is not None and listing.begun >= after
