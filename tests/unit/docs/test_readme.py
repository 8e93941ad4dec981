"""What the README says of the resources holds."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.unit.docs import pages
from tests.unit.docs.pages import ROOT


def documents(text: str) -> list[dict[str, Any]]:
    """The YAML documents of a text."""
    return list(yaml.safe_load_all(text))


def test_the_resources_of_the_readme_are_those_of_the_quickstart() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", pages.text("README.md"), re.DOTALL)
    files = ("20-certificate-authority.yaml", "30-host-binding.yaml")

    quickstart = [each for name in files for each in documents((ROOT / "examples/quickstart" / name).read_text())]

    assert documents(shown) == quickstart


def test_every_example_is_in_the_readme() -> None:
    examples = {path.name for path in (ROOT / "examples").iterdir()}

    assert set(re.findall(r"^\| \[([\w.-]+)\]\(examples/", pages.text("README.md"), re.MULTILINE)) == examples


def test_no_private_key_is_among_the_examples() -> None:
    content = "".join(path.read_text() for path in (ROOT / "examples").rglob("*.yaml"))

    assert "BEGIN CERTIFICATE" in content
    assert "PRIVATE KEY" not in content
