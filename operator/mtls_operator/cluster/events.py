"""Events under our own name, in the shape of events.k8s.io/v1."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mtls_operator.api.constants import API_VERSION
from mtls_operator.api.metadata import Metadata

REPORTING_CONTROLLER = "apishield-mtls.io/cloudflare-mtls-operator"
_NOTE_LIMIT = 1024


def event_body(
    kind: str,
    metadata: Metadata,
    *,
    warning: bool,
    reason: str,
    note: str,
    action: str,
    instance: str,
    suffix: str,
    now: datetime,
) -> dict[str, Any]:
    """An event about a resource. `action` is what the operator did or tried; `instance` names the pod; `suffix` makes
    the event's name its own."""
    # The client drops a fraction of zero from the time, and the API server refuses a time without one.
    moment = now.replace(microsecond=max(1, now.microsecond))
    return {
        "metadata": {"name": f"{metadata.name[:200]}.{suffix}", "namespace": metadata.namespace},
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "note": note[:_NOTE_LIMIT],
        "action": action,
        "reportingController": REPORTING_CONTROLLER,
        "reportingInstance": instance[:128],
        "eventTime": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": kind,
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
        },
    }
