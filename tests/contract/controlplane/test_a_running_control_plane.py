"""What users of the control plane rely on, asked through its own clients."""

from __future__ import annotations

import json
import socket
import subprocess

import pytest

from testbed.controlplane import CommandFailedError, ControlPlane, StartError
from testbed.controlplane.listening import free_port
from testbed.controlplane.recipe import PROGRAMS


def test_client_and_server_are_of_the_pinned_version(control_plane: ControlPlane) -> None:
    answer = json.loads(control_plane.kubectl("version", "--output", "json").stdout)

    versions = {answer["clientVersion"]["gitVersion"], answer["serverVersion"]["gitVersion"]}
    assert versions == {PROGRAMS["kube-apiserver"].module.version}


def test_helm_reaches_the_api_server(control_plane: ControlPlane) -> None:
    assert json.loads(control_plane.helm("list", "--all-namespaces", "--output", "json").stdout) == []


def test_a_service_account_without_rights_is_refused(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "serviceaccount", "nobody", "--namespace", namespace)
    config = control_plane.kubeconfig_for("nobody", namespace)

    refused = control_plane.kubectl("get", "secrets", check=False, kubeconfig=config)

    assert f'User "system:serviceaccount:{namespace}:nobody" cannot list resource "secrets"' in refused.stderr


def test_a_service_account_may_do_what_its_role_grants(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "serviceaccount", "reader", "--namespace", namespace)
    control_plane.kubectl("create", "role", "reader", "--verb=list", "--resource=secrets", "--namespace", namespace)
    granting = ("--role=reader", f"--serviceaccount={namespace}:reader", "--namespace", namespace)
    control_plane.kubectl("create", "rolebinding", "reader", *granting)
    config = control_plane.kubeconfig_for("reader", namespace)

    allowed = control_plane.kubectl("get", "secrets", kubeconfig=config)

    assert allowed.returncode == 0


def test_who_shows_no_identity_is_refused(control_plane: ControlPlane) -> None:
    anonymous = ("--client-certificate=", "--client-key=", "--as=system:anonymous")

    refused = control_plane.kubectl("get", "secrets", "--all-namespaces", *anonymous, check=False)

    assert 'User "system:anonymous" cannot list resource "secrets"' in refused.stderr


def test_a_command_that_fails_says_why(control_plane: ControlPlane) -> None:
    with pytest.raises(CommandFailedError, match='namespaces "no-such" not found') as raised:
        control_plane.kubectl("get", "namespace", "no-such")

    assert isinstance(raised.value, subprocess.CalledProcessError)


def test_a_deleted_namespace_goes_where_the_controllers_run(control_plane_with_controllers: ControlPlane) -> None:
    plane = control_plane_with_controllers
    plane.kubectl("create", "namespace", "short-lived")
    plane.kubectl("create", "configmap", "content", "--namespace", "short-lived")

    plane.kubectl("delete", "namespace", "short-lived", "--wait", "--timeout=60s")

    assert "not found" in plane.kubectl("get", "namespace", "short-lived", check=False).stderr


def test_a_port_that_is_taken_at_the_last_moment_is_replaced(control_plane_programs: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = iter([taken, free_port(), taken, free_port()])

        with ControlPlane.start(choose_port=lambda: next(ports)) as plane:
            ready = plane.kubectl("get", "--raw", "/readyz").stdout

    assert ready == "ok"


def test_a_server_that_cannot_start_shows_the_end_of_its_log(control_plane_programs: None) -> None:
    with pytest.raises(StartError, match=r"(?s)etcd ended with exit code .*invalid port"):
        ControlPlane.start(choose_port=lambda: 70000)
