"""Defects that are put into a copy of the operator one by one, to see that stories find them.

Zero violations mean something only if there would be some: `python -m testbed.chaos planted` plays stories with each
defect of `defects` until one fails that does not fail without it, and says how many it took.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import mtls_operator
from testbed.chaos.defects import DEFECTS, Defect
from testbed.chaos.play import play
from testbed.chaos.story import story_of

_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGE: Final = Path(mtls_operator.__file__).parent


def main(names: Sequence[str], runs: int, seed: int, jobs: int, say: Callable[[str], object] = print) -> int:
    """Play stories with each of these defects, all of them if none is named; 1 if one was not found, else 0."""
    say(f"seed {seed}: at most {runs} stories for each defect")
    say(f"{'defect':<20}{'invariant':>9}{'found after':>13}  what was said first")
    found = [_search(each, runs, seed, jobs, say) for each in DEFECTS if not names or each.name in names]
    say(json.dumps({"planted": len(found), "found": sum(found), "runs": runs, "seed": seed}))
    return 0 if found and all(found) else 1


def _search(defect: Defect, runs: int, seed: int, jobs: int, say: Callable[[str], object]) -> bool:
    with planted(defect) as path:
        played, said = _find(path, range(seed, seed + runs), jobs)
    say(f"{defect.name:<20}{defect.invariant:>9}{played or 'not found':>13}  {said[:200]}")
    return played > 0


def _find(path: Path, seeds: Sequence[int], jobs: int) -> tuple[int, str]:
    """How many stories it took, 0 if none was enough, and what was said. A story that fails with the sound operator as
    well found nothing."""
    left = seeds
    while left:
        told = _played(path, left, jobs)
        lines = told.stdout.splitlines()
        if told.returncode not in {0, 1} or not lines:
            return 0, told.stderr[-200:]
        last = left[json.loads(lines[-1])["runs"] - 1]
        if told.returncode == 1 and not play(story_of(last)).failed:
            return last - seeds[0] + 1, next(line.removeprefix("  -> ") for line in lines if line.startswith("  -> "))
        left = left[left.index(last) + 1 :]
    return 0, ""


def _played(path: Path, seeds: Sequence[int], jobs: int) -> subprocess.CompletedProcess[str]:
    """The stories of these seeds until the first that fails, by the operator in a folder."""
    given = (str(len(seeds)), "--seed", str(seeds[0]), "--jobs", str(jobs), "--first")
    environment = {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{_ROOT}"}
    command = [sys.executable, "-m", "testbed.chaos", *given]
    return subprocess.run(command, env=environment, cwd=_ROOT, capture_output=True, text=True, check=False)


@contextmanager
def planted(defect: Defect) -> Iterator[Path]:
    """A folder with a copy of the operator's package that has the defect. Raises LookupError where it cannot be."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = shutil.copytree(_PACKAGE, Path(folder) / _PACKAGE.name)
        for change in defect.changes:
            source = copy / change.file
            text = source.read_text(encoding="utf-8")
            if (times := text.count(change.sound)) != 1:
                raise LookupError(f"{defect.name}: {change.file} holds {times} times: {change.sound!r}")
            source.write_text(text.replace(change.sound, change.broken), encoding="utf-8")
        yield Path(folder)
