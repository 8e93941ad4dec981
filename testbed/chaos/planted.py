"""Defects that are put into a copy of the operator one by one, to see that stories find them.

Zero violations mean something only if there would be some: `python -m testbed.chaos planted` plays stories with each
defect of this table until one fails, and says how many it took. A defect is the smallest change of the source that
breaks what its invariant promises; `sound` is there exactly once, or the table is out of date and says so.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mtls_operator

_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGE: Final = Path(mtls_operator.__file__).parent


@dataclass(frozen=True)
class Defect:
    """`invariant` of the design that is broken first of all; others may be found before it."""

    name: str
    invariant: int
    what: str
    file: str
    sound: str
    broken: str


DEFECTS: Final = (
    Defect(
        "settle-time",
        2,
        "a hostname is enforced as soon as it was put, not when it has settled",
        "domain/zone_lists.py",
        "    return max(put + settle, late_write",
        "    return max(put, late_write",
    ),
    Defect(
        "early-release",
        2,
        "the claim becomes leaving while the rule still covers the hostname",
        "domain/zone_rules.py",
        "if not relying or zone.is_on_its_way(place) or zone.has_moved(hostname):",
        "if True:",
    ),
    Defect(
        "foreign-hostnames",
        3,
        "a list is written with what installations claim, and nothing else",
        "domain/zone_lists.py",
        "return (observed - given_up) |",
        "return (observed - observed) | given_up - given_up |",
    ),
    Defect(
        "unmarked-deletion",
        5,
        "an adopted certificate without a mark is deleted with its CA",
        "domain/marks.py",
        '    return match["owner"] if match else None',
        '    return match["owner"] if match else "cluster-a"',
    ),
    Defect(
        "no-overlap",
        6,
        "previous CAs are retired as soon as the new ones are in force",
        "domain/rotation.py",
        "retire_after=now + overlap if retiring.fingerprints else now",
        "retire_after=now",
    ),
    Defect(
        "second-upload",
        7,
        "what may have been sent is sent again at once",
        "domain/account_upload.py",
        "    return since is None or looked_long_enough(account, agenda, demand, since)",
        "    return True",
    ),
    Defect(
        "early-removal",
        8,
        "work begins before the resources of the cluster are listed",
        "engine/engine.py",
        "            await self._listing.complete()\n            self.listed",
        "            self.listed",
    ),
    Defect(
        "no-finalizer",
        11,
        "a binding is never held",
        "domain/zone_plan.py",
        "if stake.wants and not stake.has_finalizer",
        "if False and not stake.has_finalizer",
    ),
    Defect(
        "late-record",
        11,
        "a hostname is recorded when it has been added",
        "domain/zone_plan.py",
        "(*_cluster_steps(zone.desired, gone), *zone_rules.edits(zone, agenda), *zone_lists.steps(zone, agenda)),",
        "(*zone_rules.edits(zone, agenda), *zone_lists.steps(zone, agenda), *_cluster_steps(zone.desired, gone)),",
    ),
    Defect(
        "gap-in-a-move",
        13,
        "a hostname leaves its rule before it enters another",
        "domain/zone_rules.py",
        "for edit in edits or removals(zone.view.enforcement, wanted)]",
        "for edit in removals(zone.view.enforcement, wanted) or edits]",
    ),
)


def main(names: Sequence[str], runs: int, seed: int, jobs: int, say: Callable[[str], object] = print) -> int:
    """Play stories with each of these defects, all of them if none is named; 1 if one was not found, else 0."""
    say(f"seed {seed}: at most {runs} stories for each defect")
    say(f"{'defect':<20}{'invariant':>9}{'found after':>13}  what was said first")
    found = [_search(each, runs, seed, jobs, say) for each in DEFECTS if not names or each.name in names]
    say(json.dumps({"planted": len(found), "found": sum(found), "runs": runs, "seed": seed}))
    return 0 if found and all(found) else 1


def _search(defect: Defect, runs: int, seed: int, jobs: int, say: Callable[[str], object]) -> bool:
    with planted(defect) as path:
        command = [
            sys.executable,
            "-m",
            "testbed.chaos",
            str(runs),
            "--seed",
            str(seed),
            "--jobs",
            str(jobs),
            "--first",
        ]
        environment = {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{_ROOT}"}
        told = subprocess.run(command, env=environment, cwd=_ROOT, capture_output=True, text=True, check=False)
    lines = told.stdout.splitlines()
    said = next((line.removeprefix("  -> ") for line in lines if line.startswith("  -> ")), told.stderr[-200:])
    played = json.loads(lines[-1])["runs"] if told.returncode in {0, 1} and lines else 0
    found = told.returncode == 1 and played > 0
    say(f"{defect.name:<20}{defect.invariant:>9}{played if found else 'not found':>13}  {said[:200]}")
    return found


@contextmanager
def planted(defect: Defect) -> Iterator[Path]:
    """A folder with a copy of the operator's package that has the defect. Raises LookupError where it cannot be."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = shutil.copytree(_PACKAGE, Path(folder) / _PACKAGE.name)
        source = copy / defect.file
        text = source.read_text(encoding="utf-8")
        if text.count(defect.sound) != 1:
            raise LookupError(f"{defect.name}: {defect.file} holds {text.count(defect.sound)} times: {defect.sound!r}")
        source.write_text(text.replace(defect.sound, defect.broken), encoding="utf-8")
        yield Path(folder)
