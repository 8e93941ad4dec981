"""The chart, rendered and installed by a real helm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from testbed.controlplane import ControlPlane

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "cloudflare-mtls-operator"
RELEASE = "cloudflare-mtls-operator"

Manifest = dict[str, Any]
Values = Mapping[str, Any]


def install(plane: ControlPlane, namespace: str, values: Values | None = None) -> None:
    """Install or upgrade the release. Without waiting: there is no node to run the pod on."""
    plane.helm("upgrade", "--install", *_of(namespace, "--values", "-"), stdin=json.dumps(values or {}))


def uninstall(plane: ControlPlane, namespace: str) -> None:
    """As a user does."""
    plane.helm("uninstall", RELEASE, "--namespace", namespace)


def render(plane: ControlPlane, values: Values | None = None, namespace: str = "operator") -> list[Manifest]:
    """What the chart would create."""
    text = plane.helm("template", *_of(namespace, "--values", "-"), stdin=json.dumps(values or {})).stdout
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def refusal(plane: ControlPlane, values: Values) -> str:
    """What helm says to values that the chart does not take."""
    arguments = ("template", *_of("operator", "--values", "-"))
    refused: subprocess.CompletedProcess[str] = plane.helm(*arguments, stdin=json.dumps(values), check=False)
    assert refused.returncode != 0, "helm took the values"
    return refused.stderr


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Those of this kind, in their order."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def the(manifests: list[Manifest], kind: str) -> Manifest:
    """The only one of this kind."""
    (manifest,) = of_kind(manifests, kind)
    return manifest


def _of(namespace: str, *more: str) -> tuple[str, ...]:
    return (RELEASE, str(CHART), "--namespace", namespace, *more)
