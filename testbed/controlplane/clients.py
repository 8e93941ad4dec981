"""Runs the command-line clients against one control plane, untouched by this user's own settings and caches."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

_OURS = ("KUBE", "HELM_")


class CommandFailedError(subprocess.CalledProcessError):
    """A command ended with another exit code than 0. Its text holds what the command said."""

    def __str__(self) -> str:
        said = "\n".join(text.strip() for text in (self.stdout, self.stderr) if text)
        return f"{shlex.join(str(word) for word in self.cmd)} ended with exit code {self.returncode}:\n{said}"


def environment(kubeconfig: Path, caches: Path) -> dict[str, str]:
    """For kubectl and helm. Their caches go by host and port, and ports come back: each control plane has its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {
        "KUBECONFIG": str(kubeconfig),
        "KUBECACHEDIR": str(caches / "kubectl"),
        "KUBERC": "off",
        "HELM_CACHE_HOME": str(caches / "helm" / "cache"),
        "HELM_CONFIG_HOME": str(caches / "helm" / "config"),
        "HELM_DATA_HOME": str(caches / "helm" / "data"),
    }


def run(
    program: Path, arguments: tuple[str, ...], env: dict[str, str], *, stdin: str | None, check: bool
) -> subprocess.CompletedProcess[str]:
    """Run it to its end. Raises CommandFailedError if it fails and `check` is set."""
    command = [str(program), *arguments]
    done = subprocess.run(command, env=env, input=stdin or "", capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise CommandFailedError(done.returncode, command, done.stdout, done.stderr)
    return done
