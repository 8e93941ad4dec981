"""What the API server can know is wrong, `kubectl apply` says, naming the field and the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.controlplane import ControlPlane
from tests.e2e.crd_installation import apply, install
from tests.e2e.crd_objects import ACCOUNT, ZONE, certificate_authority, host_binding

INVALID = sorted((Path(__file__).parent / "manifests" / "invalid").glob("*.yaml"))


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """The control plane, with our CRDs."""
    install(control_plane)
    return control_plane


def expectations(manifest: Path) -> list[str]:
    """What the refusal must contain: the field, then words of the reason."""
    lines = manifest.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


@pytest.mark.parametrize("manifest", INVALID, ids=lambda path: path.stem)
def test_an_invalid_manifest_is_refused_with_the_field_and_the_reason(cluster: ControlPlane, manifest: Path) -> None:
    answer = cluster.kubectl("apply", "--filename", str(manifest), check=False)

    expected = expectations(manifest)
    assert answer.returncode != 0, f"accepted: {answer.stdout}"
    assert len(expected) >= 2, "name the field and words of the reason in `# expect:` lines"
    assert [words for words in expected if words not in answer.stderr] == [], answer.stderr


@pytest.mark.parametrize(
    ("make", "before", "after", "field"),
    [
        pytest.param(
            certificate_authority, {"accountId": ACCOUNT}, {"accountId": "f" * 32}, "spec.accountId", id="account"
        ),
        pytest.param(
            host_binding,
            {"zone": {"name": "example.com"}},
            {"zone": {"name": "api.example.com"}},
            "spec.zone",
            id="zone-name",
        ),
        pytest.param(host_binding, {"zone": {"id": ZONE}}, {"zone": {"id": "0" * 32}}, "spec.zone", id="zone-id"),
        pytest.param(
            host_binding, {"zone": {"name": "example.com"}}, {"zone": {"id": ZONE}}, "spec.zone", id="zone-name-to-id"
        ),
        pytest.param(
            host_binding, {"zone": {"id": ZONE}}, {"zone": {"name": "example.com"}}, "spec.zone", id="zone-id-to-name"
        ),
    ],
)
def test_an_edit_of_an_immutable_field_is_refused_with_the_way_out(
    *,
    cluster: ControlPlane,
    namespace: str,
    make: Callable[..., dict[str, Any]],
    before: dict[str, Any],
    after: dict[str, Any],
    field: str,
) -> None:
    apply(cluster, make(namespace, **before))

    answer = apply(cluster, make(namespace, **after), check=False)

    assert answer.returncode != 0
    assert field in answer.stderr
    assert "is immutable: to " in answer.stderr
