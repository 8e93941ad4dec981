"""A real control plane: etcd and kube-apiserver, and on request kube-controller-manager, as children of this process.

Nothing has a fixed place: ports are free ones, files are in a temporary directory. Everything ends with the block, at
exit, and on Linux also when this process is killed (see `child`).
"""

from __future__ import annotations

import atexit
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.controlplane import clients, kubeconfig, listening, programs, scratch, servers
from testbed.controlplane.child import Child
from testbed.controlplane.listening import PortChoice


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane that is ready. Use as `with ControlPlane.start() as plane:`."""

    directory: Path
    """Holds the logs `<program>.log`; removed at the end."""
    kubeconfig: Path
    """For a cluster administrator, by client certificate."""
    url: str
    ca_pem: bytes
    children: tuple[Child, ...]
    _ends: ExitStack

    @classmethod
    def start(cls, *, controller_manager: bool = False, choose_port: PortChoice = listening.free_port) -> Self:
        """Start one and wait until it is ready: seconds, if the programs are there (see `programs`).

        Without the controller manager, deleted namespaces stay `Terminating` and nothing collects garbage.
        Raises ProgramUnavailableError or StartError.
        """
        ends = ExitStack()
        try:
            plane = cls._assemble(ends, controllers=controller_manager, choose_port=choose_port)
        except BaseException:
            ends.close()
            raise
        atexit.register(plane.stop)
        return plane

    @classmethod
    def _assemble(cls, ends: ExitStack, *, controllers: bool, choose_port: PortChoice) -> Self:
        directory = ends.enter_context(scratch.directory())
        identities = servers.Identities.create(directory)
        children: list[Child] = []

        def begin(server: listening.Server) -> str:
            running = listening.start(server, directory, choose_port)
            ends.callback(running.child.stop)
            children.append(running.child)
            return running.url

        etcd_url = begin(servers.etcd(identities, directory))
        url = begin(servers.api_server(identities, directory, etcd_url, accounts=controllers))
        ca_pem = identities.cluster.file.read_bytes()
        admin = kubeconfig.certificate_user(identities.admin)
        admin_config = kubeconfig.write(directory / "admin.kubeconfig", url=url, ca_pem=ca_pem, user=admin)
        if controllers:
            user = kubeconfig.certificate_user(identities.controller_manager)
            path = directory / "kube-controller-manager.kubeconfig"
            kubeconfig.write(path, url=url, ca_pem=ca_pem, user=user)
            begin(servers.controller_manager(identities, directory, path))
        return cls(directory, admin_config, url, ca_pem, tuple(children), ends)

    def stop(self) -> None:
        """End everything and remove the directory. Harmless a second time."""
        atexit.unregister(self.stop)
        self._ends.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run our kubectl, as administrator or as the user of that kubeconfig.

        Raises CommandFailedError (a CalledProcessError whose text holds what it said) if it fails and `check` is set.
        """
        return self._run("kubectl", arguments, stdin=stdin, check=check, config=kubeconfig)

    def helm(
        self, *arguments: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run our helm, like `kubectl`."""
        return self._run("helm", arguments, stdin=stdin, check=check, config=kubeconfig)

    def kubeconfig_for(self, service_account: str, namespace: str) -> Path:
        """A kubeconfig with a fresh token of that service account (TokenRequest), and so exactly its permissions."""
        path = self.directory / f"{namespace}.{service_account}.kubeconfig"
        user = kubeconfig.token_user(self.token_for(service_account, namespace))
        return kubeconfig.write(path, url=self.url, ca_pem=self.ca_pem, user=user, namespace=namespace)

    def token_for(self, service_account: str, namespace: str) -> str:
        """A fresh token of that service account, valid for a day, by the TokenRequest API as the kubelet does it."""
        arguments = ("create", "token", service_account, "--namespace", namespace, "--duration", "24h")
        return self.kubectl(*arguments).stdout.strip()

    def environment(self, config: Path | None = None) -> dict[str, str]:
        """The environment for a client of this control plane."""
        return clients.environment(config or self.kubeconfig, self.directory / "caches")

    def _run(
        self, program: str, arguments: tuple[str, ...], *, stdin: str | None, check: bool, config: Path | None
    ) -> subprocess.CompletedProcess[str]:
        env = self.environment(config)
        return clients.run(programs.find(program), arguments, env, stdin=stdin, check=check)
