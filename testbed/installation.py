"""One installation of the operator, as a user makes it: the chart by the real helm, the pod by our kubelet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.controlplane import ControlPlane
from testbed.kubelet import Pod
from testbed.kubelet.runtime import Runtime

CHART = Path(__file__).resolve().parent.parent / "deploy" / "helm" / "cloudflare-mtls-operator"
RELEASE = "cloudflare-mtls-operator"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the operator is installed, and what it is told of Cloudflare. Times in seconds."""

    namespace: str
    cloudflare_url: str
    token: str
    window: float = 1.0
    owner: str | None = None
    allowed: tuple[Mapping[str, list[str]], ...] = ({},)
    """Whom the operator's own token serves; absent: everybody."""


@contextmanager
def installed(control_plane: ControlPlane, site: Site, runtime: Runtime | None = None) -> Iterator[Pod]:
    """The chart installed into the site's namespace and its pod running and ready, until the block ends.

    `runtime`: how to run the pod; from this checkout if absent.
    """
    helm_install(control_plane, site)
    try:
        with Pod.start(control_plane, site.namespace, RELEASE, runtime=runtime) as pod:
            pod.wait_until_ready()
            yield pod
    finally:
        control_plane.helm("uninstall", RELEASE, "--namespace", site.namespace)


def helm_install(control_plane: ControlPlane, site: Site) -> None:
    """Install the chart, or upgrade it to these values."""
    where = ("--namespace", site.namespace, "--create-namespace")
    values = json.dumps(_values(site))
    control_plane.helm("upgrade", "--install", RELEASE, str(CHART), *where, "--values", "-", stdin=values)


def _values(site: Site) -> dict[str, object]:
    return {
        "ownerId": site.owner,
        "cloudflare": {
            "baseUrl": site.cloudflare_url,
            "consistencyWindow": site.window,
            "settleTime": site.window,
            "token": {"value": site.token},
        },
        "operatorCredentials": {"allowed": [dict(use) for use in site.allowed]},
    }
