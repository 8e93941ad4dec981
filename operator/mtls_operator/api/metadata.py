"""The part of a Kubernetes object that every kind has."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from mtls_operator.api.constants import FINALIZER, FORCE_ORPHAN, RECONCILE_REQUESTED_AT
from mtls_operator.api.model import Part
from mtls_operator.api.times import Moment


class Metadata(Part):
    """What the operator reads of `metadata`."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Moment | None = None
    deletion_timestamp: Moment | None = None
    finalizers: tuple[str, ...] = ()
    annotations: Mapping[str, str] = Field(default_factory=dict)
    labels: Mapping[str, str] = Field(default_factory=dict)

    @property
    def being_deleted(self) -> bool:
        """Whether the user has deleted the object and only finalizers keep it."""
        return self.deletion_timestamp is not None

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is in place, which must be so before the first write to Cloudflare."""
        return FINALIZER in self.finalizers

    @property
    def reconcile_requested_at(self) -> str | None:
        """The token by which a user forces a reconcile."""
        return self.annotations.get(RECONCILE_REQUESTED_AT)

    @property
    def force_orphan(self) -> bool:
        """Whether the user waives the clean-up at Cloudflare."""
        return self.annotations.get(FORCE_ORPHAN) == "true"
