"""Parsing of whole objects, with one error for everything that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import ValidationError

from mtls_operator.api.metadata import Metadata
from mtls_operator.api.model import Part


class UnreadableResourceError(ValueError):
    """An object whose shape this version of the operator does not understand.

    It goes on wanting what its status records, so `metadata` and `status` are handed over where they are readable
    (`status` is of the kind's own status type); `problems` says field by field what is wrong.
    """

    def __init__(self, kind: str, metadata: Metadata | None, status: Part | None, problems: tuple[str, ...]) -> None:
        self.kind = kind
        self.metadata = metadata
        self.status = status
        self.problems = problems
        name = f"{metadata.namespace}/{metadata.name}" if metadata else "without readable metadata"
        super().__init__(
            f"{kind} {name} cannot be read by this version of the operator: {'; '.join(problems)}. "
            "Correct the resource, or run the version of the operator that its CRD belongs to."
        )


class Resource(Part):
    """An object of one of our kinds: `metadata`, `spec` and `status`."""

    kind: ClassVar[str]
    status_type: ClassVar[type[Part]]

    metadata: Metadata

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Read an object as the API server (or kopf) hands it over.

        Unknown fields are ignored. Raises UnreadableResourceError if a known field has a shape or an enumeration value
        that is not understood; limits of the CRD (lengths, patterns) are not checked again here.
        """
        parts = {name: body.get(name) or {} for name in ("metadata", "spec", "status")}
        try:
            return cls.model_validate(parts)
        except ValidationError as error:
            raise UnreadableResourceError(
                cls.kind,
                _readable(Metadata, parts["metadata"]),
                _readable(cls.status_type, parts["status"]),
                tuple(_problem(entry["loc"], entry["msg"]) for entry in error.errors(include_url=False)),
            ) from error

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name


def _readable(part: type[Part], value: object) -> Any:
    try:
        return part.model_validate(value)
    except ValidationError:
        return None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, location))}: {message}"
