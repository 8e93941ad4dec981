"""Two ways to run a container: as a process of this machine, or in the root file system of an unpacked image.

Both give the process what the pod template says and nothing else. The host runtime has to rewrite the paths of mounts
and hands the token over in a kubeconfig; the image runtime puts everything where a container finds it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from testbed.controlplane import Confinement, ControlPlane, scratch
from testbed.kubelet import mounts
from testbed.kubelet.template import Objects, PodTemplate

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_SOURCE_ROOT = Path(__file__).resolve().parents[2] / "operator"


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute."""

    command: list[str]
    environment: dict[str, str]
    confinement: Confinement | None = None


class Runtime(Protocol):
    """A way to run a container."""

    def prepared(
        self, template: PodTemplate, control_plane: ControlPlane, environment: Mapping[str, str]
    ) -> AbstractContextManager[Launch]:
        """The container's files are in place until the block ends.

        `environment` is what the template resolved to. Raises PodCannotStartError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """Runs the operator from this checkout, or another command, with the pod's arguments."""

    command: Sequence[str] = (sys.executable, "-m", "mtls_operator.cli")

    @contextmanager
    def prepared(
        self, template: PodTemplate, control_plane: ControlPlane, environment: Mapping[str, str]
    ) -> Iterator[Launch]:
        with scratch.directory() as root:
            mounted = mounts.make(template, Objects(control_plane, template.namespace), root)
            yield self._launch(template, control_plane, environment, mounted, root)

    def _launch(
        self,
        template: PodTemplate,
        control_plane: ControlPlane,
        environment: Mapping[str, str],
        mounted: mounts.Mounts,
        root: Path,
    ) -> Launch:
        temporary = root / "tmp"
        temporary.mkdir(exist_ok=True)
        # A clean environment, as in a container: a variable of this user must not be what makes the operator work.
        basic = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(_SOURCE_ROOT),
            "PYTHONUNBUFFERED": "1",
            "KUBECONFIG": str(control_plane.kubeconfig_for(template.service_account, template.namespace)),
        }
        values = {name: mounted.rewritten(value) for name, value in environment.items()}
        arguments = [mounted.rewritten(argument) for argument in template.arguments]
        return Launch([*(template.command or self.command), *arguments], basic | values)


@dataclass(frozen=True, slots=True)
class Image:
    """Runs an unpacked image: its root file system, and what its configuration says. Needs the rights of root."""

    root: Path
    entrypoint: Sequence[str]
    """With its full path inside the image."""
    user: int
    environment: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def prepared(
        self, template: PodTemplate, control_plane: ControlPlane, environment: Mapping[str, str]
    ) -> Iterator[Launch]:
        account = mounts.place_in(self.root, _ACCOUNT)
        with ExitStack() as ends:
            for path in (account, *(mounts.place_in(self.root, mount["mountPath"]) for mount in template.mounts)):
                if not path.exists():
                    ends.callback(shutil.rmtree, path)
            mounts.make(template, Objects(control_plane, template.namespace), self.root)
            self._place_account(account, template, control_plane)
            api_server = urlsplit(control_plane.url)
            basic = {
                "KUBERNETES_SERVICE_HOST": str(api_server.hostname),
                "KUBERNETES_SERVICE_PORT": str(api_server.port),
            }
            command = [*(template.command or self.entrypoint), *template.arguments]
            yield Launch(command, {**self.environment, **basic, **environment}, Confinement(self.root, self.user))

    def _place_account(self, account: Path, template: PodTemplate, control_plane: ControlPlane) -> None:
        account.mkdir(parents=True, exist_ok=True)
        token = control_plane.token_for(template.service_account, template.namespace)
        (account / "token").write_text(token)
        (account / "ca.crt").write_bytes(control_plane.ca_pem)
        (account / "namespace").write_text(template.namespace)
