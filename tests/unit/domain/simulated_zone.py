"""A zone at Cloudflare as the protocol has to live with it: lists and a ruleset that are written at once and read late.

Nothing of the operator's planning is used here; only the types of what Cloudflare holds.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from mtls_operator.domain.observed import CertificateId, Rule, RuleBody, Ruleset

T = TypeVar("T")


class RefusedError(Exception):
    """Cloudflare refuses a request: the rule is not there, or its ref is taken."""


@dataclass
class Past(Generic[T]):
    """A value and everything that it has been."""

    moments: list[float]
    values: list[T]

    @property
    def now(self) -> T:
        return self.values[-1]

    def become(self, moment: float, value: T) -> None:
        """From now on it is this."""
        self.moments.append(moment)
        self.values.append(value)

    def at(self, moment: float) -> T:
        """What it was; before the beginning, what it was at the beginning."""
        return self.values[max(0, bisect_right(self.moments, moment) - 1)]


class FullError(RefusedError):
    """Cloudflare refuses one more rule: the zone's plan has no more."""


@dataclass
class SimulatedZone:
    """The truth of one zone. `watch` is called after every change with who made it."""

    rng: random.Random
    clock: Callable[[], float]
    lag: float
    lists: dict[CertificateId, Past[frozenset[str]]]
    ruleset: Past[Ruleset | None]
    watch: Callable[[], None] = lambda: None
    most_rules: int | None = None
    """How many rules the zone's plan has; None: enough."""
    refused: list[RuleBody] = field(default_factory=list)
    """Those for which there was none left."""
    _rules_made: int = 0
    put_log: list[tuple[CertificateId, frozenset[str], frozenset[str]]] = field(default_factory=list)

    def read_list(self, certificate: CertificateId) -> frozenset[str]:
        """A list as it is, or as it was some time within the lag."""
        if certificate not in self.lists:
            raise RefusedError(f"no certificate {certificate}")
        return self.lists[certificate].at(self._late())

    def read_rules(self, not_before: float = 0.0) -> Ruleset | None:
        """The ruleset as it is, or as it was some time within the lag, but not before a moment."""
        return self.ruleset.at(max(not_before, self._late()))

    def put_list(self, certificate: CertificateId, hostnames: frozenset[str]) -> None:
        """Replace a list."""
        if certificate not in self.lists:
            raise RefusedError(f"no certificate {certificate}")
        self.lists[certificate].become(self.clock(), hostnames)
        self.watch()

    def create_ruleset(self, body: RuleBody) -> Ruleset:
        """Create the ruleset with its first rule."""
        if self.ruleset.now is not None:
            raise RefusedError("the zone has a ruleset already")
        return self.create_rule(body, None)

    def create_rule(self, body: RuleBody, before: str | None) -> Ruleset:
        """Insert a rule before another, or at the end."""
        rules = self._rules()
        if any(rule.body.ref == body.ref for rule in rules):
            raise RefusedError(f"ref {body.ref} is taken")
        if self.most_rules is not None and len(rules) >= self.most_rules:
            self.refused.append(body)
            raise FullError("the zone's plan has no more rules")
        index = len(rules) if before is None else self._index(before)
        self._rules_made += 1
        rule = Rule(f"rule-{self._rules_made}", body)
        return self._become((*rules[:index], rule, *rules[index:]))

    def change_rule(self, rule_id: str, body: RuleBody, before: str | None = None) -> Ruleset:
        """Replace a rule, in place or before another."""
        index, rules = self._index(rule_id), self._rules()
        changed, others = replace(rules[index], body=body), (*rules[:index], *rules[index + 1 :])
        place = index if before is None else next((i for i, rule in enumerate(others) if rule.id == before), None)
        if place is None:
            raise RefusedError(f"no rule {before}")
        return self._become((*others[:place], changed, *others[place:]))

    def delete_rule(self, rule_id: str) -> Ruleset:
        """Delete a rule."""
        index, rules = self._index(rule_id), self._rules()
        return self._become((*rules[:index], *rules[index + 1 :]))

    def set_rules(self, rules: tuple[Rule, ...]) -> None:
        """Somebody leaves the ruleset with these rules."""
        self._become(rules)

    def _rules(self) -> tuple[Rule, ...]:
        return self.ruleset.now.rules if self.ruleset.now else ()

    def _index(self, rule_id: str) -> int:
        index = next((i for i, rule in enumerate(self._rules()) if rule.id == rule_id), None)
        if index is None:
            raise RefusedError(f"no rule {rule_id}")
        return index

    def _become(self, rules: tuple[Rule, ...]) -> Ruleset:
        version = self.ruleset.now.version + 1 if self.ruleset.now else 1
        ruleset = Ruleset("the-ruleset", version, rules)
        self.ruleset.become(self.clock(), ruleset)
        self.watch()
        return ruleset

    def _late(self) -> float:
        return self.clock() - self.rng.choice([0.0, self.rng.uniform(0, self.lag), self.lag])
