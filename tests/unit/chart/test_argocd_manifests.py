"""What Argo CD is given besides the script."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.unit.chart.argo_health import ARGOCD, SCRIPT


def documents(name: str) -> list[dict[str, Any]]:
    """The objects of one file."""
    return list(yaml.safe_load_all((ARGOCD / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", ["MtlsCertificateAuthority", "MtlsHostBinding"])
def test_the_config_map_holds_the_script_for_each_kind(kind: str) -> None:
    (config_map,) = documents("argocd-cm.yaml")

    assert config_map["data"][f"resource.customizations.health.apishield-mtls.io_{kind}"] == SCRIPT


def test_the_config_map_changes_no_other_setting_of_argo_cd() -> None:
    (config_map,) = documents("argocd-cm.yaml")

    assert config_map["metadata"] == {"name": "argocd-cm", "namespace": "argocd"}
    assert len(config_map["data"]) == 2


def test_the_config_map_is_what_the_renderer_writes() -> None:
    command = [sys.executable, str(ARGOCD / "render.py")]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert (ARGOCD / "argocd-cm.yaml").read_text(encoding="utf-8") == rendered


def test_each_cluster_of_the_application_set_has_an_owner_id_of_its_own() -> None:
    operator, _ = documents("applicationset.yaml")

    assert operator["spec"]["template"]["spec"]["source"]["helm"]["valuesObject"]["ownerId"] == "{{ .nameNormalized }}"


def test_only_the_application_of_the_resources_waits_for_their_deletion() -> None:
    operator, resources = documents("applicationset.yaml")
    (single,) = documents("application.yaml")

    assert "finalizers" not in operator["spec"]["template"]["metadata"]
    assert "finalizers" not in single["metadata"]
    assert resources["spec"]["template"]["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
