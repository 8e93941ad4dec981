"""Where programs are kept between runs: outside the checkout, so that a fresh clone finds them.

Rules: what has its final name is complete (it was renamed there in one step), and whoever adds something holds
the lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.controlplane.recipe import Program


def root() -> Path:
    """The cache of the testbed, below `XDG_CACHE_HOME` or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cloudflare-mtls-operator" / "testbed"


def place(program: Program) -> Path:
    """Where that program, in its pinned version, belongs."""
    module = program.module
    return root() / f"{module.name}-{module.version}-{module.digest()}" / program.name


@contextmanager
def adding(waiting: Callable[[], None]) -> Iterator[None]:
    """Only one process at a time makes programs: a second one would compile the same, on the same cores.

    `waiting` is called once if another one is at it. The kernel drops the lock when its holder dies.
    """
    root().mkdir(parents=True, exist_ok=True)
    with (root() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def arriving(destination: Path) -> Iterator[Path]:
    """A path to write to, which becomes `destination` when the block ends well and vanishes when it does not.

    Only for the holder of the lock: what has that path already is the rest of a process that was killed.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f".{destination.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        partial.chmod(0o755)
        partial.rename(destination)
    finally:
        partial.unlink(missing_ok=True)
