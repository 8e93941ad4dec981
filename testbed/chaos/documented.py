"""Whether each reason that a condition takes is documented for that condition (`Reason.types`, from which the reference
page is made)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mtls_operator.api.reasons import Reason
from testbed.cluster.objects import CERTIFICATE_AUTHORITY, HOST_BINDING
from testbed.cluster.store import Change, Store

_DOCUMENTED: Final = {(kind.value, reason.value) for reason in Reason for kind in reason.types}


class DocumentedReasons:
    """Listens to a store, and tells `complain` of each pair of a condition and a reason that no page names, once."""

    def __init__(self, store: Store, complain: Callable[[str], object]) -> None:
        self._complain = complain
        self._told: set[tuple[str, str]] = set()
        store.listeners.append(self._see)

    def _see(self, change: Change) -> None:
        if change.key.kind not in {HOST_BINDING, CERTIFICATE_AUTHORITY}:
            return
        for each in change.body.get("status", {}).get("conditions", []):
            pair = each["type"], each["reason"]
            if pair not in self._told | _DOCUMENTED:
                self._told.add(pair)
                self._complain(f"{change.key}: reason {pair[1]} is not documented for condition {pair[0]}")
