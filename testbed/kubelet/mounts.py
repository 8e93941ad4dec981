"""The volumes of a pod as directories, and the paths that change because they are not at their place."""

from __future__ import annotations

import os
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from testbed.kubelet.template import Json, Objects, PodCannotStartError, PodTemplate


@dataclass(frozen=True, slots=True)
class Mounts:
    """Where each mount path of the container is on this machine."""

    places: dict[str, Path]

    def rewritten(self, text: str) -> str:
        """An argument or a variable's value with mount paths replaced: whole, as a prefix, or after `--option=`."""
        # All in one pass: the places may themselves be below a mount path, such as /tmp.
        longest_first = sorted(self.places, key=len, reverse=True)
        paths = "|".join(re.escape(path) for path in longest_first)
        return re.sub(rf"(^|=)({paths})(?=/|$)", self._replacement, text) if paths else text

    def _replacement(self, found: re.Match[str]) -> str:
        return f"{found[1]}{self.places[found[2]]}"


def place_in(root: Path, path: str) -> Path:
    """Where a path of a container is below its root file system: links are followed as the container would, never out
    of it (Debian's /var/run is a link to /run)."""
    place, pending = root, deque(Path(path.lstrip("/")).parts)
    while pending:
        part = pending.popleft()
        found = place.parent if part == ".." and place != root else place / part
        if part == ".." and place == root:
            continue
        if found.is_symlink():
            target = Path(os.readlink(found))
            place = root if target.is_absolute() else place
            pending.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
        else:
            place = found
    return place


def make(template: PodTemplate, objects: Objects, below: Path) -> Mounts:
    """Write the content of all mounted volumes below that directory, each at its mount path.

    Raises PodCannotStartError for a volume that is missing or not of a kind played here.
    """
    places = {}
    for mount in template.mounts:
        if "subPath" in mount or "subPathExpr" in mount:
            raise PodCannotStartError(f"the mount at {mount['mountPath']} has a subPath, which is not played here")
        place = place_in(below, mount["mountPath"])
        place.mkdir(parents=True, exist_ok=True)
        for name, content in _content(template.volumes[mount["name"]], objects).items():
            (place / name).write_bytes(content)
        places[mount["mountPath"].rstrip("/")] = place
    return Mounts(places)


def _content(volume: Json, objects: Objects) -> dict[str, bytes]:
    match volume:
        case {"emptyDir": _}:
            return {}
        case {"configMap": source}:
            return _files("configmap", source["name"], source, objects)
        case {"secret": source}:
            return _files("secret", source["secretName"], source, objects)
    raise PodCannotStartError(f"volume {volume['name']} is of a kind that is not played here")


def _files(kind: str, name: str, source: Json, objects: Objects) -> dict[str, bytes]:
    if "items" in source:
        raise PodCannotStartError(f'the volume of {kind} "{name}" selects items, which is not played here')
    return objects.data(kind, name, optional=source.get("optional", False)) or {}
