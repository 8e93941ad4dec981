"""Events under our own name, in the shape of events.k8s.io/v1."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from mtls_operator.api.constants import API_VERSION
from mtls_operator.api.metadata import Metadata

REPORTING_CONTROLLER = "apishield-mtls.io/cloudflare-mtls-operator"
_NOTE_LIMIT = 1024


def event_body(
    kind: str, metadata: Metadata, *, warning: bool, reason: str, note: str, action: str, instance: str, now: datetime
) -> dict[str, Any]:
    """An event about a resource. `action` is what the operator did or tried; `instance` names the pod."""
    return {
        "metadata": {"name": f"{metadata.name[:200]}.{uuid.uuid4().hex[:16]}", "namespace": metadata.namespace},
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "note": note[:_NOTE_LIMIT],
        "action": action,
        "reportingController": REPORTING_CONTROLLER,
        "reportingInstance": instance[:128],
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": kind,
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid,
        },
    }
