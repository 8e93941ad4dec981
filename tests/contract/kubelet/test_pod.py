"""A Deployment's pod as a process: what it gets, how it ends, what is refused."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from testbed.controlplane import ControlPlane, StartError
from testbed.kubelet import Host, Pod, PodCannotStartError
from tests.contract.controlplane.processes import running_with

Deploy = Callable[[Callable[[dict[str, Any]], None]], str]

PROGRAM = Path(__file__).parent / "container.py"
CONTAINER = Host(command=(sys.executable, str(PROGRAM)))


def unchanged(container: dict[str, Any]) -> None:
    return


def first_line(pod: Pod) -> dict[str, Any]:
    """What the container says it was started with."""
    pod.wait_until_ready()
    said: dict[str, Any] = json.loads(pod.log_text().splitlines()[0])
    return said


def test_the_container_gets_the_environment_of_the_template(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        environment = first_line(pod)["environment"]

    assert environment["POD_NAMESPACE"] == namespace
    assert environment["POD_NAME"].startswith("operator-")
    assert environment["TOKEN"] == "from-a-secret"


def test_no_variable_of_this_user_reaches_the_container(
    control_plane: ControlPlane, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "of-this-user")
    namespace = deploy(unchanged)

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        environment = first_line(pod)["environment"]

    assert "CLOUDFLARE_API_TOKEN" not in environment


def test_paths_of_mounts_lead_to_the_mounted_files(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        started = first_line(pod)

    assert started["config"] == "ownerId: first\n"
    assert started["arguments"][1] == f"--config={started['arguments'][2]}"


def test_probes_are_answered_on_a_port_of_its_own(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)
    first = Pod.start(control_plane, namespace, "operator", runtime=CONTAINER)

    with first, Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as second:
        first.wait_until_ready()
        second.wait_until_ready()
        statuses = [httpx.get(pod.liveness_url).status_code for pod in (first, second)]

    assert statuses == [200, 200]


def test_its_kubeconfig_has_the_rights_of_the_service_account(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        kubeconfig = Path(first_line(pod)["environment"]["KUBECONFIG"])
        who = control_plane.kubectl("auth", "whoami", "--output=json", kubeconfig=kubeconfig).stdout

    assert json.loads(who)["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:operator"


def test_a_restart_runs_what_the_deployment_says_by_then(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)
    patch = json.dumps({"data": {"config.yaml": "ownerId: second\n"}})

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        pod.wait_until_ready()
        control_plane.kubectl("patch", "configmap", "config", "--namespace", namespace, "--patch", patch)
        pod.kill9()
        pod.restart()
        pod.wait_until_ready()
        configurations = [json.loads(line)["config"] for line in pod.log_text().splitlines()]

    assert configurations == ["ownerId: first\n", "ownerId: second\n"]


def test_a_kill_leaves_no_time_to_end(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        pod.wait_until_ready()
        pod.kill9()
        ended_by = pod.exit_code

    assert ended_by == -signal.SIGKILL


def test_a_stop_lets_it_end_by_itself(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        pod.wait_until_ready()
        exit_code = pod.stop()

    assert exit_code == 7


def test_nothing_is_left_of_a_pod_that_is_closed(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)

    with Pod.start(control_plane, namespace, "operator", runtime=CONTAINER) as pod:
        config = Path(first_line(pod)["arguments"][2])
        before = running_with(str(config))

    assert len(before) == 1
    assert running_with(str(config)) == []
    assert not config.exists()


def test_a_container_that_ends_at_once_shows_its_log(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)
    failing = Host(command=(sys.executable, "-c", "raise SystemExit('no such configuration')"))

    with (
        Pod.start(control_plane, namespace, "operator", runtime=failing) as pod,
        pytest.raises(StartError, match=r"(?s)ended with exit code 1.*no such configuration"),
    ):
        pod.wait_until_ready()


def test_a_missing_secret_keeps_the_pod_from_starting(control_plane: ControlPlane, deploy: Deploy) -> None:
    namespace = deploy(unchanged)
    control_plane.kubectl("delete", "secret", "token", "--namespace", namespace)

    with pytest.raises(PodCannotStartError, match='secret "token" not found'):
        Pod.start(control_plane, namespace, "operator", runtime=CONTAINER)


def test_what_only_a_real_kubelet_can_do_is_refused(control_plane: ControlPlane, deploy: Deploy) -> None:
    def ask_for_a_node_name(container: dict[str, Any]) -> None:
        container["env"].append({"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}})

    namespace = deploy(ask_for_a_node_name)

    with pytest.raises(PodCannotStartError, match="environment variable NODE is not played here"):
        Pod.start(control_plane, namespace, "operator", runtime=CONTAINER)
