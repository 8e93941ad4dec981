"""Reasons of conditions: stable words, each with where and when it is set.

A reason is part of the API: scripts and alerts match it. It is never renamed; words that a human reads are in the
condition's message.
"""

from __future__ import annotations

from enum import StrEnum

from mtls_operator.api.conditions import ConditionType as On

_PROGRESS = (On.READY, On.RECONCILING)
_BLOCKED = (On.READY, On.STALLED)


class Reason(StrEnum):
    """Every reason, with the condition types on which it appears and when it is set."""

    types: tuple[On, ...]
    description: str

    def __new__(cls, value: str, types: tuple[On, ...], description: str) -> Reason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.types = types
        member.description = description
        return member

    # All is well
    RECONCILED = "Reconciled", (On.READY,), "True: everything that the spec asks for is in force."
    ACCEPTED = "Accepted", (On.ACCEPTED,), "True: the spec can be served."
    RESOLVED = (
        "Resolved",
        (On.SOURCE_RESOLVED, On.RESOLVED_REFS),
        "True: everything that the resource refers to was found, is valid and may be used.",
    )
    UPLOADED = "Uploaded", (On.UPLOADED,), "True: the certificates are in the account, uploaded by this operator."
    ADOPTED = (
        "Adopted",
        (On.UPLOADED,),
        "True: identical certificates were in the account already; they are used, and never deleted if unmarked.",
    )
    CURRENT = "Current", (On.ROTATED,), "True: the certificates of the source alone are in force."
    QUOTA_AVAILABLE = "QuotaAvailable", (On.QUOTA_AVAILABLE,), "True: the account has a free slot, or none is needed."
    ASSOCIATED = "Associated", (On.ASSOCIATED,), "True: every hostname is associated, seen back and settled."
    ENFORCED = "Enforced", (On.ENFORCED,), "True: every hostname is covered by an enabled rule."
    VERIFIED = "Verified", (On.VERIFIED,), "True: the last check from outside found no bad client let through."

    # Chosen by the user
    OBSERVED = (
        "Observed",
        (On.READY, On.UPLOADED, On.ROTATED, On.ASSOCIATED, On.ENFORCED),
        "managementPolicy is Observe: nothing is written to Cloudflare; status.plan says what would be done. Ready is "
        "True when that is nothing.",
    )
    SUSPENDED = (
        "Suspended",
        (On.READY, On.RECONCILING),
        "suspend is true: nothing is changed at Cloudflare for the resource. What is in force stays, and the other "
        "conditions tell it; a deletion waits until suspend is lifted.",
    )
    LOG_ONLY = "LogOnly", (On.ENFORCED,), "False: action is Log, so requests are logged and let through."
    NOT_ENFORCED = "NotEnforced", (On.ENFORCED,), "False: action is None, so there is no rule; nothing is protected."
    ISSUER_NOT_PINNED = (
        "IssuerNotPinned",
        (On.ENFORCED,),
        "True, but loud: issuerPinning is Never, so a certificate of any CA associated with a hostname gets through.",
    )

    # Under way, waiting
    PROGRESSING = (
        "Progressing",
        (*_PROGRESS, On.RESOLVED_REFS, On.SOURCE_RESOLVED, On.ASSOCIATED, On.ENFORCED, On.UPLOADED, On.ROTATED),
        "Steps are being taken and none is blocked; the message names the next one.",
    )
    UPLOAD_PENDING = (
        "UploadPending",
        (*_PROGRESS, On.UPLOADED),
        "An upload was begun and its result is not certain yet; the account's list is read until it is.",
    )
    ARRIVING = (
        "Arriving",
        (*_PROGRESS, On.ASSOCIATED, On.ENFORCED),
        "Hostnames are claimed and associated, and the settle time runs before a rule may rely on them; the message "
        "says how long.",
    )
    LEAVING = (
        "Leaving",
        (*_PROGRESS, On.ASSOCIATED),
        "Hostnames are being given up: out of the rules first, then off the list, each seen back.",
    )
    ROTATING = (
        "Rotating",
        (*_PROGRESS, On.ROTATED, On.ASSOCIATED),
        "New and previous CA certificates are in force together, and the message says until when; or hostnames move to "
        "another certificate or enforcement, covered all the while.",
    )
    WAITING_FOR_OTHERS = (
        "WaitingForOthers",
        (*_PROGRESS, On.ASSOCIATED),
        "Another installation has not got the new certificates in force yet, still claims a hostname, or refuses "
        "clients of the CA by its rules; the message names it, and what to list in `takeover` if it is gone.",
    )
    CERTIFICATE_AUTHORITY_NOT_READY = (
        "CertificateAuthorityNotReady",
        (*_PROGRESS, On.RESOLVED_REFS),
        "The CA exists and has no certificate at Cloudflare yet.",
    )
    CREDENTIALS_PENDING = (
        "CredentialsPending",
        (*_PROGRESS, On.RESOLVED_REFS),
        "Cloudflare refuses a token that is new; a fresh token may need a while, so this is retried before it counts.",
    )
    RATE_LIMITED = (
        "RateLimited",
        (*_PROGRESS, On.RESOLVED_REFS),
        "Cloudflare's rate limit is used up; calls go on at the time that the message says.",
    )
    RESYNC_DELAYED = (
        "ResyncDelayed",
        (On.READY,),
        "True, but the rate limit of the token leaves too little to read the zone's rules every 15 minutes, or "
        "Cloudflare cannot be read for longer than that, as the message says: what others change is noticed later.",
    )
    CLOUDFLARE_UNAVAILABLE = (
        "CloudflareUnavailable",
        (*_PROGRESS, On.RESOLVED_REFS),
        "Cloudflare cannot be reached or answers with errors that pass by themselves; retried with growing pauses.",
    )
    CLOUDFLARE_REFUSED = (
        "CloudflareRefused",
        (*_BLOCKED, On.RECONCILING, On.RESOLVED_REFS),
        "Cloudflare refused a request for a reason of its own; the message quotes it. Retried slowly.",
    )
    RULESET_REPLACED = (
        "RulesetReplaced",
        _PROGRESS,
        "Somebody replaced the zone's whole ruleset; our rules are put back and nothing is removed for one ceiling "
        "period.",
    )

    # The spec
    UNSUPPORTED_VALUE = (
        "UnsupportedValue",
        (*_BLOCKED, On.ACCEPTED),
        "A field or value is not served by this version of the operator; the message names it. What is in force stays.",
    )
    INVALID_SPEC = (
        "InvalidSpec",
        (*_BLOCKED, On.ACCEPTED),
        "A value got past the CRD (an older one, perhaps) and cannot be served; the message names the field.",
    )
    HOSTNAME_NOT_IN_ZONE = (
        "HostnameNotInZone",
        (*_BLOCKED, On.ACCEPTED),
        "A hostname is outside the zone; the message names both. Nothing is sent for it.",
    )
    CONFLICTED = (
        "Conflicted",
        (*_BLOCKED, On.ASSOCIATED),
        "Another binding or installation holds a hostname with a CA or an enforcement that contradicts; the message "
        "names it.",
    )
    MANAGEMENT_CONFLICT = (
        "ManagementConflict",
        _BLOCKED,
        "Another writer keeps undoing our changes, which are made again each time; or another cluster uses our "
        "ownerId, and nothing is written while it does.",
    )
    ADOPTION_REFUSED = (
        "AdoptionRefused",
        (*_BLOCKED, On.UPLOADED, On.ASSOCIATED),
        "What is wanted exists without a mark of this operator and adoptionPolicy is Never; the message names it. A CA "
        "looks again each consistency window, a binding with each resync.",
    )

    # What the resource refers to
    SOURCE_MISSING = (
        "SourceMissing",
        (*_PROGRESS, On.SOURCE_RESOLVED),
        "The Secret or ConfigMap of the source does not exist; it is watched and picked up when it appears.",
    )
    SOURCE_UNREADABLE = (
        "SourceUnreadable",
        (*_PROGRESS, On.SOURCE_RESOLVED, On.RESOLVED_REFS),
        "The Secret or ConfigMap cannot be read: the operator's ServiceAccount may not (rbac.secretNames and "
        "rbac.configMapNames of the chart), or the API server fails. Retried.",
    )
    KEY_MISSING = (
        "KeyMissing",
        (*_PROGRESS, On.SOURCE_RESOLVED),
        "The Secret or ConfigMap exists and lacks the key; the message names both.",
    )
    KEY_REQUIRED = (
        "KeyRequired",
        (*_BLOCKED, On.SOURCE_RESOLVED),
        "tls.crt is itself a CA and differs from ca.crt, so the choice is not safe: name the key in the source.",
    )
    INVALID_CERTIFICATE = (
        "InvalidCertificate",
        (*_BLOCKED, On.RECONCILING, On.SOURCE_RESOLVED),
        "The source holds no certificates that Cloudflare accepts as a CA; the message says which one and what is "
        "wrong. One that is not valid yet is waited for.",
    )
    CERTIFICATE_EXPIRED = (
        "CertificateExpired",
        (*_BLOCKED, On.SOURCE_RESOLVED),
        "A CA certificate of the source has expired. What is in force stays.",
    )
    CERTIFICATE_EXPIRING = (
        "CertificateExpiring",
        (On.SOURCE_RESOLVED,),
        "True, but a CA certificate expires within 30 days; the message says when. An event at 30, 7 and 1 days.",
    )
    CERTIFICATE_AUTHORITY_MISSING = (
        "CertificateAuthorityMissing",
        (*_PROGRESS, On.RESOLVED_REFS),
        "The CA that the binding refers to does not exist; picked up when it appears.",
    )
    REF_NOT_PERMITTED = (
        "RefNotPermitted",
        (*_BLOCKED, On.SOURCE_RESOLVED, On.RESOLVED_REFS),
        "The CA's allowedBindings, or the operator's configuration for its own token, do not admit this resource.",
    )
    ZONE_NOT_FOUND = (
        "ZoneNotFound",
        (*_PROGRESS, On.STALLED, On.RESOLVED_REFS),
        "No zone of this id or name is visible with the token; it may not exist, or the token may not see it. Stalled "
        "where several zones have the name: give the id.",
    )
    ZONE_NOT_IN_ACCOUNT = (
        "ZoneNotInAccount",
        (*_BLOCKED, On.RESOLVED_REFS),
        "The zone belongs to another account than the CA.",
    )

    # Credentials
    CREDENTIALS_MISSING = (
        "CredentialsMissing",
        (*_PROGRESS, On.RESOLVED_REFS, On.SOURCE_RESOLVED),
        "No token: the Secret or its key is missing, or no credentialsRef is given and the operator has no token of "
        "its own.",
    )
    CREDENTIALS_INVALID = (
        "CredentialsInvalid",
        (*_BLOCKED, On.RESOLVED_REFS, On.SOURCE_RESOLVED),
        "Cloudflare does not know the token, or it is disabled or expired.",
    )
    CREDENTIALS_INSUFFICIENT = (
        "CredentialsInsufficient",
        (*_BLOCKED, On.RESOLVED_REFS),
        "The token lacks a permission; the message names it. Retried slowly, as permissions can be added to a token.",
    )
    CREDENTIALS_EXPIRING = (
        "CredentialsExpiring",
        (On.RESOLVED_REFS, On.SOURCE_RESOLVED),
        "True, but the token expires within seven days; the message says when.",
    )

    # Cloudflare's limits
    QUOTA_EXHAUSTED = (
        "QuotaExhausted",
        (*_PROGRESS, On.QUOTA_AVAILABLE, On.ROTATED, On.ENFORCED),
        "No free slot for a CA in the account, or for a rule in the zone; the message names what occupies them.",
    )
    BUNDLE_REFUSED = (
        "BundleRefused",
        (On.ROTATED, On.READY, On.STALLED),
        "Cloudflare refuses new and previous CAs in one object; the old CA stays until strategy SideBySide is chosen.",
    )

    # Deletion
    DELETING = "Deleting", _PROGRESS, "The resource is deleted and what it created at Cloudflare is being removed."
    IN_USE = (
        "InUse",
        _PROGRESS,
        "The CA is deleted and bindings still use it; the message names them. It accepts no new ones and goes with "
        "the last.",
    )
    DELETION_BLOCKED = (
        "DeletionBlocked",
        _PROGRESS,
        "The clean-up cannot be finished now and is retried for ever; the message names the blocker and the way out.",
    )

    # Exposure
    BYPASSED_BY_RULE = (
        "BypassedByRule",
        (*_BLOCKED, On.ENFORCED),
        "False: a rule of somebody else stands before ours and skips it, and the binding is set aside, so that ours is "
        "not moved; the message names it.",
    )
    BYPASSED_BY_ACCESS_RULE = (
        "BypassedByAccessRule",
        (*_BLOCKED, On.ENFORCED),
        "False: an IP Access rule with action Allow bypasses custom rules; the message names what it matches.",
    )
    RULE_ALTERED = (
        "RuleAltered",
        (*_PROGRESS, On.ENFORCED, On.ASSOCIATED),
        "Somebody changed, disabled, moved or removed our rule; it is being repaired.",
    )
    ON_MANAGED_CERTIFICATE_AUTHORITY = (
        "OnManagedCertificateAuthority",
        (*_BLOCKED, On.ENFORCED, On.ASSOCIATED),
        "A hostname is also on the list of the CA that Cloudflare manages. Enforced is False where issuerPinning is "
        "Never, because its clients get through; else it is a remark of Associated, which is True.",
    )
    NOT_PROXIED = (
        "NotProxied",
        (*_BLOCKED, On.ENFORCED),
        "False: the DNS records of a hostname are not proxied, so requests do not pass Cloudflare. True, but loud: a "
        "hostname has no DNS record at all, so that nobody reaches it unless a load balancer serves it.",
    )

    # Revocation
    REVOCATION_LIST_MISSING = (
        "RevocationListMissing",
        (*_PROGRESS, On.SOURCE_RESOLVED),
        "The Secret, ConfigMap or key with the revocation list does not exist. What is in force stays.",
    )
    REVOCATION_LIST_INVALID = (
        "RevocationListInvalid",
        (*_BLOCKED, On.SOURCE_RESOLVED),
        "A revocation list cannot be read or is not signed by a CA in force. What is in force stays.",
    )
    REVOCATION_LIST_EXPIRED = (
        "RevocationListExpired",
        (*_BLOCKED, On.SOURCE_RESOLVED),
        "A revocation list is past its nextUpdate. What is in force stays.",
    )
    REVOCATION_INCOMPLETE = (
        "RevocationIncomplete",
        (On.ENFORCED,),
        "Not all revoked serial numbers fit into the zone's budget of rules; the message says how many did not.",
    )

    # The check from outside
    VERIFICATION_OFF = (
        "VerificationOff",
        (On.VERIFIED,),
        "Unknown: spec.verification is absent, or enforcement.action lets bad clients through by choice.",
    )
    VERIFICATION_PENDING = (
        "VerificationPending",
        (On.VERIFIED,),
        "Unknown: no check has been made yet under the present spec, or no hostname is covered by a rule yet.",
    )
    VERIFICATION_REFUSED = (
        "VerificationRefused",
        (On.VERIFIED,),
        "Unknown: a hostname resolves to an address that is not one of the public internet (private, loopback, "
        "link-local); it is not contacted.",
    )
    TARGET_UNREACHABLE = (
        "TargetUnreachable",
        (On.VERIFIED,),
        "Unknown: a hostname did not answer, or not in a way that tells who gets through; the message says how.",
    )
    BAD_CLIENT_ADMITTED = (
        "BadClientAdmitted",
        (*_BLOCKED, On.VERIFIED),
        "False: a client without an accepted certificate got through; the message says which client and hostname.",
    )
    GOOD_CLIENT_REFUSED = (
        "GoodClientRefused",
        (On.VERIFIED,),
        "False: the client certificate of clientCertificateRef was refused. Ready does not depend on it: the "
        "certificate may be a wrong one.",
    )
    HOST_VARIANT_OPEN = (
        "HostVariantOpen",
        (*_BLOCKED, On.VERIFIED),
        "False: a variant of the host name (case, port, trailing dot) gets past the rule; set hostMatch to Tolerant.",
    )
