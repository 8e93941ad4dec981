"""Who is told of what a watch sees, and in which form: as kopf, and as the operator's reflectors tell it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mtls_operator.domain.sources import SourceData, Unreadable
from testbed.cluster.objects import SECRET, Body


class Observe(Protocol):
    """`Engine.observe`."""

    def __call__(self, kind: str, body: Mapping[str, Any], *, deleted: bool) -> None:
        """Something was seen of an object."""


@dataclass(frozen=True, slots=True)
class ResourceAudience:
    """Objects of one of our kinds, as kopf's `on.event` handlers get them: what vanished in a gap is not told."""

    kind: str
    observe: Observe

    def on_list(self, bodies: list[Body]) -> None:
        for body in bodies:
            self.observe(self.kind, body, deleted=False)

    def on_change(self, body: Body, *, deleted: bool) -> None:
        self.observe(self.kind, body, deleted=deleted)

    def on_trouble(self, why: str) -> None:
        """kopf says nothing of it to handlers."""


@dataclass(frozen=True, slots=True)
class SourceAudience:
    """The data of one Secret or ConfigMap, None while there is none, Unreadable when it cannot be read."""

    kind: str
    on_data: Callable[[SourceData], None]

    def on_list(self, bodies: list[Body]) -> None:
        self.on_data(_data(self.kind, bodies[0]) if bodies else None)

    def on_change(self, body: Body, *, deleted: bool) -> None:
        self.on_data(None if deleted else _data(self.kind, body))

    def on_trouble(self, why: str) -> None:
        self.on_data(Unreadable(why))


@dataclass(frozen=True, slots=True)
class LabelAudience:
    """The labels of namespaces; None for one that is gone, also when it went in a gap."""

    on_labels: Callable[[str, Mapping[str, str] | None], None]
    told: set[str] = field(default_factory=set)

    def on_list(self, bodies: list[Body]) -> None:
        present = {body["metadata"]["name"] for body in bodies}
        for gone in sorted(self.told - present):
            self._forget(gone)
        for body in bodies:
            self.on_change(body, deleted=False)

    def on_change(self, body: Body, *, deleted: bool) -> None:
        metadata = body["metadata"]
        if deleted:
            self._forget(metadata["name"])
        else:
            self.told.add(metadata["name"])
            self.on_labels(metadata["name"], metadata.get("labels", {}))

    def on_trouble(self, why: str) -> None:
        """What was told stays true."""

    def _forget(self, name: str) -> None:
        self.told.discard(name)
        self.on_labels(name, None)


def _data(kind: str, body: Body) -> Mapping[str, bytes]:
    data = body.get("data", {})
    if kind == SECRET:
        return {name: base64.b64decode(value) for name, value in data.items()}
    text = {name: value.encode() for name, value in data.items()}
    return text | {name: base64.b64decode(value) for name, value in body.get("binaryData", {}).items()}
