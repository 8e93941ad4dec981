"""Runs deploy/argocd/health.lua as Argo CD does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lupa import lua51

ARGOCD = Path(__file__).parents[3] / "deploy" / "argocd"
SCRIPT = (ARGOCD / "health.lua").read_text(encoding="utf-8")

# Argo CD opens the libraries package, base and table, and a cut-down os, unless told otherwise (util/lua/lua.go).
_CLOSED_LIBRARIES = """
string, io, os, math, debug, coroutine, python = nil, nil, nil, nil, nil, nil, nil
getmetatable("").__index = nil
"""


class Health(NamedTuple):
    """What Argo CD shows."""

    status: str
    message: str


def assess(resource: Mapping[str, Any], script: str = SCRIPT) -> Health:
    """The health of a resource as the script sees it. Raises lupa.LuaError where Argo CD would show Unknown."""
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    lua.execute(_CLOSED_LIBRARIES)
    lua.globals()["obj"] = lua.table_from(resource, recursive=True)
    answer = lua.execute(script)
    return Health(answer["status"], answer["message"])
