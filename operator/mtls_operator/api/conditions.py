"""Conditions: what a resource says about itself.

`Ready`, `Reconciling` and `Stalled` have the meaning of kstatus: kubectl wait, Argo CD and Flux understand them.
`Reconciling` and `Stalled` are present only while they are True; waiting is Reconciling, never Stalled.
The reasons are in `reasons.py`; `docs/reference/conditions.md` is generated from both.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, TypeAlias

from mtls_operator.api.model import Part, limits, list_type
from mtls_operator.api.times import Moment


class ConditionStatus(StrEnum):
    """Status of a condition; Unknown while nothing is known yet."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """Every condition type, with what True says."""

    description: str

    def __new__(cls, value: str, description: str) -> ConditionType:
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    READY = "Ready", "Everything that the spec asks for is in force at Cloudflare."
    RECONCILING = (
        "Reconciling",
        "Something is under way or is waited for, and the operator goes on by itself. Present only while True.",
    )
    STALLED = (
        "Stalled",
        "The operator cannot go on until somebody changes something; what is in force stays. Present only while True.",
    )
    ACCEPTED = "Accepted", "The spec can be served: nothing in it is unsupported, contradictory or not permitted."
    SOURCE_RESOLVED = (
        "SourceResolved",
        "CA only. The source and what else the CA refers to were read and hold valid certificates.",
    )
    UPLOADED = "Uploaded", "CA only. The certificates of the source exist in the Cloudflare account."
    ROTATED = "Rotated", "CA only. The certificates of the source alone are in force; no earlier ones are accepted."
    QUOTA_AVAILABLE = (
        "QuotaAvailable",
        "CA only. The account has a slot for what is to be uploaded, now or by the next rotation.",
    )
    RESOLVED_REFS = "ResolvedRefs", "Binding only. The CA, the zone and the credentials were found and may be used."
    ASSOCIATED = "Associated", "Binding only. Every hostname is associated with the CA, seen back and settled."
    ENFORCED = "Enforced", "Binding only. Every hostname is covered by an enabled rule as the spec asks."
    VERIFIED = (
        "Verified",
        "Binding only. The last check from outside found that bad clients are refused (and good ones are not).",
    )


class Condition(Part):
    """One condition, in the shape of metav1.Condition."""

    type: Annotated[str, limits(minLength=1, maxLength=316)]
    """What the condition is about."""
    status: Annotated[str, limits(enum=["True", "False", "Unknown"])]
    """True, False or Unknown."""
    reason: Annotated[str, limits(minLength=1, maxLength=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, in one stable CamelCase word; docs/reference/conditions.md lists them all."""
    message: Annotated[str, limits(maxLength=32768)]
    """Why, in words, and what can be done."""
    observed_generation: Annotated[int, limits(format="int64", minimum=0)]
    """The generation of the spec that the condition answers."""
    last_transition_time: Moment
    """When `status` changed last."""


Conditions: TypeAlias = Annotated[tuple[Condition, ...], limits(**list_type("map", "type"))]


def find(conditions: Iterable[Condition], wanted: ConditionType) -> Condition | None:
    """The condition of this type, if it is there."""
    return next((condition for condition in conditions if condition.type == wanted), None)


def is_true(conditions: Iterable[Condition], wanted: ConditionType) -> bool:
    """Whether the condition is there and True."""
    found = find(conditions, wanted)
    return found is not None and found.status == ConditionStatus.TRUE
