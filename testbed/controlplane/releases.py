"""Official release binaries, downloaded only where `modules/releases.txt` pins their checksum."""

from __future__ import annotations

import hashlib
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from testbed.controlplane.recipe import MODULES, Program, ProgramUnavailableError, host

PINS = MODULES / "releases.txt"

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""Seconds. Short to connect: a machine without a way out should go on to building at once."""


@dataclass(frozen=True, slots=True)
class Release:
    """One download: its checksum, and the file inside where it is an archive."""

    sha256: str
    url: str
    member: str | None = None


def pinned(program: Program, pins: Path = PINS) -> Release | None:
    """The release of that program for this machine, if its checksum is known."""
    for line in pins.read_text().splitlines():
        words = line.split()
        if not line.startswith("#") and words[:2] == [program.name, host()]:
            return Release(*words[2:])
    return None


def download(release: Release, destination: Path) -> bool:
    """Put the program there. False if it cannot be reached, so that the caller goes on to the next source.

    Raises ProgramUnavailableError if what came is not what the checksum names: that is no accident to pass over.
    """
    arrived = destination.with_name(f"{destination.name}.download")
    try:
        sys.stderr.write(f"downloading {release.url} ...\n")
        got = _fetch(release.url, arrived)
        if got != release.sha256:
            raise ProgramUnavailableError(
                f"{release.url} has the SHA-256 {got}, but {PINS} says {release.sha256}. Nothing of it was kept. "
                "Compare with what the project publishes; remove the line to build from source instead."
            )
        _unpack(arrived, release.member, destination)
    except httpx.HTTPError as error:
        sys.stderr.write(f"could not download {release.url} ({error}): building from source instead\n")
        return False
    else:
        return True
    finally:
        arrived.unlink(missing_ok=True)


def _fetch(url: str, arrived: Path) -> str:
    digest = hashlib.sha256()
    with httpx.stream("GET", url, timeout=_TIMEOUT, follow_redirects=True) as answer, arrived.open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _unpack(arrived: Path, member: str | None, destination: Path) -> None:
    if member is None:
        arrived.rename(destination)
        return
    with tarfile.open(arrived) as archive:
        content = archive.extractfile(member)
        if content is None:
            raise ProgramUnavailableError(f"{member} in {arrived.name} is not a file: correct its line in {PINS}")
        destination.write_bytes(content.read())
