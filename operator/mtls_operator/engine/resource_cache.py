"""Every resource of both kinds as it was last seen, from lists, watches and our own writes.

An object that is older than the one already known changes nothing, so it does not matter in which order they
come. Resource versions of one kind can be compared as numbers (KEP-5504, Comparable Resource Version).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from mtls_operator.domain.records import AuthorityRecord, BindingRecord, ResourceKey

R = TypeVar("R", AuthorityRecord, BindingRecord)


class ResourceCache(Generic[R]):
    """The resources of one kind."""

    def __init__(self) -> None:
        self._records: dict[ResourceKey, R] = {}
        self._order: list[ResourceKey] | None = None
        """Sorted keys; None when they have changed since."""

    def __iter__(self) -> Iterator[R]:
        """All of them, in a stable order."""
        if self._order is None:
            self._order = sorted(self._records)
        return iter([self._records[key] for key in self._order])

    def get(self, key: ResourceKey) -> R | None:
        return self._records.get(key)

    def has(self, body: Mapping[str, Any]) -> bool:
        """Whether this state of an object, or a newer one, is known; told without reading more than its metadata."""
        metadata = body.get("metadata") or {}
        known = self._records.get(ResourceKey(metadata.get("namespace", ""), metadata.get("name", "")))
        return known is not None and int(metadata.get("resourceVersion") or 0) <= _version(known)

    def put(self, record: R) -> bool:
        """Remember a resource; False when it is no news."""
        known = self._records.get(record.key)
        if known is not None and _version(record) <= _version(known):
            return False
        if known is None:
            self._order = None
        self._records[record.key] = record
        return True

    def remove(self, record: R) -> bool:
        """Forget a resource that is gone; False when a newer one of the same name is there."""
        known = self._records.get(record.key)
        if known is None or known.metadata.uid != record.metadata.uid:
            return False
        del self._records[record.key]
        self._order = None
        return True


def _version(record: AuthorityRecord | BindingRecord) -> int:
    return int(record.metadata.resource_version or 0)
