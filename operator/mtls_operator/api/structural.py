"""From the JSON schema that pydantic writes to the structural schema that a CRD demands.

A structural schema has no references, no unions and one type per place; ours has no `default` either, because a
default written into objects is a perpetual diff for Argo CD.
"""

from __future__ import annotations

from typing import TypeAlias

from pydantic import BaseModel, JsonValue

Schema: TypeAlias = dict[str, JsonValue]

# The order in which a reader wants them; what is not named here follows.
_ORDER = ("description", "type", "format", "enum", "required", "properties", "items", "additionalProperties")
_DROPPED = frozenset({"title", "default", "$defs", "$ref", "anyOf"})
_RULES = "x-kubernetes-validations"


def structural_schema(model: type[BaseModel]) -> Schema:
    """The schema of a model, by the names on the wire."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    return _Flattening(definitions).flatten(schema)


class _Flattening:
    """Resolves references against the definitions of one schema."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def flatten(self, schema: Schema) -> Schema:
        referred = self._referred(schema)
        merged = {**referred, **schema, **_all_rules(referred, schema)}
        flat: Schema = {
            keyword: self._flatten_value(keyword, value) for keyword, value in merged.items() if keyword not in _DROPPED
        }
        return {keyword: flat[keyword] for keyword in sorted(flat, key=_rank)}

    def _referred(self, schema: Schema) -> Schema:
        """What a reference, or the part of a union that is not null, says; the place's own words win over it."""
        match schema:
            case {"$ref": str(reference)}:
                return self.flatten(self._definitions[reference.removeprefix("#/$defs/")])
            case {"anyOf": [dict(alternative), {"type": "null"}]}:
                return self.flatten(alternative)
            case {"anyOf": unions}:
                raise ValueError(f"a structural schema knows no unions but with null: {unions}")
        return {}

    def _flatten_value(self, keyword: str, value: JsonValue) -> JsonValue:
        match keyword, value:
            case "properties", dict(properties):
                return {name: self.flatten(schema) for name, schema in properties.items() if isinstance(schema, dict)}
            case (("items" | "additionalProperties"), dict(schema)):
                return self.flatten(schema)
            case "description", str(text):
                return " ".join(text.split())
        return value


def _all_rules(*schemas: Schema) -> Schema:
    """The CEL rules of a type and those of the place where it stands: both bind."""
    rules = [schema[_RULES] for schema in schemas if _RULES in schema]
    return {_RULES: [rule for some in rules if isinstance(some, list) for rule in some]} if rules else {}


def _rank(keyword: str) -> tuple[int, str]:
    return (_ORDER.index(keyword) if keyword in _ORDER else len(_ORDER), keyword)
