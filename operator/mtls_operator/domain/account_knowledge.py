"""What one process knows of an account's certificates, and since when.

Times are seconds of one clock, as in `zone_knowledge`: a reading counts from the moment it was begun, a write from the
moment its answer was there, or was given up. Knowledge is a value; the engine replaces it after each call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mtls_operator.domain.certificates import uploaded_bundle
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.zone_knowledge import Reading

_ONE_DELETION_SECONDS = 900.0
"""Longer than the engine ever pauses between two tries: refusals further apart are of two deletions."""


@dataclass(frozen=True, slots=True)
class AccountKnowledge:
    """What this process knows of an account's certificates. Times as in `zone_knowledge`."""

    started: float
    listings: Mapping[str, Reading[tuple[Certificate, ...]]] = field(default_factory=dict)
    """The account's certificates as each token lists them."""
    sent: Mapping[str, float] = field(default_factory=dict)
    """When an upload was sent, by bundle fingerprint: a listing may not show it for a window, whatever its outcome."""
    unanswered: frozenset[str] = frozenset()
    """Bundle fingerprints of uploads that were given up without an answer: they may take effect for some time yet."""
    last_upload: float = float("-inf")
    """When the last one was sent or answered."""
    uploads_refused: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """What Cloudflare said against a bundle, and when, by bundle fingerprint."""
    seen: Mapping[CertificateId, float] = field(default_factory=dict)
    """When the last reading that showed a certificate was begun: an older state may be read for a window."""
    doubted: float = float("-inf")
    """Readings begun before are repeated before all is called well."""
    uploaded: frozenset[CertificateId] = frozenset()
    """Uploaded by this process, so not deleted by the one before it."""
    gone: frozenset[CertificateId] = frozenset()
    """Deleted by us, or 404."""
    deletions_lost: Mapping[CertificateId, float] = field(default_factory=dict)
    """When a deletion was given up without an answer: it may take effect for some time yet."""
    refused_since: Mapping[CertificateId, float] = field(default_factory=dict)
    """Since when a deletion is refused as in use."""
    refused_last: Mapping[CertificateId, float] = field(default_factory=dict)
    use_denied: Mapping[CertificateId, tuple[float, float]] = field(default_factory=dict)
    """Since when and when last Cloudflare refused to say who uses a certificate."""

    def listed_by(self, token: str) -> tuple[Certificate, ...]:
        """What the token listed last, but for what is gone since; nothing when it has not listed yet."""
        listing = self.listings.get(token)
        return tuple(each for each in listing.value if each.id not in self.gone) if listing else ()

    def with_listing(self, token: str, certificates: tuple[Certificate, ...], begun: float) -> AccountKnowledge:
        seen = {**self.seen, **dict.fromkeys((each.id for each in certificates), begun)}
        return replace(self, listings={**self.listings, token: Reading(certificates, begun)}, seen=seen)

    def with_upload_lost(self, fingerprint: str, now: float, *, is_under_way: bool = True) -> AccountKnowledge:
        """The certificates may exist now, and where the request may be under way still, soon."""
        return replace(
            self,
            sent={**self.sent, fingerprint: now},
            unanswered=self.unanswered | ({fingerprint} if is_under_way else frozenset()),
            last_upload=now,
            listings={},
        )

    def with_upload_existing(self, fingerprint: str, now: float) -> AccountKnowledge:
        """The answer says that the certificates, or some of them, were there before: in an object that is the same,
        which a listing will show, or in others."""
        why = "it says that certificates of the bundle are uploaded already"
        return replace(
            self,
            sent={**self.sent, fingerprint: now},
            unanswered=self.unanswered - {fingerprint},
            last_upload=now,
            listings={},
            uploads_refused={**self.uploads_refused, fingerprint: (why, now)},
        )

    def with_upload_refused(self, fingerprint: str, why: str, now: float) -> AccountKnowledge:
        """The answer says that Cloudflare does not take the bundle, which proves that nothing was made."""
        return replace(self, uploads_refused={**self.uploads_refused, fingerprint: (why, now)}, listings={})

    def with_uploaded(self, token: str, certificate: Certificate, now: float) -> AccountKnowledge:
        """The answer came: it is known without listing again, to who uploaded it. The rest of the listing is as old as
        it was."""
        bundle = uploaded_bundle(certificate.pem)
        fingerprints = [bundle.fingerprint] if bundle else []
        before = self.listings.get(token)
        listing = Reading((*self.listed_by(token), certificate), before.begun if before else now)
        uploaded = self.uploaded | {certificate.id}
        seen = {**self.seen, certificate.id: now}
        return replace(
            self,
            sent={**self.sent, **dict.fromkeys(fingerprints, now)},
            unanswered=self.unanswered.difference(fingerprints),
            last_upload=now,
            uploaded=uploaded,
            listings={token: listing},
            seen=seen,
        )

    def with_left(self, certificate_id: str | None, fingerprint: str, now: float) -> AccountKnowledge:
        """After a CA was let go and its certificate, if it had one, stays: a listing may not show it yet to who wants
        the same next."""
        if certificate_id is None or certificate_id in self.gone:
            return self
        return replace(self, sent={**self.sent, fingerprint: now})

    def with_listings_forgotten(self) -> AccountKnowledge:
        return replace(self, listings={})

    def with_found(self, token: str, certificate: Certificate, begun: float) -> AccountKnowledge:
        """A certificate that the listing lacked is there by its id: the listing is completed by it."""
        listing = self.listings[token]
        completed = Reading((*listing.value, certificate), listing.begun)
        return replace(self, listings={**self.listings, token: completed}, seen={**self.seen, certificate.id: begun})

    def with_gone(self, certificate_id: CertificateId) -> AccountKnowledge:
        return replace(self, gone=self.gone | {certificate_id}, listings={})

    def with_deletion_lost(self, certificate_id: CertificateId, now: float) -> AccountKnowledge:
        """The certificate may be gone now, or soon."""
        return replace(self, deletions_lost={**self.deletions_lost, certificate_id: now})

    def with_deletion_refused(self, certificate_id: CertificateId, now: float) -> AccountKnowledge:
        earlier = self.refusals(certificate_id, now)
        return replace(
            self,
            refused_since={**self.refused_since, certificate_id: earlier[0] if earlier else now},
            refused_last={**self.refused_last, certificate_id: now},
        )

    def with_use_denied(self, certificate_id: CertificateId, now: float) -> AccountKnowledge:
        """After the question who uses a certificate was refused. Of another deletion, long ago, nothing follows."""
        since, last = self.use_denied.get(certificate_id, (now, now))
        first = now if now - last > _ONE_DELETION_SECONDS else since
        return replace(self, use_denied={**self.use_denied, certificate_id: (first, now)})

    def with_use_told(self, certificate_id: CertificateId) -> AccountKnowledge:
        """After it was answered."""
        return replace(self, use_denied={each: at for each, at in self.use_denied.items() if each != certificate_id})

    def refusals(self, certificate_id: CertificateId, now: float) -> tuple[float, float] | None:
        """Since when and when last a deletion was refused; None when that was another deletion, long ago."""
        last = self.refused_last.get(certificate_id)
        if last is None or now - last > _ONE_DELETION_SECONDS:
            return None
        return self.refused_since[certificate_id], last


def occupants(listed: Iterable[Certificate]) -> tuple[Certificate, ...]:
    """The certificates that occupy the account's CA slots: not those of Gateway and Access, nor client certificates."""
    return tuple(each for each in listed if each.ca and not each.belongs_to_cloudflare)
