"""Files that are generated from the types and committed: written, or compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Files = Mapping[str, str]


def differing(files: Files, directory: Path) -> list[Path]:
    """Files that are missing or hold another text."""
    paths = {directory / name: text for name, text in files.items()}
    return [path for path, text in paths.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def run(command: str, files: Files, arguments: Sequence[str] | None) -> int:
    """The command line `<command> --output DIRECTORY [--check]`; the exit status is 1 if a check finds a difference."""
    parser = argparse.ArgumentParser(prog=command)
    parser.add_argument("--output", type=Path, required=True, metavar="DIRECTORY", help="where the files belong")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file differs")
    options = parser.parse_args(arguments)
    if options.check:
        return _check(command, files, options.output)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (options.output / name).write_text(text, encoding="utf-8")
    return 0


def _check(command: str, files: Files, directory: Path) -> int:
    stale = differing(files, directory)
    for path in stale:
        sys.stderr.write(f"{path} is not what the types say. Run: {command} --output {directory}\n")
    return 1 if stale else 0
