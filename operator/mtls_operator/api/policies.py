"""Policies that both kinds have, and what is in force where they are absent."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

from mtls_operator.api.model import limits, rule


class ManagementPolicy(StrEnum):
    """Whether the operator writes to Cloudflare for a resource."""

    MANAGE = "Manage"
    OBSERVE = "Observe"


class AdoptionPolicy(StrEnum):
    """What becomes of things that exist already and carry no mark of this operator."""

    IF_IDENTICAL = "IfIdentical"
    NEVER = "Never"


class DeletionPolicy(StrEnum):
    """What becomes of things at Cloudflare when the resource is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class RotationStrategy(StrEnum):
    """How old and new CAs are in force together during an overlap."""

    BUNDLE = "Bundle"
    SIDE_BY_SIDE = "SideBySide"


class Action(StrEnum):
    """What the zone's rule does with a request without an accepted client certificate."""

    BLOCK = "Block"
    LOG = "Log"
    NONE = "None"


class IssuerPinning(StrEnum):
    """Whether rules accept the issuers of the CA only, or any certificate that Cloudflare verified."""

    ALWAYS = "Always"
    NEVER = "Never"


class NamespacesFrom(StrEnum):
    """Whose bindings may use a CA."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


# In force where the spec says nothing. The CRDs hold no `default:` and specs are never written.
MANAGEMENT_WHEN_ABSENT: Final = ManagementPolicy.MANAGE
ADOPTION_WHEN_ABSENT: Final = AdoptionPolicy.IF_IDENTICAL
DELETION_WHEN_ABSENT: Final = DeletionPolicy.DELETE
OVERLAP_WHEN_ABSENT: Final = timedelta(hours=24)
STRATEGY_WHEN_ABSENT: Final = RotationStrategy.BUNDLE
ACTION_WHEN_ABSENT: Final = Action.BLOCK
PINNING_WHEN_ABSENT: Final = IssuerPinning.ALWAYS
NAMESPACES_WHEN_ABSENT: Final = NamespacesFrom.SAME
VERIFICATION_PATH_WHEN_ABSENT: Final = "/"

CLOUDFLARE_ID_RULE: Final = rule(
    "self.matches('^[0-9a-f]{32}$')", "must be a Cloudflare id: exactly 32 lower-case hexadecimal digits"
)
CloudflareId = Annotated[str, limits(CLOUDFLARE_ID_RULE, maxLength=64)]
