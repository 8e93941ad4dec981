"""What a cluster holds, and the API server's rules for changing it.

Rules of this file: synchronous, no clock and no randomness but the injected ones. Every method does all of what it
says or raises RefusalError and does nothing. One counter of resource versions for all objects, as etcd has one.

    create        uid, generation 1, creationTimestamp; a status that comes along is dropped
    update        a change through the object's own endpoint: its status stays; generation counts changes of the spec
    update_status a change through the status subresource: nothing but the status changes
    delete        with finalizers: deletionTimestamp, and the object goes with the last of them
    any of them   that changes nothing writes nothing

Objects go out as they are stored: nobody changes them. An edit gives another body, which may share parts with the old.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from testbed.cluster.objects import KINDS, NAMESPACE, Body, ObjectKey, copied, key_of, timestamp
from testbed.cluster.refusal import RefusalError, conflict, invalid, not_found

Edit = Callable[[Body], Body]
"""The edited object; the given one stays as it is."""
_FIRST_VERSION = 1000
_OF_THE_SERVER = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
"""Metadata that no client writes."""
_DROPPED_WHEN_EMPTY = ("finalizers", "labels", "annotations")


@dataclass(frozen=True, slots=True)
class Change:
    """What watches are told. The body of a deleted object is its last state, at the version of the deletion."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: ObjectKey
    body: Body

    @property
    def uid(self) -> str:
        return str(self.body["metadata"]["uid"])


