from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtls_operator.api import crd, reference
from mtls_operator.api.conditions import ConditionType
from mtls_operator.api.generated import differing
from mtls_operator.api.reasons import Reason

ROOT = Path(__file__).parents[3]
CRDS = ROOT / "deploy" / "crds"
PAGES = ROOT / "docs" / "reference"
INVALID = ROOT / "tests" / "e2e" / "manifests" / "invalid"

CEL = "x-kubernetes-validations"


def schemas(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a CRD with the path of the field that it describes."""
    yield path, node
    for name, field in node.get("properties", {}).items():
        yield from schemas(field, f"{path}.{name}".lstrip("."))
    if "items" in node:
        yield from schemas(node["items"], f"{path}[0]")


def object_schema(kind: crd.Kind) -> Any:
    definition: Any = yaml.safe_load((CRDS / f"{kind.plural}.apishield-mtls.io.yaml").read_text(encoding="utf-8"))
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def every_schema() -> list[tuple[str, dict[str, Any]]]:
    return [entry for kind in crd.KINDS for entry in schemas(object_schema(kind))]


def places_of_rules(kind: crd.Kind) -> set[str]:
    """The fields at which a CEL rule refuses; a rule that compares with the old object needs two manifests."""
    entries = [(path, rule) for path, schema in schemas(object_schema(kind)) for rule in schema.get(CEL, [])]
    return {path + rule.get("fieldPath", "") for path, rule in entries if "oldSelf" not in rule["rule"]}


def fields_of_refusals(kind: crd.Kind) -> set[str]:
    """The fields that the invalid manifests of a kind expect to be named."""
    texts = [path.read_text(encoding="utf-8") for path in INVALID.glob("*.yaml")]
    of_kind = [text for text in texts if f"kind: {kind.resource.kind}\n" in text]
    return {text.splitlines()[0].removeprefix("# expect: ").replace("[1]", "[0]") for text in of_kind}


def test_the_committed_crds_are_what_the_types_say() -> None:
    assert differing(crd.files(), CRDS) == []
    assert {path.name for path in CRDS.iterdir()} == set(crd.files())


def test_the_committed_pages_are_what_the_types_say() -> None:
    assert differing(reference.files(), PAGES) == []


def test_a_check_of_what_was_just_written_passes(tmp_path: Path) -> None:
    written = crd.main(["--output", str(tmp_path / "new")])

    assert (written, crd.main(["--output", str(tmp_path / "new"), "--check"])) == (0, 0)


def test_a_check_of_an_edited_file_fails_and_says_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference.main(["--output", str(tmp_path)])
    (tmp_path / "conditions.md").write_text("edited", encoding="utf-8")

    status = reference.main(["--output", str(tmp_path), "--check"])

    assert status == 1
    assert f"Run: python -m mtls_operator.api.reference --output {tmp_path}" in capsys.readouterr().err
    assert (tmp_path / "conditions.md").read_text(encoding="utf-8") == "edited"


def test_no_crd_holds_a_default() -> None:
    assert [path for path, schema in every_schema() if "default" in schema] == []


def test_every_field_below_spec_and_status_is_described_for_kubectl_explain() -> None:
    fields = [(path, schema) for path, schema in every_schema() if path not in {"", "metadata"} and path[-1] != "]"]

    assert [path for path, schema in fields if not schema.get("description")] == []


def test_every_list_says_how_server_side_apply_merges_it() -> None:
    lists = [(path, schema) for path, schema in every_schema() if schema.get("type") == "array"]

    assert [path for path, schema in lists if "x-kubernetes-list-type" not in schema] == []


def test_every_text_and_list_of_a_spec_is_bounded_so_that_cel_can_be_estimated() -> None:
    specs = [(path, schema) for path, schema in every_schema() if path.startswith("spec")]
    unbounded = {"string": ("maxLength", "enum"), "array": ("maxItems",)}

    assert [
        path
        for path, schema in specs
        if schema["type"] in unbounded and not any(limit in schema for limit in unbounded[schema["type"]])
    ] == []


def test_every_rule_has_a_message() -> None:
    rules = [(path, rule) for path, schema in every_schema() for rule in schema.get(CEL, [])]

    assert len(rules) > 25
    assert [path for path, rule in rules if not rule.get("message")] == []


@pytest.mark.parametrize("kind", crd.KINDS, ids=lambda kind: kind.short_name)
def test_every_field_with_a_rule_has_an_invalid_manifest(kind: crd.Kind) -> None:
    assert places_of_rules(kind) - fields_of_refusals(kind) == set()


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_on_the_page_of_conditions(reason: Reason) -> None:
    page = (PAGES / "conditions.md").read_text(encoding="utf-8")

    assert page.count(f"| `{reason}` | ") == len(reason.types)


@pytest.mark.parametrize("kind", ConditionType)
def test_every_condition_type_has_a_section(kind: ConditionType) -> None:
    assert f"\n## {kind}\n" in (PAGES / "conditions.md").read_text(encoding="utf-8")
