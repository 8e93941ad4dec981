"""Revocation lists of the CAs of the stories, each in a Secret of its own beside that of the CA's source."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.chaos.authorities import SOURCES, key_of, root
from testbed.cluster.objects import SECRET, Body, ObjectKey
from testbed.cluster.store import Change, Store

KEY: Final = "crl.pem"
"""Of the Secret's data."""
_VALID: Final = timedelta(days=7300)
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """A serial number that a list names, or has named before, since a moment (Unix time, seconds)."""

    serial: str
    named: bool
    since: float


def secret_of(bundle: str) -> str:
    """The name of the Secret with the list of a bundle's CA."""
    return f"{bundle}-revoked"


@functools.cache
def list_of(bundle: str, serials: frozenset[str]) -> str:
    """What the first CA of a bundle has revoked, as PEM; serial numbers in hex."""
    issuer = root(SOURCES[bundle][0][0])
    begins = issuer.not_valid_before_utc
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(begins)
        .next_update(begins + _VALID)
    )
    for serial in sorted(serials):
        entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(begins)
        builder = builder.add_revoked_certificate(entry.build())
    key = key_of(SOURCES[bundle][0][0])
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.PEM).decode()


def named_by(store: Store, authority: Body) -> frozenset[str]:
    """The serial numbers, in hex, that the list names to which a CA resource refers."""
    key = _key_of(authority)
    return _NONE if key is None or not store.has(key) else _named_in(store.get(key))


class Lists:
    """Listens to a store, and tells since when a serial number is on a list, or is not any more."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[ObjectKey, dict[str, Entry]] = {}
        for secret in store.find(SECRET):
            self._note(ObjectKey(SECRET, secret["metadata"]["namespace"], secret["metadata"]["name"]), secret)
        store.listeners.append(lambda change: self._note(change.key, change.body))

    def of(self, authority: Body) -> tuple[Entry, ...]:
        """What was ever on the list to which a CA resource refers."""
        key = _key_of(authority)
        return () if key is None else tuple(self._entries.get(key, {}).values())

    def _note(self, key: ObjectKey, body: Body) -> None:
        if not _is_list(key, body):
            return
        entries, named = self._entries.setdefault(key, {}), _named_in(body)
        for serial in sorted(named | entries.keys()):
            before = entries.get(serial)
            if before is None or before.named != (serial in named):
                entries[serial] = Entry(serial, serial in named, self._clock())


def is_list(change: Change) -> bool:
    """Whether it is about a Secret with a list."""
    return _is_list(change.key, change.body)


def _is_list(key: ObjectKey, body: Body) -> bool:
    return key.kind == SECRET and KEY in body.get("data", {})


def _key_of(authority: Body) -> ObjectKey | None:
    source = authority["spec"].get("revocation")
    return ObjectKey(SECRET, authority["metadata"]["namespace"], source["secretRef"]["name"]) if source else None


def _named_in(secret: Body) -> frozenset[str]:
    return _serials_in(secret["data"][KEY])


@functools.lru_cache(maxsize=64)
def _serials_in(encoded: str) -> frozenset[str]:
    return frozenset(f"{each.serial_number:X}" for each in x509.load_pem_x509_crl(base64.b64decode(encoded)))
