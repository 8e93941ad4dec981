"""What people do to a cluster: kubectl in the hands of its users, at once and without faults.

Each method raises RefusalError as the API server would, and returns the object as it is then.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from testbed.cluster.json_patch import patched
from testbed.cluster.objects import CONFIG_MAP, KINDS, NAMESPACE, SECRET, Body, ObjectKey, copied, key_of
from testbed.cluster.refusal import RefusalError
from testbed.cluster.store import Store

Note = Callable[[str, str], object]
T = TypeVar("T")
_MERGED = ("labels", "annotations")


class Users:
    """`note` is told what was done and what came of it."""

    def __init__(self, store: Store, note: Note) -> None:
        self._store = store
        self._note = note

    def create(self, manifest: Mapping[str, Any]) -> Body:
        """`kubectl create`."""
        body = _completed(manifest)
        return self._changed(f"create {key_of(body)}", lambda: self._store.create(body))

    def apply(self, manifest: Mapping[str, Any]) -> Body:
        """`kubectl apply`: the object gets the manifest's spec or data whole, and its labels and annotations beside
        those that others have set. A status in the manifest has no effect."""
        body = _completed(manifest)
        key = key_of(body)
        if not self._store.has(key):
            return self._changed(f"apply {key}", lambda: self._store.create(body))
        return self._changed(f"apply {key}", lambda: self._store.update(key, lambda old: _applied(copied(old), body)))

    def replace(self, body: Mapping[str, Any]) -> Body:
        """`kubectl replace`: refused with 409 when the object is at another resource version than this body."""
        key = key_of(body)
        return self._changed(f"replace {key}", lambda: self._store.update(key, lambda _: copied(body)))

    def edit(self, kind: str, namespace: str, name: str, change: Callable[[Body], object]) -> Body:
        """`kubectl edit`: `change` works on the body in place."""
        key = ObjectKey(kind, namespace, name)

        def edited(stored: Body) -> Body:
            body = copied(stored)
            change(body)
            return body

        return self._changed(f"edit {key}", lambda: self._store.update(key, edited))

    def patch(self, kind: str, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Body:
        """`kubectl patch --type=json`."""
        key = ObjectKey(kind, namespace, name)
        return self._changed(f"patch {key}", lambda: self._store.update(key, lambda body: patched(body, operations)))

    def annotate(self, kind: str, namespace: str, name: str, annotations: Mapping[str, str | None]) -> Body:
        """`kubectl annotate --overwrite`; None removes one."""
        return self._mark("annotate", "annotations", ObjectKey(kind, namespace, name), annotations)

    def label(self, kind: str, namespace: str, name: str, labels: Mapping[str, str | None]) -> Body:
        """`kubectl label --overwrite`; None removes one."""
        return self._mark("label", "labels", ObjectKey(kind, namespace, name), labels)

    def write_status(self, kind: str, namespace: str, name: str, status: Mapping[str, Any] | None) -> Body:
        """`kubectl replace --subresource=status`; None loses it."""
        key = ObjectKey(kind, namespace, name)

        def edited(stored: Body) -> Body:
            body = {name: value for name, value in stored.items() if name != "status"}
            return body if status is None else {**body, "status": copied(status)}

        return self._changed(f"write status of {key}", lambda: self._store.update_status(key, edited))

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """`kubectl delete --wait=false`. A Namespace needs a running event loop, for its controller."""
        key = ObjectKey(kind, namespace, name)
        self._do(f"delete {key}", lambda: self._store.delete(key))

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> Body:
        """A namespace."""
        return self.create({"kind": NAMESPACE, "metadata": {"name": name, "labels": dict(labels or {})}})

    def delete_namespace(self, name: str) -> None:
        """A namespace and everything in it, in an order that the rng chooses, over time."""
        self.delete(NAMESPACE, "", name)

    def put_secret(self, namespace: str, name: str, data: Mapping[str, str | bytes]) -> Body:
        """Create or change a Secret, so that it holds exactly this."""
        return self.apply({"kind": SECRET, "metadata": {"namespace": namespace, "name": name}, "data": _encoded(data)})

    def put_config_map(self, namespace: str, name: str, data: Mapping[str, str]) -> Body:
        """Create or change a ConfigMap, so that it holds exactly this."""
        return self.apply({"kind": CONFIG_MAP, "metadata": {"namespace": namespace, "name": name}, "data": dict(data)})

    def read(self, kind: str, namespace: str, name: str) -> Body | None:
        """An object, None when there is none."""
        key = ObjectKey(kind, namespace, name)
        return copied(self._store.get(key)) if self._store.has(key) else None

    def list_all(self, kind: str, namespace: str | None = None) -> list[Body]:
        """The objects of a kind."""
        return [copied(each) for each in self._store.find(kind, namespace)]

    def _mark(self, verb: str, field: str, key: ObjectKey, marks: Mapping[str, str | None]) -> Body:
        def edited(body: Body) -> Body:
            merged = {**body["metadata"].get(field, {}), **marks}
            kept = {name: value for name, value in merged.items() if value is not None}
            return {**body, "metadata": {**body["metadata"], field: kept}}

        return self._changed(f"{verb} {key}", lambda: self._store.update(key, edited))

    def _changed(self, what: str, act: Callable[[], Body]) -> Body:
        return copied(self._do(what, act))

    def _do(self, what: str, act: Callable[[], T]) -> T:
        try:
            result = act()
        except RefusalError as refusal:
            self._note(what, str(refusal.status))
            raise
        self._note(what, "ok")
        return result


def _completed(manifest: Mapping[str, Any]) -> Body:
    """As the API server reads it: texts of a Secret become data, a Namespace gets its own name as a label."""
    body: Body = {"apiVersion": KINDS[manifest["kind"]].api_version, **copied(manifest)}
    metadata = body["metadata"]
    metadata.pop("resourceVersion", None)
    if texts := body.pop("stringData", None):
        body["data"] = {**body.get("data", {}), **_encoded(texts)}
    if body["kind"] == SECRET:
        body.setdefault("type", "Opaque")
    if body["kind"] == NAMESPACE:
        metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
        body["spec"], body["status"] = {"finalizers": ["kubernetes"]}, {"phase": "Active"}
    return body


def _applied(old: Body, manifest: Body) -> Body:
    metadata = old["metadata"]
    for field in _MERGED:
        metadata[field] = {**metadata.get(field, {}), **manifest["metadata"].get(field, {})}
    return {**manifest, "metadata": metadata, **({"status": old["status"]} if "status" in old else {})}


def _encoded(data: Mapping[str, str | bytes]) -> dict[str, str]:
    raw = {key: value.encode() if isinstance(value, str) else value for key, value in data.items()}
    return {key: base64.b64encode(value).decode() for key, value in raw.items()}
