"""Builds a program from its pinned Go module, and shows that it is alive while it does."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from testbed.controlplane import toolchain
from testbed.controlplane.child import tethered
from testbed.controlplane.progress import Progress
from testbed.controlplane.recipe import Program, ProgramUnavailableError

_LINES_OF_A_FAILURE = 20


@dataclass(slots=True)
class _Output:
    """What `go build -v` has said: one line for each package compiled and each module downloaded."""

    packages: int = 0
    modules: int = 0
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES_OF_A_FAILURE))

    def read(self, line: str) -> None:
        self.tail.append(line)
        if line.startswith("go: downloading "):
            self.modules += 1
        elif " " not in line:
            self.packages += 1

    def __str__(self) -> str:
        if self.packages:
            return f"{self.packages} packages compiled"
        return f"{self.modules} modules downloaded"


def build(program: Program, destination: Path) -> None:
    """Compile to that path. Takes minutes the first time.

    Raises ProgramUnavailableError with the compiler's last lines and the command to try again.
    """
    command = _command(program, toolchain.find(program.module.go), destination)
    progress = Progress(f"building {program.name} {program.module.version}")
    output = _Output()
    code = _run(command, program.module.directory, progress, output)
    if code != 0:
        progress.failed()
        raise ProgramUnavailableError(_advice(program, command, output))
    progress.done()


def _command(program: Program, go: Path, destination: Path) -> list[str]:
    flags = ["-v", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", program.module.ldflags]
    return [str(go), "build", *flags, "-o", str(destination), program.package]


def _run(command: list[str], directory: Path, progress: Progress, output: _Output) -> int:
    # A group of its own, so that the compilers that go starts end with it.
    with subprocess.Popen(
        tethered(command),
        cwd=directory,
        env=toolchain.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            if process.stderr is not None:
                _follow(process.stderr, progress, output)
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _follow(stderr: IO[bytes], progress: Progress, output: _Output) -> None:
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stderr, selectors.EVENT_READ)
        while True:
            if selector.select(timeout=0.5):
                chunk = os.read(stderr.fileno(), 65536)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    output.read(line.decode(errors="replace"))
            progress.tick(str(output))


def _advice(program: Program, command: list[str], output: _Output) -> str:
    settings = {name: toolchain.environment()[name] for name in ("CGO_ENABLED", "GOTOOLCHAIN", "GOWORK")}
    retry = " ".join(f"{name}={value}" for name, value in settings.items()) + " " + shlex.join(command)
    return (
        f"building {program.name} {program.module.version} failed. The last lines of the build:\n"
        + "\n".join(f"    {line}" for line in output.tail)
        + f"\nTo try again by hand: cd {program.module.directory} && {retry}\n"
        "If modules could not be downloaded, check GOPROXY and the network (what was downloaded is kept). "
        f"Or set KUBEBUILDER_ASSETS to a directory that holds {program.name}."
    )
