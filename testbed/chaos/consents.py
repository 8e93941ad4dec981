"""Who was admitted to a CA when it got something through it (safety invariant 12)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from testbed.chaos.records import managed_places
from testbed.cluster.objects import CERTIFICATE_AUTHORITY, HOST_BINDING, Body, ObjectKey
from testbed.cluster.store import Change, Store

_HEARD_WITHIN: Final = 900.0
"""Seconds after which an installation has heard that it is refused: it lists everything every ten minutes."""


class Consents:
    """Listens to a store. A binding records a hostname before the credential of its CA is used for it, so that what is
    newly recorded though no CA that it referred to admitted it lately breaks the invariant. What was recorded while it
    was admitted stays. `tell` hears what breaks it; `clock` gives Unix time in seconds."""

    def __init__(self, store: Store, clock: Callable[[], float], tell: Callable[[str], object]) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._admitted: dict[str, float] = {}
        """By the uid of a binding, when it was last admitted."""
        self._recorded: dict[str, frozenset[tuple[str, str]]] = {}
        store.listeners.append(self._see)

    def _see(self, change: Change) -> None:
        if change.key.kind not in {HOST_BINDING, CERTIFICATE_AUTHORITY}:
            return
        now = self._clock()
        for body in self._store.find(HOST_BINDING):
            uid, recorded = body["metadata"]["uid"], managed_places(body)
            if self._is_admitted(body):
                self._admitted[uid] = now
            elif self._admitted.get(uid, -math.inf) < now - _HEARD_WITHIN:
                for _, hostname in sorted(recorded - self._recorded.get(uid, frozenset())):
                    self._tell(f"{body['metadata']['name']} gets {hostname} through a CA that does not admit it")
            self._recorded[uid] = recorded

    def _is_admitted(self, binding: Body) -> bool:
        namespace, reference = binding["metadata"]["namespace"], binding["spec"]["certificateAuthorityRef"]
        key = ObjectKey(CERTIFICATE_AUTHORITY, reference.get("namespace", namespace), reference["name"])
        if not self._store.has(key):
            return False
        allowed = self._store.get(key)["spec"].get("allowedBindings", {}).get("namespaces", {}).get("from", "Same")
        return bool(allowed == "All" or key.namespace == namespace)
