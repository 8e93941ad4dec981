"""What users wanted to stay at Cloudflare when they deleted what it was there for."""

from __future__ import annotations

from dataclasses import dataclass, field

from testbed.cluster.objects import CERTIFICATE_AUTHORITY, HOST_BINDING, Body
from testbed.cluster.store import Change, Store


@dataclass
class Retention:
    """Listens to the stores of all clusters. Whether it does stay depends on how far things had come."""

    hostnames: set[str] = field(default_factory=set)
    """May stay on lists and in rules that are marked as retained."""
    certificates: set[str] = field(default_factory=set)
    """Ids of those that may stay though nobody uses them."""

    def listen(self, store: Store) -> None:
        """Take note of what is deleted from now on."""
        store.listeners.append(self._see)

    def _see(self, change: Change) -> None:
        body = change.body
        going = "deletionTimestamp" in body["metadata"] or change.type == "DELETED"
        if not going or body.get("spec", {}).get("deletionPolicy") != "Retain":
            return
        if change.key.kind == HOST_BINDING:
            self.hostnames |= {*body["spec"]["hostnames"], *_managed(body)}
        elif change.key.kind == CERTIFICATE_AUTHORITY:
            self.certificates |= _certificates(body)


def _managed(binding: Body) -> set[str]:
    return {name for each in binding.get("status", {}).get("managed", []) for name in each["hostnames"]}


def _certificates(authority: Body) -> set[str]:
    status = authority.get("status", {})
    held = {status.get("certificateId"), *(each.get("certificateId") for each in status.get("retiring", []))}
    return {each for each in held if each is not None}