class Store:
    """All objects. `listeners` are told of each change at once, in their order."""

    def __init__(self, clock: Callable[[], float], rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._objects: dict[ObjectKey, Body] = {}
        self.version = _FIRST_VERSION
        self.listeners: list[Callable[[Change], object]] = []

    def find(self, kind: str, namespace: str | None = None, name: str | None = None) -> list[Body]:
        """Objects of a kind, in etcd's order."""
        return [self._objects[key] for key in self.keys(kind, namespace) if name in {None, key.name}]

    def keys(self, kind: str, namespace: str | None = None) -> list[ObjectKey]:
        """The places of the objects of a kind, in etcd's order."""
        return sorted(key for key in self._objects if key.kind == kind and namespace in {None, key.namespace})

    def in_namespace(self, namespace: str) -> Iterator[ObjectKey]:
        """The places of everything in a namespace."""
        return (key for key in self._objects if key.namespace == namespace)

    def has(self, key: ObjectKey) -> bool:
        return key in self._objects

    def get(self, key: ObjectKey) -> Body:
        """Raises 404."""
        return self._read(key)

    def create(self, body: Body) -> Body:
        """Raises 404 without its namespace, 403 when that is being deleted, 409 when the object is there already."""
        key, kind = key_of(body), KINDS[body["kind"]]
        self._check_namespace(key)
        if key in self._objects:
            raise conflict(f"{key} already exists")
        new: Body = {"apiVersion": kind.api_version, **copied(body)}
        metadata = {name: value for name, value in new["metadata"].items() if name not in _OF_THE_SERVER}
        metadata["uid"] = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        metadata["creationTimestamp"] = timestamp(self._clock())
        if kind.custom:
            metadata["generation"] = 1
            new.pop("status", None)
        new["metadata"] = _tidied(metadata)
        return self._store("ADDED", key, new)

    def update(self, key: ObjectKey, edit: Edit) -> Body:
        """Raises 404, 409 when the edited object has another uid or version than the stored one, 422 when it is being
        deleted and would get another finalizer."""
        old = self._read(key)
        new = _identified(key, old, edit(old))
        kept = {name: old["metadata"][name] for name in _OF_THE_SERVER if name in old["metadata"]}
        new["metadata"] = _tidied({**new["metadata"], **kept})
        if KINDS[key.kind].custom:
            _keep(new, old, "status")
        if old == new:
            return old
        if "deletionTimestamp" in kept:
            return self._update_deleted(key, old, new)
        return self._store("MODIFIED", key, _counted(key, old, new))

    def update_status(self, key: ObjectKey, edit: Edit) -> Body:
        """Raises 404, 409 when the edited object has another uid or version than the stored one."""
        old = self._read(key)
        edited = _identified(key, old, edit(old))
        new: Body = {**old}
        _keep(new, edited, "status")
        return old if old == new else self._store("MODIFIED", key, new)

    def delete(self, key: ObjectKey) -> None:
        """Raises 404. A Namespace only begins to go: the namespace controller removes it."""
        old = self._read(key)
        metadata = old["metadata"]
        if not metadata.get("finalizers") and key.kind != NAMESPACE:
            self._remove(key)
        elif "deletionTimestamp" not in metadata:
            marked = {**metadata, "deletionTimestamp": timestamp(self._clock())}
            if key.kind == NAMESPACE:
                self._store("MODIFIED", key, {**old, "metadata": marked, "status": {"phase": "Terminating"}})
                return
            marked["deletionGracePeriodSeconds"] = 0
            if "generation" in marked:
                # The API server counts the mark as a change: registry/generic/registry/store.go, markAsDeleting.
                marked["generation"] += 1
            self._store("MODIFIED", key, {**old, "metadata": marked})

    def remove_namespace(self, name: str) -> None:
        """The end of a namespace whose content is gone. Raises 404."""
        key = ObjectKey(NAMESPACE, "", name)
        self._read(key)
        self._remove(key)

    def _read(self, key: ObjectKey) -> Body:
        if key not in self._objects:
            raise not_found(key)
        return self._objects[key]

    def _check_namespace(self, key: ObjectKey) -> None:
        if not KINDS[key.kind].namespaced:
            return
        namespace = self._read(ObjectKey(NAMESPACE, "", key.namespace))
        if "deletionTimestamp" in namespace["metadata"]:
            raise RefusalError(403, f"{key} cannot be created: its namespace is being terminated")

    def _update_deleted(self, key: ObjectKey, old: Body, new: Body) -> Body:
        finalizers = new["metadata"].get("finalizers", [])
        if added := [each for each in finalizers if each not in old["metadata"].get("finalizers", [])]:
            raise invalid(f"{key} is being deleted, so no finalizer can be added: {', '.join(added)}")
        if finalizers:
            return self._store("MODIFIED", key, _counted(key, old, new))
        self._remove(key)
        return new

    def _store(self, what: Literal["ADDED", "MODIFIED"], key: ObjectKey, body: Body) -> Body:
        stored = self._versioned(body)
        self._objects[key] = stored
        self._tell(Change(what, key, stored))
        return stored

    def _remove(self, key: ObjectKey) -> None:
        self._tell(Change("DELETED", key, self._versioned(self._objects.pop(key))))

    def _versioned(self, body: Body) -> Body:
        self.version += 1
        return {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}

    def _tell(self, change: Change) -> None:
        for listener in list(self.listeners):
            listener(change)


def _identified(key: ObjectKey, old: Body, new: Body) -> Body:
    """An edited object with uid and version. A client that leaves them out does not ask for the check. Raises 409."""
    known = {field: old["metadata"][field] for field in ("uid", "resourceVersion")}
    metadata = {**known, **new["metadata"]}
    for field, value in known.items():
        if metadata[field] != value:
            raise conflict(f"{key} has been modified or replaced: its {field} is {value}")
    return {**new, "metadata": metadata}


def _counted(key: ObjectKey, old: Body, new: Body) -> Body:
    """With the generation counted up, where something but metadata and status has changed."""
    if not KINDS[key.kind].custom or _desired(old) == _desired(new):
        return new
    return {**new, "metadata": {**new["metadata"], "generation": old["metadata"]["generation"] + 1}}


def _desired(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in {"metadata", "status"}}


def _keep(body: Body, other: Body, field: str) -> None:
    """Take a field, or its absence, from another body."""
    body.pop(field, None)
    if field in other:
        body[field] = other[field]


def _tidied(metadata: Body) -> Body:
    return {name: value for name, value in metadata.items() if value or name not in _DROPPED_WHEN_EMPTY}
