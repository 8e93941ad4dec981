"""JSON patches (RFC 6902) with the operations that clients of this cluster use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.cluster.objects import Body, copied, copied_value
from testbed.cluster.refusal import invalid


def patched(body: Body, operations: Sequence[Mapping[str, Any]]) -> Body:
    """A body with the operations applied in their order. Raises RefusalError 422: the API server answers so when a
    test fails or a path does not exist."""
    result = copied(body)
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(body: Body, operation: Mapping[str, Any]) -> None:
    name, path = operation["op"], operation["path"]
    parent, last = _place(body, path)
    match name:
        case "test":
            if _read(parent, last, path) != operation.get("value"):
                raise invalid(f"testing path {path} failed: it has another value")
        case "add":
            _add(parent, last, copied_value(operation["value"]))
        case "replace":
            _read(parent, last, path)
            parent[last] = copied_value(operation["value"])
        case "remove":
            _read(parent, last, path)
            del parent[last]
        case _:
            raise NotImplementedError(f"JSON patch operation {name} is not simulated")


def _place(body: Body, path: str) -> tuple[Any, Any]:
    """The container that a path points into, and the key or index in it."""
    words = [word.replace("~1", "/").replace("~0", "~") for word in path.split("/")[1:]]
    parent: Any = body
    for word in words[:-1]:
        parent = _read(parent, _index(parent, word), path)
    return parent, _index(parent, words[-1])


def _index(parent: Any, word: str) -> Any:
    if isinstance(parent, list):
        return len(parent) if word == "-" else int(word)
    return word


def _read(parent: Any, last: Any, path: str) -> Any:
    try:
        return parent[last]
    except (KeyError, IndexError, TypeError):
        raise invalid(f"the path {path} does not exist") from None


def _add(parent: Any, last: Any, value: Any) -> None:
    if isinstance(parent, list):
        parent.insert(last, value)
    else:
        parent[last] = value
