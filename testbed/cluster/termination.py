"""The namespace controller: deletes what is in a namespace that is being deleted, then the namespace.

The real one goes through the kinds in an order that nobody promises, so here the rng chooses it; finalizers hold it up
for as long as they hold the objects. Both of what is needed, time and the order, are virtual.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from testbed.cluster.objects import NAMESPACE, ObjectKey
from testbed.cluster.store import Change, Store

Pause = tuple[float, float]


class NamespaceController:
    """Listens to the store. `pause`: seconds between two of its acts, chosen anew for each. `note` is told of each."""

    def __init__(self, store: Store, rng: random.Random, pause: Pause, note: Callable[[str], object]) -> None:
        self._store = store
        self._rng = rng
        self._pause = pause
        self._note = note
        self._at_work: set[str] = set()
        store.listeners.append(self._see)

    def _see(self, change: Change) -> None:
        if change.key.kind != NAMESPACE or change.type != "MODIFIED" or change.key.name in self._at_work:
            return
        if "deletionTimestamp" in change.body["metadata"]:
            self._at_work.add(change.key.name)
            self._later(lambda: self._begin(change.key.name))

    def _begin(self, namespace: str) -> None:
        kinds = sorted({key.kind for key in self._store.in_namespace(namespace)})
        self._rng.shuffle(kinds)
        order: list[ObjectKey] = []
        for kind in kinds:
            keys = self._store.keys(kind, namespace)
            self._rng.shuffle(keys)
            order += keys
        self._delete_next(namespace, order)

    def _delete_next(self, namespace: str, order: list[ObjectKey]) -> None:
        if not order:
            self._finish(namespace)
            return
        key, *rest = order
        if self._store.has(key):
            self._note(f"delete {key}")
            self._store.delete(key)
        self._later(lambda: self._delete_next(namespace, rest))

    def _finish(self, namespace: str) -> None:
        if any(True for _ in self._store.in_namespace(namespace)):
            self._later(lambda: self._begin(namespace))
            return
        self._at_work.discard(namespace)
        self._note(f"remove Namespace {namespace}")
        self._store.remove_namespace(namespace)

    def _later(self, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self._rng.uniform(*self._pause), act)
