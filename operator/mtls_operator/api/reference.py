"""Write the reference pages from the types: `python -m mtls_operator.api.reference --output docs/reference`.

With `--check` nothing is written, and the exit status is 1 if a page differs from what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from mtls_operator.api import constants
from mtls_operator.api.conditions import ConditionType
from mtls_operator.api.crd import KINDS, Kind
from mtls_operator.api.generated import Files, run
from mtls_operator.api.reasons import Reason
from mtls_operator.api.structural import Schema, structural_schema

_COMMAND = "python -m mtls_operator.api.reference"
_HEADER = f"<!-- Generated from the types in operator/mtls_operator/api by `{_COMMAND}`; do not edit. -->\n"


def files() -> Files:
    """File names and texts of the pages."""
    return {"api.md": _page(_api()), "conditions.md": _page(_conditions())}


def _page(lines: Iterator[str]) -> str:
    return _HEADER + "\n".join(lines) + "\n"


def _conditions() -> Iterator[str]:
    yield "# Conditions and reasons\n"
    yield "`Ready`, `Reconciling` and `Stalled` have the meaning of kstatus. Waiting is `Reconciling`, never `Stalled`."
    yield "Each condition carries `observedGeneration`. Reasons are stable: scripts may match them.\n"
    for condition in ConditionType:
        yield f"## {condition}\n"
        yield f"{condition.description}\n"
        yield "| Reason | When |"
        yield "|---|---|"
        yield from (f"| `{reason}` | {_cell(reason.description)} |" for reason in Reason if condition in reason.types)
        yield ""


def _api() -> Iterator[str]:
    yield f"# API `{constants.API_VERSION}`\n"
    yield "Both kinds are namespaced and in the category `cloudflare`. The CRDs hold no defaults: what is in force for"
    yield "an absent field is said below and in `status.effective`.\n"
    yield "| Annotation | Meaning |"
    yield "|---|---|"
    yield f"| `{constants.RECONCILE_REQUESTED_AT}` | {_cell(_RECONCILE)} |"
    yield f"| `{constants.FORCE_ORPHAN}` | {_cell(_ORPHAN)} |\n"
    for kind in KINDS:
        yield from _kind(kind)


_RECONCILE = "A new value forces a reconcile; it is acknowledged in `status.lastHandledReconcileAt`."
_ORPHAN = (
    '`"true"` on a resource being deleted releases it without touching Cloudflare; an event says what is left there.'
)


def _kind(kind: Kind) -> Iterator[str]:
    schema = structural_schema(kind.resource)
    yield f"## {kind.resource.kind} (`{kind.short_name}`)\n"
    yield f"{schema['description']}\n"
    for part in ("spec", "status"):
        yield f"### {part}\n"
        yield "| Field | Type | Meaning |"
        yield "|---|---|---|"
        yield from _rows(_property(schema, part), "")
        yield ""


def _rows(schema: Schema, prefix: str) -> Iterator[str]:
    required = schema.get("required")
    for name, field in _properties(schema).items():
        path, mark = f"{prefix}{name}", " (required)" if isinstance(required, list) and name in required else ""
        yield f"| `{path}` | {_type(field)}{mark} | {_cell(_meaning(field))} |"
        yield from _rows(field, f"{path}.")
        items = field.get("items")
        yield from _rows(items, f"{path}[].") if isinstance(items, dict) else ()


def _properties(schema: Schema) -> dict[str, Schema]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    return {name: field for name, field in known.items() if isinstance(field, dict)}


def _property(schema: Schema, name: str) -> Schema:
    return _properties(schema)[name]


def _type(field: Schema) -> str:
    items, choices = field.get("items"), field.get("enum")
    if isinstance(items, dict):
        return f"list of {_type(items)}"
    if isinstance(choices, list):
        return " or ".join(f"`{choice}`" for choice in choices)
    return str(field.get("format") if field.get("format") == "date-time" else field["type"])


def _meaning(field: Schema) -> str:
    """The description, and what the API server demands, in the words of its refusal."""
    items = field.get("items")
    checks = [*_checks(field), *(f"each {check}" for check in _checks(items if isinstance(items, dict) else {}))]
    return " ".join([str(field.get("description", "")), *(f"Checked: {check}." for check in checks)])


def _checks(schema: Schema) -> list[str]:
    entries = schema.get("x-kubernetes-validations")
    return [str(entry["message"]) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or check them."""
    return run(_COMMAND, files(), arguments)


if __name__ == "__main__":
    sys.exit(main())
