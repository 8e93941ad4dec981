"""Our CRDs on a control plane, and objects applied to it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.controlplane import ControlPlane

CRDS = Path(__file__).parents[2] / "deploy" / "crds"
_ATTEMPTS = 100
_PAUSE_SECONDS = 0.1


def install(plane: ControlPlane) -> None:
    """Apply the committed CRDs and wait until objects of both kinds can be listed."""
    plane.kubectl("apply", "--filename", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", str(CRDS))
    # Established says that the API server agrees; its handlers and discovery follow a moment later.
    for _ in range(_ATTEMPTS):
        if plane.kubectl("get", "mtlsca,mtlshb", "--all-namespaces", check=False).returncode == 0:
            return
        time.sleep(_PAUSE_SECONDS)
    raise AssertionError("the CRDs are established, but their objects cannot be listed")


def apply(
    plane: ControlPlane, manifest: Mapping[str, Any], *flags: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """`kubectl apply` of one object."""
    return plane.kubectl("apply", *flags, "--filename", "-", stdin=json.dumps(manifest), check=check)


def read(plane: ControlPlane, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The object as the API server holds it now."""
    metadata = manifest["metadata"]
    answer = plane.kubectl(
        "get", manifest["kind"], metadata["name"], "--namespace", metadata["namespace"], "--output", "json"
    )
    stored: dict[str, Any] = json.loads(answer.stdout)
    return stored


def version(stored: Mapping[str, Any]) -> tuple[str, int]:
    """What changes whenever anything, or the spec, changes."""
    return stored["metadata"]["resourceVersion"], stored["metadata"]["generation"]
