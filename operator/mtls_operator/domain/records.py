"""Resources of the cluster as the domain sees them, and the two steps that hold and release one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec, CertificateAuthorityStatus
from mtls_operator.api.host_binding import HostBindingSpec, HostBindingStatus
from mtls_operator.api.metadata import Metadata

SpecT = TypeVar("SpecT")
StatusT = TypeVar("StatusT")


class ResourceKey(NamedTuple):
    """A resource by namespace and name. A tuple, because with a thousand bindings keys are compared by the million."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Record(Generic[SpecT, StatusT]):
    """A resource as it was last seen. `spec` is None when it cannot be read; `problems` says why. Such a resource
    goes on wanting what its status records."""

    metadata: Metadata
    spec: SpecT | None
    status: StatusT
    problems: tuple[str, ...] = ()
    status_is_readable: bool = True
    """False: what it owns cannot be told, so nothing is written to it and nothing is done for it."""
    key: ResourceKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Made once, because it is asked for more often than anything else.
        object.__setattr__(self, "key", ResourceKey(self.metadata.namespace, self.metadata.name))

    @property
    def deleting(self) -> bool:
        return self.metadata.being_deleted


AuthorityRecord = Record[CertificateAuthoritySpec, CertificateAuthorityStatus]
BindingRecord = Record[HostBindingSpec, HostBindingStatus]


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Hold the resource before the first write to Cloudflare (safety invariant 11)."""

    resource: ResourceKey


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the resource go: nothing of it is left at Cloudflare, or what is left is not ours to remove."""

    resource: ResourceKey
