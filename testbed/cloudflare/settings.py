"""What can be chosen about a simulated Cloudflare.

Defaults are Cloudflare's documented values; where its behaviour is unknown there is a choice, so that tests can
run under each.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from testbed.cloudflare.edge.settings import EdgeSettings


class Kind(enum.Enum):
    """What a read is about: each kind can lag behind the truth by its own delay."""

    LISTS = "lists"
    CERTIFICATES = "certificates"
    IN_USE = "in_use"
    """The check at DELETE whether a certificate still has hostnames."""
    RULESETS = "rulesets"
    ACCESS_RULES = "access_rules"
    RECORDS = "records"


class Staleness(enum.Enum):
    """How old the answer of a read is."""

    IMMEDIATE = "immediate"
    EXACT = "exact"
    """As old as the delay of its kind, always: the worst steady case."""
    RANDOM = "random"
    """Now, somewhere up to the delay, or as old as the delay, each a third of the time."""


class Duplicates(enum.Enum):
    """What makes an upload identical to an earlier one (error 1471). Which of the two is real is unknown."""

    WHOLE_UPLOAD = "whole_upload"
    ANY_CERTIFICATE = "any_certificate"


@dataclass(frozen=True, slots=True)
class Consistency:
    """Delays in seconds. Writes never rest on an old view."""

    staleness: Staleness = Staleness.IMMEDIATE
    delays: Mapping[Kind, float] = field(default_factory=dict)

    @classmethod
    def everywhere(cls, seconds: float, staleness: Staleness = Staleness.RANDOM) -> Consistency:
        """The same delay for every kind; none at all for 0 seconds."""
        if seconds <= 0:
            return cls()
        return cls(staleness, dict.fromkeys(Kind, seconds))

    @property
    def longest(self) -> float:
        """The longest delay in seconds."""
        return max(self.delays.values(), default=0.0)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`requests` per `window` seconds and token; past it, refused for `penalty` seconds.

    1,200 per 5 minutes and a ban of 5 minutes: Cloudflare's "Rate limits" page.
    """

    requests: int = 1200
    window: float = 300.0
    penalty: float = 300.0


RULES_BY_PLAN: Mapping[str, int] = {"free": 5, "pro": 20, "business": 100, "enterprise": 1000}
"""Custom rules per zone: Cloudflare's "WAF custom rules, availability"."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`unique_names`, `intermediates_alone`, `omit_empty_rules`: unknown of the real one, so a choice."""

    consistency: Consistency = field(default_factory=Consistency)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    duplicates: Duplicates = Duplicates.WHOLE_UPLOAD
    unique_names: bool = False
    intermediates_alone: bool = True
    """Whether an upload may consist of certificates that are not self-signed."""
    omit_empty_rules: bool = True
    """Whether a ruleset without rules is answered without the field `rules`."""
    expression_limit: int = 4096
    rules_by_plan: Mapping[str, int] = field(default_factory=lambda: RULES_BY_PLAN)
    edge: EdgeSettings = field(default_factory=EdgeSettings)

    @property
    def memory(self) -> float:
        """How far back the past is seen by somebody, in seconds."""
        return max(self.consistency.longest, self.edge.longest_delay)
