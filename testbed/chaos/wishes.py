"""What the users of a cluster want enforced, and since when without a break."""

from __future__ import annotations

from collections.abc import Callable

from testbed.cluster.objects import HOST_BINDING, Body
from testbed.cluster.store import Change, Store


class Wishes:
    """Listens to a store. A binding counts once it was admitted: before, and once it is being deleted, it keeps nothing
    enforced. `clock` gives Unix time in seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: dict[str, frozenset[str]] = {}
        self._since: dict[str, float] = {}
        store.listeners.append(self._see)

    def last_unwanted(self, hostname: str) -> float:
        """When nobody last wanted the hostname enforced: now, or just before somebody began to."""
        return self._since.get(hostname, self._clock())

    def _see(self, change: Change) -> None:
        if change.key.kind != HOST_BINDING:
            return
        if change.type == "DELETED":
            self._of.pop(change.uid, None)
        else:
            self._of[change.uid] = _enforced_by(change.body)
        wanted = frozenset().union(*self._of.values())
        self._since = {hostname: self._since.get(hostname, self._clock()) for hostname in wanted}


def _enforced_by(binding: Body) -> frozenset[str]:
    if "deletionTimestamp" in binding["metadata"]:
        return frozenset()
    named = frozenset(binding["spec"]["hostnames"])
    if _is_admitted(binding):
        return named
    return named & {name for each in binding.get("status", {}).get("managed", []) for name in each["hostnames"]}


def _is_admitted(binding: Body) -> bool:
    generation = binding["metadata"]["generation"]
    true = {
        each["type"]
        for each in binding.get("status", {}).get("conditions", [])
        if each["status"] == "True" and each.get("observedGeneration") == generation
    }
    return {"Accepted", "ResolvedRefs"} <= true
