"""What all types of the API have in common, and the vocabulary in which they describe their CRD.

The rules of this package:

- The Python types are the only source; `deploy/crds` is generated from them (`mtls_operator.api.crd`).
- A field that is absent in the object is `None` here (a list: empty, where empty means the same). What is in force
  for an absent field is said by `effective()` of the resource, and nowhere written into a spec.
- Limits (lengths, patterns, CEL) bind the API server, not the parser: an object that another version of the CRD
  admitted must still be readable, or what it has in force could not be kept. So they are given as schema extras
  (`limits`, `rule`), which pydantic does not enforce. Shapes, enumerations of a spec, durations and times are
  enforced, because nothing sensible can be done with others.
- Enumerations of a *status* are open (`str`): an older operator must be able to read what a newer one wrote.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

Extras: TypeAlias = dict[str, JsonValue]


class Part(BaseModel):
    """A part of a resource: immutable, camelCase outside, tolerant of fields it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """As the API server takes it: aliases, JSON values, nothing that is absent or empty."""
        dumped = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {name: value for name, value in dumped.items() if value not in ([], {})}


def rule(
    cel: str,
    message: str,
    *,
    message_expression: str | None = None,
    field_path: str | None = None,
) -> Extras:
    """One entry of `x-kubernetes-validations`.

    `message` is what `kubectl apply` prints; `message_expression` (CEL) replaces it where the words depend on the
    value. `field_path` names a field below the place where the rule stands, so that the refusal points at it.
    """
    entry: Extras = {"rule": cel, "message": message}
    if message_expression is not None:
        entry["messageExpression"] = message_expression
    if field_path is not None:
        entry["fieldPath"] = field_path
    return entry


def limits(*entries: Extras, **keywords: JsonValue) -> Any:
    """A field annotation with OpenAPI keywords and CEL rules that bind the API server only."""
    return Field(json_schema_extra={**keywords, **rules(*entries)})


def rules(*entries: Extras) -> Extras:
    """Schema extras that hold these CEL rules, for a field or a whole model."""
    return {"x-kubernetes-validations": [*entries]} if entries else {}


def list_type(kind: str, *map_keys: str) -> Extras:
    """How server-side apply merges a list: `set`, `atomic`, or `map` by these keys."""
    keys: Extras = {"x-kubernetes-list-map-keys": [*map_keys]} if map_keys else {}
    return {"x-kubernetes-list-type": kind, **keys}
