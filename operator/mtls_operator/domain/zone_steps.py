"""The steps of a zone's plan: every single thing that the engine may do to a zone and its bindings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtls_operator.domain.observed import CertificateId, RuleBody
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.zone_knowledge import Place

Managed = Mapping[CertificateId, frozenset[str]]
"""What a binding owns at Cloudflare: hostnames per certificate."""


@dataclass(frozen=True, slots=True)
class RecordManaged:
    """Write what the binding owns into its status, before it is added or after it is gone."""

    binding: ResourceKey
    managed: Managed
    regained: frozenset[CertificateId] = frozenset()
    """Lists of what is ours by claim and was in no status: for how long, and what happened meanwhile, nobody knows."""


@dataclass(frozen=True, slots=True)
class ReadRules:
    """Read the zone's custom ruleset."""


@dataclass(frozen=True, slots=True)
class ReadList:
    """Read the hostnames associated with a certificate."""

    certificate: CertificateId


@dataclass(frozen=True, slots=True)
class WriteList:
    """Replace the hostnames associated with a certificate by what was read with our changes."""

    certificate: CertificateId
    hostnames: frozenset[str]
    repairs: bool = False
    """Whether it puts back what we hold and somebody else took off."""


@dataclass(frozen=True, slots=True)
class WriteRule:
    """Create a rule (`rule_id` None; `before` None: at the end) or change one of ours in place."""

    body: RuleBody
    rule_id: str | None = None
    before: str | None = None
    repairs: bool = False
    """Whether it undoes what somebody else did to a rule of ours."""


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """Delete a rule of ours."""

    rule_id: str


@dataclass(frozen=True, slots=True)
class NoteReplacement:
    """Remember that somebody replaced the ruleset. Nothing is written."""


@dataclass(frozen=True, slots=True)
class Conclude:
    """Remember that these places were given up, so that their claims may go. Nothing is written."""

    places: frozenset[Place]


ZoneStep = (
    AddFinalizer
    | RemoveFinalizer
    | RecordManaged
    | ReadRules
    | ReadList
    | WriteList
    | WriteRule
    | DeleteRule
    | NoteReplacement
    | Conclude
)
