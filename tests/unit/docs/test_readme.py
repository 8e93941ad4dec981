"""What the README says of the resources holds."""

from __future__ import annotations

import re
from typing import Any

import yaml

from mtls_operator.api.certificate_authority import CertificateAuthoritySpec
from mtls_operator.domain.served import unserved_of_authority
from tests.unit.docs import pages
from tests.unit.docs.pages import ROOT

AUTHORITY = {
    "accountId": "0123456789abcdef0123456789abcdef",
    "source": {"secretRef": {"name": "client-ca"}},
    "revocation": {"secretRef": {"name": "crl", "key": "crl.pem"}},
}


def documents(text: str) -> list[dict[str, Any]]:
    """The YAML documents of a text."""
    return list(yaml.safe_load_all(text))


def not_served_by_the_readme() -> str:
    """The README's list of what is not done yet."""
    return pages.text("README.md").split("## What it does not do yet")[1].split("\n## ")[0]


def missing(names: tuple[str, ...]) -> list[str]:
    """Fields and values, as the operator names them, that the README's list does not name."""
    words = set(re.findall(r"`([^`]+)`", not_served_by_the_readme()))
    return [name for name in names if name.removeprefix("spec.") not in words]


def test_the_resources_of_the_readme_are_those_of_the_quickstart() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", pages.text("README.md"), re.DOTALL)
    files = ("20-certificate-authority.yaml", "30-host-binding.yaml")

    quickstart = [each for name in files for each in documents((ROOT / "examples/quickstart" / name).read_text())]

    assert documents(shown) == quickstart


def test_what_is_not_served_of_a_ca_is_in_the_readme() -> None:
    names = unserved_of_authority(CertificateAuthoritySpec.model_validate(AUTHORITY))

    assert len(names) == 1
    assert missing(names) == []


def test_every_example_is_in_the_readme() -> None:
    examples = {path.name for path in (ROOT / "examples").iterdir()}

    assert set(re.findall(r"^\| \[([\w.-]+)\]\(examples/", pages.text("README.md"), re.MULTILINE)) == examples


def test_no_private_key_is_among_the_examples() -> None:
    content = "".join(path.read_text() for path in (ROOT / "examples").rglob("*.yaml"))

    assert "BEGIN CERTIFICATE" in content
    assert "PRIVATE KEY" not in content
