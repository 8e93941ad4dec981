"""Temporary directories that are removed even when their owner could not remove them.

A process that is killed leaves its directory behind (a control plane's is over 100 MB). Whoever makes one next removes
those whose owner is gone, which shows by a lock that the kernel drops when the owner dies. The lock is taken before the
directory exists, so a directory whose lock is free has no owner.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "cfmtls-testbed-"


@contextmanager
def directory() -> Iterator[Path]:
    """A new directory that only this user can read, removed at the end of the block."""
    _remove_abandoned()
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX, suffix=".lock")
    lock = Path(name)
    with open(descriptor, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        made = lock.with_suffix("")
        try:
            made.mkdir(mode=0o700)
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _remove_abandoned() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*.lock"):
        _remove_if_abandoned(lock)


def _remove_if_abandoned(lock: Path) -> None:
    try:
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    except OSError:
        # Locked: its owner lives. Not ours to open: another user's.
        return
