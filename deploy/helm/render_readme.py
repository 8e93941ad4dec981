"""Render the chart's README: `python deploy/helm/render_readme.py > deploy/helm/cloudflare-mtls-operator/README.md`.

The values are described once, in values.yaml, by comments that begin with `# -- ` (the convention of helm-docs).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_CHART = Path(__file__).with_name("cloudflare-mtls-operator")
_KEY = re.compile(r"^( *)([A-Za-z]+):")
_COMMENT = re.compile(r"^ *# ?(.*)$")
_MARK = "-- "
_PLACE = "<!-- values -->\n"


class Value(NamedTuple):
    """A value of the chart: its dotted key, what it is when not given, what it is for."""

    key: str
    default: Any
    description: str


def described_values(text: str) -> Iterator[Value]:
    """The values of a values.yaml that a comment describes, in its order."""
    defaults = yaml.safe_load(text)
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if said := _COMMENT.match(line):
            comment.append(said[1])
        elif key := _KEY.match(line):
            path[len(key[1]) // 2 :] = [key[2]]
            if comment and comment[0].startswith(_MARK):
                yield Value(".".join(path), _at(defaults, path), " ".join(comment).removeprefix(_MARK))
            comment = []
        else:
            comment = []


def _at(tree: Any, path: list[str]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def readme(template: str, values: str) -> str:
    """The README: the template with the table of values in its place."""
    rows = (
        f"| `{value.key}` | `{json.dumps(value.default)}` | {value.description} |\n"
        for value in described_values(values)
    )
    return template.replace(_PLACE, "| Value | Default | |\n|---|---|---|\n" + "".join(rows))


if __name__ == "__main__":
    template = Path(__file__).with_name("README.template.md").read_text(encoding="utf-8")
    sys.stdout.write(readme(template, (_CHART / "values.yaml").read_text(encoding="utf-8")))
