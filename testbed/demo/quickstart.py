"""The quickstart with another CA than its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
_SECRET = "10-client-ca.yaml"


def with_ca(pem: str, directory: Path) -> Path:
    """A copy of the quickstart below `directory` whose Secret holds this CA, as its reader is told to make one."""
    copy = Path(shutil.copytree(QUICKSTART, directory / QUICKSTART.name))
    secret = yaml.safe_load((copy / _SECRET).read_text())
    secret["stringData"]["ca.crt"] = pem
    (copy / _SECRET).write_text(yaml.safe_dump(secret))
    return copy
