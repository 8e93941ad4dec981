"""Looks from time to time at what others have in a zone that lets requests past our rules (`domain/exposure.py`).

Apart from the work on zones: these looks hold up nothing, change nothing at Cloudflare, and are the least urgent calls
of all. A zone is looked at with each token that acts for hostnames in force there, every quarter of an hour or so; what
a token may not see is left out, which a metric says, and asked for again after hours.

Rules of this module:
- A process that starts takes an interval's time before it looks, so that one that starts again and again costs nothing.
  What comes into force later is looked at soon.
- Looks take at most an eighth of what others leave of a token's limit: half of what the looks for drift may take.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from mtls_operator.api.host_binding import HostnameState
from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import CloudflareError, NotFound, PermissionDenied, Rejected
from mtls_operator.cloudflare.token import ApiToken
from mtls_operator.domain.exposure import ZoneLook, proxying_of
from mtls_operator.domain.observed import AccessRule
from mtls_operator.domain.resync import CEILING_SECONDS, pause, period
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.domain.urgency import Urgency
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.defects import is_done
from mtls_operator.engine.resync_schedule import leeway_of
from mtls_operator.engine.situation import Situation
from mtls_operator.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)
_TICK_SECONDS: Final = 120.0
"""How often zones are looked for that are due, or have got their first hostname in force."""
_SOON_SECONDS: Final = 60.0
"""What has just come into force may still be in the making: its records, for example."""
_CALLS: Final = 4
"""What a look costs, where every listing fits on a page."""
_WEIGHT: Final = 2
"""An eighth instead of the quarter that `domain/resync.py` allows."""
_AGAIN_SECONDS: Final = 300.0
"""After a look that got no answer."""
_LEFT_OUT_SECONDS: Final = 6 * 3600.0
_REFUSALS = (PermissionDenied, NotFound, Rejected)
"""Answers that say no to this question alone. Everything else is no answer, and asked again soon."""
_IN_FORCE: Final = frozenset({HostnameState.ENFORCED, HostnameState.MOVING})

T = TypeVar("T")


class Check(StrEnum):
    """What is asked for, as the metric calls it."""

    ACCESS_RULES = "access_rules"
    ACCOUNT_ACCESS_RULES = "account_access_rules"
    RECORDS = "dns_records"
    MANAGED_LIST = "managed_list"


class _Subject(NamedTuple):
    """A zone as one token sees it."""

    zone_id: str
    credential: CredentialKey


@dataclass(frozen=True, slots=True)
class _Wanted:
    account_id: str
    hostnames: frozenset[str]
    """Those in force."""


@dataclass(frozen=True, slots=True)
class _Refused:
    token: ApiToken
    until: float


@dataclass(repr=False)
class ExposureChecks:
    """Knows the last look at each zone. `on_news` is told of the id of one in which something else is seen now."""

    situation: Situation
    credentials: Credentials
    metrics: Metrics
    on_news: Callable[[str], None]
    _looks: dict[_Subject, ZoneLook] = field(default_factory=dict)
    _due: dict[_Subject, float] = field(default_factory=dict)
    _refused: dict[tuple[_Subject, Check], _Refused] = field(default_factory=dict)
    _of_accounts: dict[tuple[CredentialKey, str], tuple[float, frozenset[AccessRule]]] = field(default_factory=dict)
    """What was read of an account, and when: its zones share it."""

    def look(self, zone_id: str, credential: CredentialKey) -> ZoneLook | None:
        """The last look at a zone with a token; None before the first."""
        return self._looks.get(_Subject(zone_id, credential))

    async def run(self) -> None:
        """Until cancelled."""
        await is_done(self._begin(), "looking for zones in use")
        while True:
            # Jitter: clusters that were started together share their user's limit.
            await asyncio.sleep(_TICK_SECONDS * self.situation.clock.chance.uniform(0.5, 1.0))
            await is_done(self._take_all(), "looking for zones in use")

    async def _begin(self) -> None:
        self._note(self._in_force(), interval_first=True)

    async def _take_all(self) -> None:
        wanted = self._in_force()
        self._forget(self._due.keys() - wanted.keys())
        self._note(wanted, interval_first=False)
        for subject in sorted(wanted, key=str):
            if self.situation.clock.now() >= self._due[subject]:
                taken = self._take(subject, wanted[subject])
                await is_done(taken, "looking at what others have in a zone", zone=subject.zone_id)

    def _in_force(self) -> Mapping[_Subject, _Wanted]:
        """What is in force in each zone with each token."""
        found: dict[_Subject, _Wanted] = {}
        for binding in self.situation.bindings:
            states = binding.status.hostnames if binding.status_is_readable and not binding.deleting else ()
            names = frozenset(each.name for each in states if each.state in _IN_FORCE)
            zone = self.situation.zone_of(binding) if names else None
            credential = self.situation.assess(binding).credential if zone else None
            if zone is not None and credential is not None:
                before = found.get(_Subject(zone.id, credential))
                names |= before.hostnames if before else frozenset()
                found[_Subject(zone.id, credential)] = _Wanted(zone.account_id, names)
        return found

    def _note(self, wanted: Mapping[_Subject, _Wanted], *, interval_first: bool) -> None:
        now = self.situation.clock.now()
        for subject in wanted.keys() - self._due.keys():
            self._due[subject] = now + _SOON_SECONDS
        if interval_first:
            for subject in sorted(wanted, key=str):
                self._due[subject] = now + self._pause(subject)

    def _forget(self, subjects: set[_Subject]) -> None:
        for subject in subjects:
            self._due.pop(subject)
            self._looks.pop(subject, None)
            for check in Check:
                self._refused.pop((subject, check), None)
                self.metrics.exposure_check(subject.zone_id, check, left_out=False)

    async def _take(self, subject: _Subject, wanted: _Wanted) -> None:
        token = self.credentials.token(subject.credential)
        client = self.credentials.client(subject.credential, Urgency.DRIFT_CHECK)
        if token is None or client is None:
            return
        try:
            seen = await self._seen(_Asking(client, token, subject), wanted)
        except CloudflareError as error:
            # What was seen before stays.
            self._due[subject] = self.situation.clock.now() + _AGAIN_SECONDS
            _LOG.info("a zone was not looked at: %s", error, extra={"zone": subject.zone_id})
            return
        before, self._looks[subject] = self._looks.get(subject), seen
        self._due[subject] = self.situation.clock.now() + self._pause(subject)
        if seen != before:
            self.on_news(subject.zone_id)

    async def _seen(self, asking: _Asking, wanted: _Wanted) -> ZoneLook:
        """Raises CloudflareError when something was neither answered nor refused."""
        zone_id, client = asking.subject.zone_id, asking.client
        allowances = await self._checked(asking, Check.ACCESS_RULES, lambda: client.list_zone_allowances(zone_id))
        managed = await self._checked(asking, Check.MANAGED_LIST, lambda: client.get_managed_hostnames(zone_id))
        records = await self._checked(asking, Check.RECORDS, lambda: client.list_records(zone_id))
        return ZoneLook(
            hostnames=wanted.hostnames,
            allowances=frozenset(allowances or ()) | await self._of_account(asking, wanted.account_id),
            proxying={} if records is None else proxying_of(wanted.hostnames, records),
            managed=(managed or frozenset()) & wanted.hostnames,
        )

    async def _of_account(self, asking: _Asking, account_id: str) -> frozenset[AccessRule]:
        if not account_id:
            return frozenset()
        place, now = (asking.subject.credential, account_id), self.situation.clock.now()
        known = self._of_accounts.get(place)
        if known is not None and now < known[0] + CEILING_SECONDS / 2:
            return known[1]
        listed = await self._checked(
            asking, Check.ACCOUNT_ACCESS_RULES, lambda: asking.client.list_account_allowances(account_id)
        )
        if listed is not None:
            self._of_accounts[place] = now, frozenset(listed)
        return frozenset(listed or ())

    async def _checked(self, asking: _Asking, check: Check, ask: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None where the token may not ask, which is not tried again for hours with the same token."""
        refused, now = self._refused.get((asking.subject, check)), self.situation.clock.now()
        if refused is not None and refused.token == asking.token and now < refused.until:
            return None
        zone_id = asking.subject.zone_id
        try:
            answer = await ask()
        except _REFUSALS as error:
            self._refused[(asking.subject, check)] = _Refused(asking.token, now + _LEFT_OUT_SECONDS)
            self.metrics.exposure_check(zone_id, check, left_out=True)
            _LOG.warning("a check for exposure is left out: %s", error, extra={"zone": zone_id, "check": check})
            return None
        self._refused.pop((asking.subject, check), None)
        self.metrics.exposure_check(zone_id, check, left_out=False)
        return answer

    def _pause(self, subject: _Subject) -> float:
        """Seconds to the next look."""
        budget = self.credentials.budget(subject.credential)
        if budget is None:
            return CEILING_SECONDS
        calls = _WEIGHT * _CALLS * sum(self.credentials.budget(each.credential) is budget for each in self._due)
        whole = max(CEILING_SECONDS, period([(calls, leeway_of(budget))]))
        return pause(whole, self.situation.clock.chance.random())


@dataclass(frozen=True, slots=True)
class _Asking:
    """A look under way."""

    client: CloudflareClient
    token: ApiToken
    subject: _Subject
