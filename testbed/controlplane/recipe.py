"""What the testbed runs: which programs, of which pinned Go module, and how each is compiled.

The versions are those of the `go.mod` files beside this one, so that there is one place to change them.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "modules"

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class ProgramUnavailableError(RuntimeError):
    """A program of the control plane could neither be found nor made. The text says what to do."""


def host() -> str:
    """This machine as Go names it, such as `linux/amd64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}/{_MACHINES.get(machine, machine)}"


@dataclass(frozen=True, slots=True)
class Module:
    """A pinned Go module: the directory with its `go.mod`, and the required module that gives the version."""

    name: str
    requires: str

    @property
    def directory(self) -> Path:
        return MODULES / self.name

    @property
    def version(self) -> str:
        """The pinned version, such as `v1.37.2`."""
        return self._line(rf"^\s*(?:require )?{re.escape(self.requires)} (v\S+)")

    @property
    def go(self) -> str:
        """The oldest Go that can build it, such as `1.26.0`."""
        return self._line(r"^go (\S+)$")

    @property
    def ldflags(self) -> str:
        if self.name != "kubernetes":
            return "-s -w"
        # Without these a Kubernetes binary says it is v0.0.0-master, and clients decide on what it says.
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        stamps = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        stamps["buildDate"] = "2026-01-01T00:00:00Z"
        return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{k}={v}" for k, v in stamps.items())

    def digest(self) -> str:
        """Changes with everything that decides what a build of it holds."""
        content = b"\0".join((self.directory / file).read_bytes() for file in ("go.mod", "go.sum"))
        return hashlib.sha256(content + self.ldflags.encode() + host().encode()).hexdigest()[:12]

    def _line(self, pattern: str) -> str:
        found = re.search(pattern, (self.directory / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise ProgramUnavailableError(f"{self.directory / 'go.mod'} has no line {pattern!r}")
        return found.group(1)


@dataclass(frozen=True, slots=True)
class Program:
    """One executable: the module it is built in and its main package."""

    name: str
    module: Module
    package: str


_KUBERNETES = Module("kubernetes", "k8s.io/kubernetes")
_ETCD = Module("etcd", "go.etcd.io/etcd/server/v3")
_HELM = Module("helm", "helm.sh/helm/v4")

PROGRAMS = {
    program.name: program
    for program in (
        Program("etcd", _ETCD, "go.etcd.io/etcd/server/v3"),
        # The API server first: the other Kubernetes programs reuse most of what it compiles.
        Program("kube-apiserver", _KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver"),
        Program("kubectl", _KUBERNETES, "k8s.io/kubernetes/cmd/kubectl"),
        Program("kube-controller-manager", _KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager"),
        Program("helm", _HELM, "helm.sh/helm/v4/cmd/helm"),
    )
}
