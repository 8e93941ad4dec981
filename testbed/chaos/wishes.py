"""What the users of a cluster want enforced, with which issuers, and since when without a break."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Final, Generic, TypeVar

from testbed.chaos.records import managed_hostnames
from testbed.cloudflare.monitor.truth import key_identifiers
from testbed.cluster.objects import CERTIFICATE_AUTHORITY, HOST_BINDING, SECRET, Body, ObjectKey
from testbed.cluster.store import Change, Store

T = TypeVar("T", bound=Hashable)
_HEARD_WITHIN: Final = 900.0
"""Seconds after which an installation has heard of what its user did: it lists everything every ten minutes."""


class Spells(Generic[T]):
    """Since when things are wanted, and since when they are not any more."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wanted: dict[T, float] = {}
        self._ended: dict[T, float] = {}

    def note(self, wanted: frozenset[T]) -> None:
        """What is wanted from now on."""
        now = self._clock()
        self._ended.update(dict.fromkeys(self._wanted.keys() - wanted, now))
        self._wanted = {each: self._wanted.get(each, now) for each in wanted}

    def is_wanted(self, thing: T) -> bool:
        """Whether it is wanted now."""
        return thing in self._wanted

    def last_unwanted(self, thing: T) -> float:
        """When it was last not wanted: now, or just before it began to be."""
        return self._wanted.get(thing, self._clock())

    def unwanted_since(self, thing: T) -> float:
        """Since when it is not wanted; infinity while it is, but for what nobody need have heard of yet."""
        begun, ended = self._wanted.get(thing), self._ended.get(thing, -math.inf)
        return math.inf if begun is not None and begun < self._clock() - _HEARD_WITHIN else ended


class Wishes:
    """Listens to a store. A binding counts once it was admitted: before, and once it is being deleted, it keeps nothing
    enforced. A source that cannot be read changes nothing. Where bindings want a hostname with different CAs, those
    that have it decide about its issuers. `clock` gives Unix time in seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.hostnames = Spells[str](clock)
        self.issuers = Spells[tuple[str, str]](clock)
        """Pairs of a hostname and the subject key identifier of a CA that may have issued for it."""
        self._store = store
        self._issuers_of: dict[str, frozenset[str]] = {}
        """By the uid of a CA or of a binding."""
        store.listeners.append(self._see)

    def retired(self, hostname: str, issuer: str) -> float:
        """Since when clients of an issuer are not to get in to a hostname; infinity while they are, and minus infinity
        where nobody here wants the hostname at all."""
        return self.issuers.unwanted_since((hostname, issuer)) if self.hostnames.is_wanted(hostname) else -math.inf

    def _see(self, change: Change) -> None:
        if change.key.kind not in {HOST_BINDING, CERTIFICATE_AUTHORITY, SECRET}:
            return
        self._read_sources()
        bindings = self._store.find(HOST_BINDING)
        enforced = [(each, _enforced_by(each)) for each in bindings]
        self.hostnames.note(frozenset().union(*(names for _, names in enforced)))
        taken = frozenset[str]().union(*(names & managed_hostnames(each) for each, names in enforced))
        got = ((each, names - (taken - managed_hostnames(each))) for each, names in enforced)
        pairs = ((hostname, issuer) for each, names in got for issuer in self._issuers(each) for hostname in names)
        self.issuers.note(frozenset(pairs))

    def _issuers(self, binding: Body) -> frozenset[str]:
        """Those of its CA's source, as it was when it could last be read; as long as the binding is not admitted those
        of before."""
        uid = binding["metadata"]["uid"]
        reference = binding["spec"]["certificateAuthorityRef"]
        namespace = reference.get("namespace", binding["metadata"]["namespace"])
        key = ObjectKey(CERTIFICATE_AUTHORITY, namespace, reference["name"])
        if is_admitted(binding) and self._store.has(key):
            self._issuers_of[uid] = self._issuers_of.get(self._store.get(key)["metadata"]["uid"], frozenset())
        return self._issuers_of.get(uid, frozenset())

    def _read_sources(self) -> None:
        for body in self._store.find(CERTIFICATE_AUTHORITY):
            source = ObjectKey(SECRET, body["metadata"]["namespace"], body["spec"]["source"]["secretRef"]["name"])
            encoded = self._store.get(source)["data"].get("ca.crt", "") if self._store.has(source) else ""
            if found := _issuers_in(encoded):
                self._issuers_of[body["metadata"]["uid"]] = found


@lru_cache(maxsize=256)
def _issuers_in(encoded: str) -> frozenset[str]:
    try:
        return key_identifiers(base64.b64decode(encoded).decode())
    except ValueError:
        return frozenset()


def _enforced_by(binding: Body) -> frozenset[str]:
    if "deletionTimestamp" in binding["metadata"]:
        return frozenset()
    if binding["spec"].get("enforcement", {}).get("action", "Block") != "Block":
        return frozenset()
    named = frozenset(binding["spec"]["hostnames"])
    if is_admitted(binding):
        return named
    return named & managed_hostnames(binding)


def is_admitted(binding: Body) -> bool:
    """Whether the status says that a binding of this spec is served."""
    generation = binding["metadata"]["generation"]
    true = {
        each["type"]
        for each in binding.get("status", {}).get("conditions", [])
        if each["status"] == "True" and each.get("observedGeneration") == generation
    }
    return {"Accepted", "ResolvedRefs"} <= true
