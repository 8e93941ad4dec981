"""Finds the programs of a control plane, or makes them.

Per program, the first of these that has it: the directory that `KUBEBUILDER_ASSETS` names; our cache; the official
release, where its checksum is pinned; a build from the pinned Go module. The last two fill the cache.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from testbed.controlplane import cache, compilation, releases
from testbed.controlplane.recipe import PROGRAMS, Program


def find(name: str) -> Path:
    """The program of that name, ready to run: at once if it is there, else after minutes of building.

    Raises ProgramUnavailableError, which says what to do.
    """
    program = PROGRAMS[name]
    ready = _ready(program)
    if ready is not None:
        return ready
    with cache.adding(waiting=_say_waiting):
        # Another process may have made it while we waited for the lock.
        return _ready(program) or _make(program)


def fetch(names: Iterable[str] = tuple(PROGRAMS)) -> dict[str, Path]:
    """Make all of them available, and say where each is."""
    return {name: find(name) for name in names}


def _ready(program: Program) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    given = [Path(assets) / program.name] if assets else []
    return next((path for path in (*given, cache.place(program)) if os.access(path, os.X_OK)), None)


def _make(program: Program) -> Path:
    place = cache.place(program)
    release = releases.pinned(program)
    with cache.arriving(place) as partial:
        if release is None or not releases.download(release, partial):
            compilation.build(program, partial)
    return place


def _say_waiting() -> None:
    sys.stderr.write("another process is making programs of the control plane: waiting for it ...\n")
