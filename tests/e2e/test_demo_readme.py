"""The README's installation, as far as it can be done without an image."""

from __future__ import annotations

import shlex

import pytest
import yaml

from testbed.controlplane import ControlPlane
from testbed.demo.stage import ROOT
from tests.unit.docs import pages


def test_the_helm_command_of_the_readme_renders_what_it_says(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    command = shlex.split(pages.block("README.md", "helm install"))

    rendered = control_plane.helm("template", *command[2:]).stdout

    manifests = {each["kind"]: each for each in yaml.safe_load_all(rendered) if each}
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    configuration = yaml.safe_load(next(iter(manifests["ConfigMap"]["data"].values())))
    assert container["image"] == "images.example.com/cloudflare-mtls-operator:0.1.0"
    assert configuration["cloudflare"]["tokenSecretRef"] == {"name": "cloudflare-api-token", "key": "token"}
    assert configuration["operatorCredentials"]["allowed"] == [{"namespaces": ["quickstart"]}]
