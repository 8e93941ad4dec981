"""Looks at processes from outside: what runs, and waiting for it to change."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 60.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds. Raises TimeoutError, naming `what`, if it does not within a minute."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_PATIENCE:.0f} s in vain until {what}")
        time.sleep(0.02)


def running_with(text: str) -> list[str]:
    """The command lines that hold that text, of all processes of this machine but zombies."""
    lines = (_command_line(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
    return [line for line in lines if text in line]


def _command_line(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextmanager
def python(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Python with these arguments, killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-u", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def started_control_plane() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """`python -m testbed.controlplane`, ready, and its directory."""
    with python("-m", "testbed.controlplane") as process:
        said = "".join(_lines_until(process, "Ctrl-C"))
        found = re.search(r"logs are in (\S+?)\. ", said)
        if found is None:
            raise AssertionError(f"it did not say where its logs are: {said}")
        # Without this, looking for survivors by their command line could find none for the wrong reason.
        if len(running_with(found.group(1))) != 2:
            raise AssertionError(f"etcd and kube-apiserver do not both name {found.group(1)}")
        yield process, Path(found.group(1))


def _lines_until(process: subprocess.Popen[str], word: str) -> Iterator[str]:
    for line in process.stdout or ():
        yield line
        if word in line:
            return
