"""Write the CRDs from the types: `python -m mtls_operator.api.crd --output deploy/crds`.

With `--check` nothing is written, and the exit status is 1 if a file differs from what would be written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from mtls_operator.api import constants
from mtls_operator.api.certificate_authority import MtlsCertificateAuthority
from mtls_operator.api.generated import Files, run
from mtls_operator.api.host_binding import MtlsHostBinding
from mtls_operator.api.resource import Resource
from mtls_operator.api.structural import Schema, structural_schema

_COMMAND = "python -m mtls_operator.api.crd"
_HEADER = f"# Generated from the types in operator/mtls_operator/api by `{_COMMAND}`; do not edit.\n"
_READY = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. Columns of priority above 0 are shown with `-o wide` only."""

    name: str
    json_path: str
    description: str
    type: str = "string"
    priority: int = 0

    def to_wire(self) -> dict[str, object]:
        """As the CRD holds it. The API server leaves out a priority of 0; so do we, or each apply would be a change."""
        column: dict[str, object] = {
            "name": self.name,
            "type": self.type,
            "jsonPath": self.json_path,
            "description": self.description,
        }
        return {**column, "priority": self.priority} if self.priority else column


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CRD says beside the schema."""

    resource: type[Resource]
    plural: str
    short_name: str
    columns: tuple[Column, ...]


_DOES_IT_WORK = (
    Column("Ready", f"{_READY}.status", "Whether everything that the spec asks for is in force"),
    Column("Reason", f"{_READY}.reason", "Why, in one word"),
    Column("Since", f"{_READY}.lastTransitionTime", "Time since Ready changed", type="date"),
)
_DETAILS = (
    Column("Age", ".metadata.creationTimestamp", "Time since creation", type="date"),
    Column("Message", f"{_READY}.message", "Why, in words", priority=1),
)

KINDS = (
    Kind(
        resource=MtlsCertificateAuthority,
        plural=constants.CERTIFICATE_AUTHORITY_PLURAL,
        short_name=constants.CERTIFICATE_AUTHORITY_SHORT_NAME,
        columns=(
            *_DOES_IT_WORK,
            Column("Hostnames", ".status.hostnames", "Hostnames bound to the CA", type="integer"),
            # Not of type date: kubectl prints moments of the future as <invalid>.
            Column("Expires", ".status.notAfter", "When the first of the CA certificates expires"),
            Column("Subject", ".status.subject", "Subject of the CA", priority=1),
            Column("Certificate", ".status.certificateId", "Id of the certificate at Cloudflare", priority=1),
            *_DETAILS,
        ),
    ),
    Kind(
        resource=MtlsHostBinding,
        plural=constants.HOST_BINDING_PLURAL,
        short_name=constants.HOST_BINDING_SHORT_NAME,
        columns=(
            *_DOES_IT_WORK,
            Column("CA", ".spec.certificateAuthorityRef.name", "The certificate authority"),
            Column("Hostnames", ".status.hostnamesReady", "Hostnames that are as the spec asks, of all"),
            Column("CA Expires", ".status.certificateAuthorityNotAfter", "When the CA in force expires"),
            Column("Zone", ".status.zoneName", "The zone", priority=1),
            *_DETAILS,
        ),
    ),
)


def definition(kind: Kind) -> dict[str, object]:
    """The CustomResourceDefinition of a kind."""
    name = kind.resource.kind
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{constants.GROUP}"},
        "spec": {
            "group": constants.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "singular": name.lower(),
                "shortNames": [kind.short_name],
                "categories": [constants.CATEGORY],
            },
            "versions": [
                {
                    "name": constants.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.to_wire() for column in kind.columns],
                    "schema": {"openAPIV3Schema": _object_schema(kind.resource)},
                }
            ],
        },
    }


def _object_schema(resource: type[Resource]) -> Schema:
    schema = structural_schema(resource)
    properties = schema["properties"]
    if not isinstance(properties, dict):
        raise TypeError(f"{resource.kind} has no properties; a resource has metadata, spec and status")
    return {
        "description": schema["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of the API."},
            "kind": {"type": "string", "description": "Kind of the object."},
            # The API server validates metadata itself and admits no schema for it.
            "metadata": {"type": "object"},
            "spec": properties["spec"],
            "status": properties["status"],
        },
    }


def files() -> Files:
    """File names and texts of all CRDs."""
    return {f"{kind.plural}.{constants.GROUP}.yaml": _HEADER + _yaml(definition(kind)) for kind in KINDS}


def _yaml(value: object) -> str:
    # Through JSON, so that what occurs twice is written twice: an anchor is hard to read and not every tool knows it.
    return yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False, width=120, allow_unicode=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or check them."""
    return run(_COMMAND, files(), arguments)


if __name__ == "__main__":
    sys.exit(main())
