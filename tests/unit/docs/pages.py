"""The pages that people read, and what they refer to."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("deploy/**/README.md"),
    )
)

_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:[\w.-]+/)*[\w.-]+/?")
_TOP = frozenset(path.name for path in ROOT.iterdir())
_SOURCES = ROOT / "operator" / "mtls_operator"


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def broken_links(page: str) -> list[str]:
    """Links to files that are not there."""
    return [link for link in _LINK.findall(text(page)) if not (ROOT / page).parent.joinpath(link).exists()]


def unknown_paths(page: str) -> list[str]:
    """File names in code style that begin with a directory of the checkout or of the package, and are not there."""
    return [name for name in _QUOTED.findall(text(page)) if _is_a_path(name) and not _exists(name)]


def make_targets(page: str) -> set[str]:
    """The targets that the page tells its reader to make."""
    return set(re.findall(r"\bmake ([a-z][a-z0-9-]*)\b(?=[`\s]*(?:#|$|`))", text(page), re.MULTILINE))


def defined_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", text("Makefile"), re.MULTILINE))


def words(page: str, pattern: str) -> set[str]:
    """Everything in code style that matches the pattern whole."""
    return {word for word in _QUOTED.findall(text(page)) if re.fullmatch(pattern, word)}


def block(page: str, begin: str) -> str:
    """The command of an indented block that begins so, its continued lines joined."""
    lines = text(page).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"    {begin}"))
    command = [lines[start]]
    while command[-1].endswith("\\"):
        command.append(lines[start + len(command)])
    return " ".join(line.rstrip("\\").strip() for line in command)


def _is_a_path(name: str) -> bool:
    head = name.split("/", 1)[0]
    inside = "/" in name or name.endswith((".py", ".md", ".yaml"))
    return bool(_PATH.fullmatch(name)) and inside and (head in _TOP or (_SOURCES / head).exists())


def _exists(name: str) -> bool:
    return (ROOT / name).exists() or (_SOURCES / name).exists()
