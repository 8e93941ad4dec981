"""JSON patches (RFC 6902) with the operations that clients of this cluster use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.cluster.objects import Body, copied_value
from testbed.cluster.refusal import RefusalError, invalid


def patched(body: Body, operations: Sequence[Mapping[str, Any]]) -> Body:
    """A body with the operations applied in their order. Raises RefusalError 422: the API server answers so when a
    test fails or a path does not exist. What did not change is shared with the body, which stays as it is."""
    result = body
    for operation in operations:
        result, parent, last = _opened(result, operation["path"])
        _apply(parent, last, operation)
    return result


def _apply(parent: Any, last: Any, operation: Mapping[str, Any]) -> None:
    name = operation["op"]
    match name:
        case "test":
            if _read(parent, last) != operation.get("value"):
                raise _refusal()
        case "add":
            _add(parent, last, copied_value(operation["value"]))
        case "replace":
            _read(parent, last)
            parent[last] = copied_value(operation["value"])
        case "remove":
            _read(parent, last)
            del parent[last]
        case _:
            raise NotImplementedError(f"JSON patch operation {name} is not simulated")


def _opened(body: Body, path: str) -> tuple[Body, Any, Any]:
    """A body with containers of its own along a path, the container that the path points into, and the key or index
    in it."""
    words = [word.replace("~1", "/").replace("~0", "~") for word in path.split("/")[1:]]
    opened: Body = {**body}
    parent: Any = opened
    for word in words[:-1]:
        index = _index(parent, word)
        parent[index] = _shallow_copy(_read(parent, index))
        parent = parent[index]
    return opened, parent, _index(parent, words[-1])


def _shallow_copy(container: Any) -> Any:
    if isinstance(container, dict):
        return {**container}
    return [*container] if isinstance(container, list) else container


def _index(parent: Any, word: str) -> Any:
    if isinstance(parent, list):
        return len(parent) if word == "-" else int(word)
    return word


def _read(parent: Any, last: Any) -> Any:
    try:
        return parent[last]
    except (KeyError, IndexError, TypeError):
        raise _refusal() from None


def _refusal() -> RefusalError:
    """All that the API server says of a patch that cannot be applied, whether a test failed or a path is missing."""
    return invalid("the server rejected our request due to an error in our request")


def _add(parent: Any, last: Any, value: Any) -> None:
    if isinstance(parent, list):
        parent.insert(last, value)
    else:
        parent[last] = value
