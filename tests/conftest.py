"""Fixtures shared by the suites: a real control plane, one for each process that runs tests."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, settings

from testbed.controlplane import ControlPlane, programs

# Machines are shared: how long an example takes says nothing.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


def pytest_configure() -> None:
    """Signals that whoever started us ignores (nohup, a shell's background job) reach the processes that tests start:
    an ignored signal is inherited, and a test that sends one would wait for ever."""
    for number, action in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, action)


@pytest.fixture(scope="session")
def control_plane_programs(pytestconfig: pytest.Config) -> None:
    """The programs of a control plane are there. Building them takes minutes once, so its progress is shown."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        programs.fetch()


@pytest.fixture(scope="session")
def control_plane(control_plane_programs: None) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver with RBAC. Nothing deletes the content of namespaces: use a new one for each test."""
    with ControlPlane.start() as plane:
        yield plane


@pytest.fixture(scope="session")
def control_plane_with_controllers(control_plane_programs: None) -> Iterator[ControlPlane]:
    """A control plane of its own whose namespaces can be deleted, with garbage collection and service accounts."""
    with ControlPlane.start(controller_manager=True) as plane:
        yield plane


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A new namespace of `control_plane`. It stays until the control plane ends."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    control_plane.kubectl("create", "namespace", name)
    return name
