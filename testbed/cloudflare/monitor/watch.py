"""The monitor itself: takes each handled request to everyone who judges."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from testbed.cloudflare.messages import Answer, Request
from testbed.cloudflare.monitor.actions import Action, Association, RulesetWrite, RuleWrite, read_action
from testbed.cloudflare.monitor.case import Case, Finding, Patience
from testbed.cloudflare.monitor.certificates import Uploads, judge_deletion
from testbed.cloudflare.monitor.contents import judge_request
from testbed.cloudflare.monitor.enforcement import Coverage, GivenUp, judge_enforcement
from testbed.cloudflare.monitor.lists import judge_removals
from testbed.cloudflare.monitor.ownership import judge_rule_writes
from testbed.cloudflare.monitor.sightings import Sightings
from testbed.cloudflare.monitor.validity import Retirement, Validity
from testbed.cloudflare.state import State

logger = logging.getLogger(__name__)


_EXCUSABLE = frozenset({2, 3, 6, 10, 13})


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never happen, and the request that did it.

    `invariant` is its number under "Safety invariants" in the design. `index` counts the requests that the monitor
    saw, from 0; `request` is method and path, `time` Unix time in seconds, `ray` the answer's `cf-ray`. What is found
    at the end only has the number of all requests as index and infinity as time.
    """

    invariant: int
    message: str
    index: int
    request: str
    time: float
    ray: str = ""

    def __str__(self) -> str:
        return f"invariant {self.invariant}, request {self.index} ({self.request}): {self.message}"


class Monitor:
    """Checks the safety invariants on every request against the true state.

    `window` is the consistency window in seconds that the installations were told. `takeovers` says, per installation,
    whose marks it was told to take as its own. Requests of tokens without an owner are of people or other programs:
    they are judged for invariants 1 and 4 only, and what they break is nobody's violation. `given_up` tells when the
    user of an installation last wanted a hostname without enforcement; absent: nobody knows. `retirement` tells when an
    issuer may end; absent: invariant 6 is not judged, because only the users know what is retired. `hears_of_arrivals`:
    whether a certificate may not be deleted either while hostnames are on their way to it in a zone in which who
    deletes it has nothing, so that it cannot know (testbed/chaos/exclusions.py).
    """

    def __init__(
        self,
        *,
        window: float = 90.0,
        takeovers: Mapping[str, Iterable[str]] | None = None,
        given_up: GivenUp | None = None,
        retirement: Retirement | None = None,
        hears_of_arrivals: bool = True,
    ) -> None:
        self.violations: list[Violation] = []
        self._patience = Patience(window)
        self._takeovers = {owner: frozenset(gone) for owner, gone in (takeovers or {}).items()}
        self._sightings = Sightings()
        self._uploads = Uploads()
        self._coverage = Coverage(given_up)
        self._validity = Validity(retirement)
        self._excused: dict[str, float] = {}
        self._hears_of_arrivals = hears_of_arrivals
        self._last = State()
        self._seen = 0

    def observe(self, before: State, request: Request, answer: Answer, after: State, now: float) -> None:
        """Judge one handled request, refused ones included."""
        action = read_action(request)
        self._sightings.note(before, now)
        self._validity.note(before, now)
        findings = list(judge_request(request, action))
        token = before.token_of(request)
        excused = frozenset(zone_id for zone_id, until in self._excused.items() if now <= until)
        if token is not None and token.owner is not None:
            case = Case(
                request,
                action,
                token.owner,
                before,
                after,
                now,
                self._sightings,
                self._patience,
                self._takeovers,
                excused,
                self._hears_of_arrivals,
            )
            findings += self._judge(case)
        self._sightings.note(after, now)
        self._validity.note(after, now)
        self._last = after
        for invariant, message in findings:
            if _zone_of(action) in excused and invariant in _EXCUSABLE:
                continue
            line, ray = f"{request.method} {request.path}", answer.headers.get("cf-ray", "")
            self._record(Violation(invariant, message, self._seen, line, now, ray))
        self._seen += 1

    def excuse(self, zone_id: str, until: float) -> None:
        """Somebody has taken away or changed there what installations tell each other by, or what they rely on: until
        then (Unix time) nobody in the zone is to blame for locking out, removing or not enforcing. Nor is, for
        deleting a certificate, who has nothing in the zone: the list was all that told it of others."""
        self._excused[zone_id] = max(until, self._excused.get(zone_id, until))

    def finish(self) -> list[Violation]:
        """Judge what only the end shows, and give all violations. Call it once, when everything has settled."""
        for invariant, message in self._coverage.still_lost(self._last):
            self._record(Violation(invariant, message, self._seen, "the end", math.inf))
        return self.violations

    def _judge(self, case: Case) -> list[Finding]:
        return [
            *self._uploads.judge(case),
            *judge_deletion(case),
            *judge_removals(case),
            *judge_rule_writes(case),
            *judge_enforcement(case),
            *self._coverage.judge(case),
            *self._validity.judge(case),
        ]

    def _record(self, violation: Violation) -> None:
        self.violations.append(violation)
        logger.error("SAFETY INVARIANT VIOLATED: %s", violation)


def _zone_of(action: Action | None) -> str:
    """Empty for what is no matter of a zone."""
    return action.zone_id if isinstance(action, Association | RulesetWrite | RuleWrite) else ""
