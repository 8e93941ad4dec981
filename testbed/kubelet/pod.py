"""A pod of a Deployment, running as a child process with exactly the rights of the Deployment's service account."""

from __future__ import annotations

import atexit
import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from testbed.controlplane import Child, ControlPlane, StartError, scratch
from testbed.controlplane.listening import free_port
from testbed.kubelet.runtime import Host, Runtime
from testbed.kubelet.template import Objects, PodTemplate

_POLL = 0.05


@dataclass(frozen=True, slots=True)
class _Run:
    """One start of the container."""

    child: Child
    template: PodTemplate
    ports: Mapping[int, int]
    """The port of this machine that stands for each container port."""
    ends: ExitStack

    def url(self, probe: str) -> str:
        path, port = self.template.probe(probe)
        return f"http://127.0.0.1:{self.ports[port]}{path}"


class Pod:
    """The pod of a Deployment. Use as `with Pod.start(...) as pod:`; it ends with the block, or with this process."""

    def __init__(
        self,
        control_plane: ControlPlane,
        namespace: str,
        deployment: str,
        runtime: Runtime,
        environment: dict[str, str],
    ) -> None:
        self._control_plane = control_plane
        self._namespace = namespace
        self._deployment = deployment
        self._runtime = runtime
        self._extra = environment
        self._name = f"{deployment}-{secrets.token_hex(4)}"
        with ExitStack() as ends:
            self._log = ends.enter_context(scratch.directory()) / "log"
            self._run = self._begin()
            self._ends = ends.pop_all()
        atexit.register(self.close)

    @classmethod
    def start(
        cls,
        control_plane: ControlPlane,
        namespace: str,
        deployment: str,
        *,
        runtime: Runtime | None = None,
        environment: dict[str, str] | None = None,
    ) -> Self:
        """Start the pod that the Deployment describes now; see `wait_until_ready`.

        `runtime`: how to run it, from this checkout if absent. `environment` comes on top of the pod's own.
        Raises PodCannotStartError.
        """
        return cls(control_plane, namespace, deployment, runtime or Host(), environment or {})

    @property
    def pid(self) -> int:
        """Of the container's own process; another one after `restart`."""
        return self._run.child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._run.child.exit_code

    @property
    def liveness_url(self) -> str:
        return self._run.url("livenessProbe")

    @property
    def readiness_url(self) -> str:
        return self._run.url("readinessProbe")

    def log_text(self) -> str:
        """All that it has written to standard output and error, over all restarts."""
        return self._run.child.log_text()

    def wait_until_ready(self, patience: float = 60.0) -> None:
        """Return once the readiness probe answers 200. Raises StartError with the end of the log if it does not."""
        deadline = time.monotonic() + patience
        child = self._run.child
        while not _answers(self.readiness_url):
            if child.exit_code is not None:
                raise StartError(f"{child.name} ended with exit code {child.exit_code}:\n{child.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{child.name} was not ready after {patience:.0f} s:\n{child.log_tail()}")
            time.sleep(_POLL)

    def kill9(self) -> None:
        """End it at once, as a crash would."""
        self._run.child.kill9()

    def stop(self) -> int:
        """Ask it to end, and kill it after the pod's grace period. Its exit code; negative: the ending signal."""
        return self._run.child.stop(self._run.template.grace_seconds)

    def restart(self) -> None:
        """Run the pod that the Deployment describes now, with a fresh token; ends one that still runs.

        Raises PodCannotStartError.
        """
        self.stop()
        self._run.ends.close()
        self._run = self._begin()

    def close(self) -> None:
        """End it and remove its files, the log too. Harmless a second time."""
        atexit.unregister(self.close)
        self.stop()
        self._run.ends.close()
        self._ends.close()

    def _begin(self) -> _Run:
        template = PodTemplate.read(self._control_plane, self._namespace, self._deployment)
        fields = {"metadata.namespace": self._namespace, "metadata.name": self._name}
        described = template.environment(Objects(self._control_plane, self._namespace), fields)
        ports = {port: free_port() for port in template.ports.values()}
        environment = _with_ports(described, ports) | self._extra
        with ExitStack() as ends:
            launch = ends.enter_context(self._runtime.prepared(template, self._control_plane, environment))
            child = Child.start(
                self._name, launch.command, self._log, environment=launch.environment, confinement=launch.confinement
            )
            return _Run(child, template, ports, ends.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _with_ports(environment: dict[str, str], ports: Mapping[int, int]) -> dict[str, str]:
    """Pods of one machine share its ports: a variable that tells the container its port tells another one here."""
    told = {name: value for name, value in environment.items() if name.endswith("_PORT")}
    return environment | {name: str(ports[int(value)]) for name, value in told.items() if _is_port(value, ports)}


def _is_port(value: str, ports: Mapping[int, int]) -> bool:
    return value.isdecimal() and int(value) in ports


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5.0).is_success
    except httpx.TransportError:
        return False
