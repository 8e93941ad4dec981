"""The chart on a real API server: installing, repeating, upgrading and uninstalling."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from testbed.controlplane import ControlPlane
from tests.e2e.chart_release import CHART, RELEASE, Manifest, Values, install, render, the, uninstall
from tests.e2e.crd_objects import certificate_authority

NAMESPACE: Final = "operator"
CRDS: Final = ("mtlscertificateauthorities.apishield-mtls.io", "mtlshostbindings.apishield-mtls.io")
WITH_TOKEN: Values = {"cloudflare": {"token": {"value": "secret-token"}}, "metrics": {"service": {"enabled": True}}}
KINDS_OF_RELEASE: Final = "serviceaccount,secret,configmap,service,deployment,role,rolebinding"
CLUSTER_KINDS_OF_RELEASE: Final = "clusterrole,clusterrolebinding,customresourcedefinition"


@pytest.fixture(scope="module")
def plane(control_plane_programs: None) -> Iterator[ControlPlane]:
    """A control plane of its own, whose CRDs only the chart installs, with a namespace for restricted pods only."""
    with ControlPlane.start() as plane:
        plane.kubectl("create", "namespace", NAMESPACE)
        plane.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        yield plane


@pytest.fixture
def release(plane: ControlPlane) -> Iterator[ControlPlane]:
    """The same with the chart installed, for one test. CRDs that outlive it are of no harm to the next."""
    install(plane, NAMESPACE, WITH_TOKEN)
    yield plane
    plane.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found")


def versions(plane: ControlPlane) -> dict[str, str]:
    """What changes whenever an object of the release changes."""
    selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
    columns = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{'\\n'}{end}"
    namespaced = plane.kubectl("get", KINDS_OF_RELEASE, "--namespace", NAMESPACE, selector, "--output", columns).stdout
    cluster = plane.kubectl("get", CLUSTER_KINDS_OF_RELEASE, selector, "--output", columns).stdout
    return dict(line.split(" ") for line in f"{namespaced}{cluster}".splitlines())


def crds(plane: ControlPlane) -> list[str]:
    """Names of the CRDs that are there."""
    return plane.kubectl("get", "crd", "--output", "jsonpath={.items[*].metadata.name}").stdout.split()


def pod_of(manifests: list[Manifest]) -> Manifest:
    """The pod that the Deployment would make. Its ServiceAccount is left out: nobody makes tokens here."""
    template = the(manifests, "Deployment")["spec"]["template"]
    metadata = {"name": "operator", "namespace": NAMESPACE, **template["metadata"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def chart_with_another_description(directory: Path) -> Path:
    """A later version of the chart, in which a CRD says something else."""
    copy = directory / "chart"
    shutil.copytree(CHART, copy)
    path = copy / "files" / "crds" / f"{CRDS[1]}.yaml"
    crd = yaml.safe_load(path.read_text(encoding="utf-8"))
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "Said by a later version"
    path.write_text(f"# A later version\n{yaml.safe_dump(crd, sort_keys=False)}", encoding="utf-8")
    return copy


def test_the_pod_is_admitted_where_only_restricted_pods_are(plane: ControlPlane) -> None:
    pod = pod_of(render(plane, WITH_TOKEN, NAMESPACE))

    answer = plane.kubectl("create", "--dry-run=server", "--filename", "-", stdin=json.dumps(pod))

    assert "created" in answer.stdout
    assert "Warning" not in answer.stderr


def test_a_pod_that_may_become_root_would_not_be_admitted_there(plane: ControlPlane) -> None:
    pod = pod_of(render(plane, WITH_TOKEN, NAMESPACE))
    del pod["spec"]["securityContext"]["runAsNonRoot"]

    answer = plane.kubectl("create", "--dry-run=server", "--filename", "-", stdin=json.dumps(pod), check=False)

    assert "violates PodSecurity" in answer.stderr


def test_installing_again_changes_nothing(release: ControlPlane) -> None:
    before = versions(release)

    install(release, NAMESPACE, WITH_TOKEN)

    assert len(before) == 11
    assert versions(release) == before


@pytest.mark.parametrize("flags", [[], ["--server-side", "--field-manager=argocd-controller"]])
def test_applying_what_helm_renders_twice_changes_nothing(
    plane: ControlPlane, namespace_of_gitops: str, flags: list[str]
) -> None:
    values = {**WITH_TOKEN, "fullnameOverride": namespace_of_gitops, "crds": {"enabled": False}}
    manifests = render(plane, values, namespace_of_gitops)
    stream = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    plane.kubectl("apply", *flags, "--filename", "-", stdin=stream)
    read = ("get", "--filename", "-", "--output", "jsonpath={.items[*].metadata.resourceVersion}")
    before = plane.kubectl(*read, stdin=stream).stdout

    plane.kubectl("apply", *flags, "--filename", "-", stdin=stream)

    assert len(before.split()) == len(manifests)
    assert plane.kubectl(*read, stdin=stream).stdout == before


@pytest.fixture
def namespace_of_gitops(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of its own for each case, after which the objects of the cluster are named, too."""
    name = f"gitops-{request.node.callspec.indices['flags']}"
    plane.kubectl("create", "namespace", name)
    yield name
    plane.kubectl("delete", "clusterrole,clusterrolebinding", name)


def test_the_crds_of_the_chart_are_the_generated_ones(release: ControlPlane) -> None:
    generated = CHART.parents[1] / "crds"

    difference = release.kubectl("diff", "--server-side", "--filename", str(generated), check=False)

    assert (difference.returncode, difference.stdout) == (0, "")


def test_an_upgrade_reaches_the_crds(release: ControlPlane, tmp_path: Path) -> None:
    later = chart_with_another_description(tmp_path)

    release.helm("upgrade", RELEASE, str(later), "--namespace", NAMESPACE)

    path = "jsonpath={.spec.versions[0].schema.openAPIV3Schema.description}"
    assert release.kubectl("get", "crd", CRDS[1], "--output", path).stdout == "Said by a later version"


def test_resources_outlive_the_release_and_are_taken_up_by_the_next(release: ControlPlane) -> None:
    release.kubectl("wait", "--for=condition=Established", "crd", *CRDS)
    resource = certificate_authority(NAMESPACE)
    release.kubectl("apply", "--filename", "-", stdin=json.dumps(resource))

    uninstall(release, NAMESPACE)
    install(release, NAMESPACE, WITH_TOKEN)

    name = resource["metadata"]["name"]
    assert release.kubectl("get", "mtlsca", name, "--namespace", NAMESPACE, check=False).returncode == 0


def test_nothing_but_the_crds_outlives_the_release(release: ControlPlane) -> None:
    uninstall(release, NAMESPACE)

    assert set(versions(release)) == {f"CustomResourceDefinition/{name}" for name in CRDS}


def test_the_crds_go_with_the_release_where_the_values_say_so(plane: ControlPlane) -> None:
    install(plane, NAMESPACE, {"crds": {"keep": False}})

    uninstall(plane, NAMESPACE)
    plane.kubectl("wait", "--for=delete", "crd", *CRDS, "--timeout=60s")

    assert crds(plane) == []


def test_the_notes_say_how_to_see_that_it_works_and_how_to_leave(plane: ControlPlane) -> None:
    notes = plane.helm("install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--dry-run=client").stdout

    assert f"rollout status deployment/{RELEASE}" in notes
    assert "API token of the operator: none." in notes
    assert "kubectl delete mtlshb,mtlsca --all --all-namespaces" in notes
