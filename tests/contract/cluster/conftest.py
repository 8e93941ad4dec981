"""The two clusters that the contract is about."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from testbed.controlplane import ControlPlane
from tests.contract.cluster.real import real_cluster
from tests.contract.cluster.simulated import simulated_cluster
from tests.contract.cluster.world import Cluster
from tests.e2e import crd_installation


@pytest.fixture(scope="session")
def plane_with_crds(control_plane: ControlPlane) -> ControlPlane:
    """The common control plane, with our CRDs."""
    crd_installation.install(control_plane)
    return control_plane


@pytest.fixture(scope="session")
def controllers_with_crds(control_plane_with_controllers: ControlPlane) -> ControlPlane:
    """The control plane whose namespaces can be deleted, with our CRDs."""
    crd_installation.install(control_plane_with_controllers)
    return control_plane_with_controllers


@pytest.fixture(params=["simulated", "real"])
async def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    """A cluster with a new namespace. Nothing deletes the content of a namespace there."""
    namespace = f"contract-{uuid.uuid4().hex[:10]}"
    if request.param == "simulated":
        yield simulated_cluster(namespace)
        return
    plane: ControlPlane = request.getfixturevalue("plane_with_crds")
    async with _real(plane, namespace, monkeypatch) as found:
        yield found


@pytest.fixture(params=["simulated", "real"])
async def cluster_with_controllers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    """A cluster with a new namespace, which can be deleted."""
    namespace = f"contract-{uuid.uuid4().hex[:10]}"
    if request.param == "simulated":
        yield simulated_cluster(namespace)
        return
    plane: ControlPlane = request.getfixturevalue("controllers_with_crds")
    async with _real(plane, namespace, monkeypatch) as found:
        yield found


@asynccontextmanager
async def _real(plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    async with real_cluster(plane.kubeconfig, namespace) as cluster:
        await cluster.users.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield cluster
