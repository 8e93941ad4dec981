"""What users wanted to stay at Cloudflare when they deleted what it was there for."""

from __future__ import annotations

from dataclasses import dataclass, field

from testbed.chaos.records import certificates, enforced_hostnames, managed_hostnames
from testbed.cluster.objects import CERTIFICATE_AUTHORITY, HOST_BINDING
from testbed.cluster.store import Change, Store


@dataclass
class Retention:
    """Listens to the stores of all clusters. Whether it does stay depends on how far things had come."""

    hostnames: set[str] = field(default_factory=set)
    """May stay on lists and in rules that are marked as retained."""
    associated: set[str] = field(default_factory=set)
    """Those of them that had not come into a rule when their binding went: they may stay on lists without one."""
    certificates: set[str] = field(default_factory=set)
    """Ids of those that may stay though nobody uses them."""

    def listen(self, store: Store) -> None:
        """Take note of what is deleted from now on."""
        store.listeners.append(self._see)

    def _see(self, change: Change) -> None:
        body = change.body
        going = "deletionTimestamp" in body["metadata"] or change.type == "DELETED"
        spec = body.get("spec", {})
        if not going or (spec.get("deletionPolicy") != "Retain" and spec.get("managementPolicy") != "Observe"):
            return
        if change.key.kind == HOST_BINDING:
            self.hostnames |= {*body["spec"]["hostnames"], *managed_hostnames(body)}
            self.associated |= managed_hostnames(body) - enforced_hostnames(body)
        elif change.key.kind == CERTIFICATE_AUTHORITY:
            self.certificates |= certificates(body)
