"""What its owner lets be done for a resource: whatever its spec asks for, or nothing for the time being.

A resource that is laid aside goes on wanting exactly what its status records, and nothing is done even for that: what
stands stands, what is half-way stays half-way, and a deletion waits.
"""

from __future__ import annotations

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec
from mtls_operator.api.host_binding import HostBindingSpec
from mtls_operator.api.policies import AdoptionPolicy, DeletionPolicy, ManagementPolicy
from mtls_operator.api.reasons import Reason
from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.domain.verdicts import Verdict, waiting

Spec = CertificateAuthoritySpec | HostBindingSpec
_WAY_OUT = (
    "Remove spec.suspend to have it done, or annotate with apishield-mtls.io/force-orphan=true to let go and leave what"
    " is at Cloudflare behind."
)


def is_suspended(spec: Spec | None) -> bool:
    """Whether nothing may be changed at Cloudflare for the resource. One whose spec cannot be read does not say so."""
    return spec is not None and spec.suspend is True


def adopts(spec: Spec | None) -> bool:
    """Whether what is there already, without a mark of this operator, becomes the resource's own."""
    return spec is None or spec.adoption_policy is not AdoptionPolicy.NEVER


def is_retained(spec: Spec | None) -> bool:
    """Whether what is in force stays at Cloudflare when the resource is deleted."""
    return retaining_field(spec) is not None


def retaining_field(spec: Spec | None) -> str | None:
    """Which field of the spec wants what is in force to stay when the resource is deleted."""
    if spec is not None and spec.deletion_policy is DeletionPolicy.RETAIN:
        return "spec.deletionPolicy is Retain"
    return "spec.managementPolicy is Observe" if is_observed(spec) else None


def is_observed(spec: Spec | None) -> bool:
    """Whether it is only said what would be done for the resource."""
    return spec is not None and spec.management_policy is ManagementPolicy.OBSERVE and not is_suspended(spec)


def is_idle(record: AuthorityRecord | BindingRecord, *, owns_something: bool) -> bool:
    """Whether a resource is laid aside. One that is deleted and owns nothing has nothing to wait for, and one that is
    observed is let go with everything in force."""
    return _waits(record, owns_something=owns_something) or (is_observed(record.spec) and not record.deleting)


def _waits(record: AuthorityRecord | BindingRecord, *, owns_something: bool) -> bool:
    return is_suspended(record.spec) and (owns_something or not record.deleting)


def suspension(record: AuthorityRecord | BindingRecord, *, owns_something: bool) -> Verdict | None:
    """What is said of a suspended resource before everything else; None of one that is not."""
    if not _waits(record, owns_something=owns_something):
        return None
    if record.deleting:
        return waiting(
            Reason.SUSPENDED,
            f"deleted, but spec.suspend is true: what is in force stays until it is lifted. {_WAY_OUT}",
        )
    return waiting(
        Reason.SUSPENDED,
        "spec.suspend is true: nothing is changed at Cloudflare for this resource, and what is in force stays",
    )
