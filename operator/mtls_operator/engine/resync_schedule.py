"""When each account and each zone is looked at again though nothing has happened.

The period follows from what the tokens have left at the moment (`domain/resync.py`), so it is worked out anew each
time that somebody asks, and nothing but the last look is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from mtls_operator.cloudflare.rate_budget import RateBudget
from mtls_operator.domain.handling import is_observed
from mtls_operator.domain.resync import (
    CEILING_SECONDS,
    DOCUMENTED,
    MEMORY_SECONDS,
    Leeway,
    first_pause,
    is_delayed,
    pause,
    period,
)
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.engine.clock import Clock
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.keys import AccountKey, Key, UnzonedKey, ZoneKey
from mtls_operator.engine.situation import Situation

Calls = Mapping[RateBudget, int]
"""What one look costs, by the budget that pays for it."""


@dataclass
class _Look:
    calls: Calls
    since: float
    """When the last one was begun; of one that never was, when it was first thought of."""
    chance: float
    busy: bool
    is_first: bool = True
    delayed: bool = False


@dataclass(repr=False)
class ResyncSchedule:
    """Says when an account or a zone is due."""

    situation: Situation
    credentials: Credentials
    _looks: dict[Key, _Look] = field(default_factory=dict)

    def note(self, key: Key, *, busy: bool) -> None:
        """Take down what a look costs now. What is nobody's any more is not looked at again; what is busy with
        something reads on its own and is left to it, up to the ceiling."""
        calls = calls_of(key, self.situation, self.credentials)
        if not calls:
            self._looks.pop(key, None)
        elif look := self._looks.get(key):
            look.calls, look.busy = calls, busy
        else:
            self._looks[key] = _Look(calls, self._clock.now(), self._clock.chance.random(), busy)

    def take(self, key: Key) -> bool:
        """Whether a look is due; the next one is due a period later."""
        look, now = self._looks.get(key), self._clock.now()
        if look is None:
            return False
        look.delayed = is_delayed(self._period(look), look.delayed)
        if now < self._due(look):
            return False
        look.since, look.chance, look.is_first = now, self._clock.chance.random(), False
        return True

    def again(self, key: Key) -> float | None:
        """After how many seconds to ask again; None when there is nothing to look at."""
        look = self._looks.get(key)
        if look is None:
            return None
        # What is left of the limit may change meanwhile, so nothing sleeps for longer than the ceiling.
        return min(max(1.0, self._due(look) - self._clock.now()), CEILING_SECONDS)

    def is_delayed(self, key: Key) -> bool:
        """Whether the limit leaves too little to keep the ceiling."""
        look = self._looks.get(key)
        return look is not None and look.delayed

    @property
    def _clock(self) -> Clock:
        return self.situation.clock

    def _due(self, look: _Look) -> float:
        due = look.since + (first_pause if look.is_first else pause)(self._period(look), look.chance)
        return max(due, look.since + CEILING_SECONDS) if look.busy else due

    def _period(self, look: _Look) -> float:
        return period((self._round_of(budget), leeway_of(budget)) for budget in look.calls)

    def _round_of(self, budget: RateBudget) -> int:
        return sum(look.calls.get(budget, 0) for look in self._looks.values())


def leeway_of(budget: RateBudget) -> Leeway:
    """What the others have left of a token's limit lately; without any news, the whole of it."""
    policy = budget.policy
    known = Leeway(policy.quota, policy.window_seconds) if policy else DOCUMENTED
    left = budget.least_left(MEMORY_SECONDS)
    return known if left is None else Leeway(left, known.window)


def calls_of(key: Key, situation: Situation, credentials: Credentials) -> Calls:
    """What a look at an account or a zone costs: one listing for each token of an account; the rules of a zone once,
    and each list that a binding of it has hostnames on."""
    match key:
        case AccountKey(account_id):
            listings = _tokens_of_account(situation, account_id)
            return _paid(credentials, [(credential, 1) for credential in listings])
        case ZoneKey(zone_id):
            lists = _lists_of_zone(situation, zone_id)
            first = next(iter(lists), None)
            return _paid(credentials, [(each, len(names) + (each == first)) for each, names in lists.items()])
        case UnzonedKey():
            return {}
        case _:
            assert_never(key)


def _tokens_of_account(situation: Situation, account_id: str) -> list[CredentialKey]:
    authorities = situation.authorities_in(account_id)
    made = [each for each in authorities if each.status.certificate_id or is_observed(each.spec)]
    found = (situation.assess_authority(each).credential for each in made)
    return list(dict.fromkeys(each for each in found if each is not None))


def _lists_of_zone(situation: Situation, zone_id: str) -> Mapping[CredentialKey, set[str]]:
    lists: dict[CredentialKey, set[str]] = {}
    for binding in situation.bindings_in(zone_id):
        verdict = situation.assess(binding)
        # What is observed or not adopted is on no list of ours, and looked at all the same.
        names = {each.certificate_id for each in binding.status.managed}
        names |= {verdict.target.certificate} if verdict.target is not None and not binding.deleting else set()
        if verdict.credential is not None and names:
            lists.setdefault(verdict.credential, set()).update(names)
    return lists


def _paid(credentials: Credentials, calls: list[tuple[CredentialKey, int]]) -> Calls:
    paid: dict[RateBudget, int] = {}
    for credential, number in calls:
        if budget := credentials.budget(credential):
            paid[budget] = paid.get(budget, 0) + number
    return paid
