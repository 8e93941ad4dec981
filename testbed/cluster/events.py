"""What the API server demands of an event of events.k8s.io/v1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from testbed.cluster.refusal import RefusalError, invalid

_NEEDED: Final = ("eventTime", "reportingController", "reportingInstance", "action", "reason")
_LONGEST: Final = {"reportingInstance": 128, "action": 128, "reason": 128, "note": 1024}
"""Characters: kubernetes, pkg/apis/core/validation/events.go."""


def check_event(namespace: str, event: Mapping[str, Any]) -> None:
    """Raises RefusalError 400 or 422."""
    if event["metadata"].get("namespace", namespace) != namespace:
        raise RefusalError(400, "the namespace of the event is not the namespace of the request")
    if missing := [field for field in _NEEDED if not event.get(field)]:
        raise invalid(f"an event needs {', '.join(missing)}")
    if long := [field for field, limit in _LONGEST.items() if len(event.get(field, "")) > limit]:
        raise invalid(f"too long in an event: {', '.join(long)}")
    if event.get("type") not in {"Normal", "Warning"}:
        raise invalid("the type of an event is Normal or Warning")
