"""values.yaml, its schema and the chart's README name the same values."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HELM = Path(__file__).parents[3] / "deploy" / "helm"
CHART = HELM / "cloudflare-mtls-operator"
# Given by Helm itself to a chart that is a dependency of another one.
GIVEN_BY_HELM = {"global"}
# Shaped as Kubernetes says; values.yaml holds an example of their content, which is no value of the chart's own.
OF_KUBERNETES = {"resources"}


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of what users set."""
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        inner = isinstance(value, dict) and value and dotted not in OF_KUBERNETES
        yield from leaves(value, f"{dotted}.") if inner else (dotted,)


def schema_leaves(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The same of the schema."""
    for key, value in schema["properties"].items():
        dotted = f"{prefix}{key}"
        inner = "properties" in value and dotted not in OF_KUBERNETES
        yield from schema_leaves(value, f"{dotted}.") if inner else (dotted,)


def objects(schema: object) -> Iterator[Mapping[str, Any]]:
    """Every part of the schema that lists properties."""
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)


VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
README = (CHART / "README.md").read_text(encoding="utf-8")


def test_the_schema_knows_exactly_the_values_that_values_yaml_shows() -> None:
    assert set(schema_leaves(SCHEMA)) - GIVEN_BY_HELM == set(leaves(VALUES))


def test_every_object_of_the_schema_refuses_keys_that_it_does_not_know() -> None:
    lenient = [part for part in objects(SCHEMA) if part.get("additionalProperties") is not False]

    assert lenient == []


def test_the_readme_describes_every_value() -> None:
    described = {line.split("`")[1] for line in README.splitlines() if line.startswith("| `")}

    assert described == set(leaves(VALUES))


def test_the_readme_is_what_the_renderer_writes() -> None:
    command = [sys.executable, str(HELM / "render_readme.py")]

    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == README


def test_the_chart_and_the_distribution_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    distribution = (HELM.parents[1] / "pyproject.toml").read_text(encoding="utf-8")

    assert chart["appVersion"] == chart["version"]
    assert f'\nversion = "{chart["version"]}"\n' in distribution
