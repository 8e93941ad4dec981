"""What the operator counts and measures, in a registry of its own.

Labels have few values: an endpoint is its template, a reconcile its kind. The one label that grows with the
installation is the key of the last success, one series per zone and account.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

# Seconds. A call to Cloudflare takes tenths, and is given up after two minutes.
_CALL_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
# A reconcile is a handful of calls.
_RECONCILE_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """`wall_clock` is Unix time in seconds, for the time of the last success."""

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._wall_clock = wall_clock
        ProcessCollector(registry=self.registry)
        self._requests = self._counter(
            "cloudflare_requests",
            "Calls sent to Cloudflare; status `none` without an answer.",
            "method endpoint status",
        )
        self._request_seconds = self._histogram(
            "cloudflare_request_duration_seconds", "How long calls took.", "method endpoint", _CALL_BUCKETS
        )
        self._budget = self._gauge(
            "cloudflare_rate_budget_remaining_requests", "What Cloudflare says a token has left.", "credential"
        )
        self._token_expiry = self._gauge(
            "token_expiry_timestamp_seconds", "When a token expires, as Cloudflare says.", "credential"
        )
        self._reconciles = self._counter("reconciles", "Reconciles of an account or a zone, by result.", "kind result")
        self._reconcile_seconds = self._histogram(
            "reconcile_duration_seconds", "How long reconciles took.", "kind", _RECONCILE_BUCKETS
        )
        self._last_success = self._gauge(
            "last_successful_reconcile_timestamp_seconds", "When an account or a zone was last found right.", "kind key"
        )
        self._resyncs = self._counter(
            "resyncs", "Looks at what is there, though nothing was known to have happened.", "kind"
        )
        self._repairs = self._counter(
            "repairs", "What somebody else had changed or taken away and was put right.", "kind"
        )
        self._last_look = self._gauge(
            "last_complete_look_timestamp_seconds", "Since when all of an account or a zone is known.", "kind key"
        )
        self._resources = self._gauge("resources", "Resources by the status of their condition Ready.", "kind ready")
        self._shown: Tally[tuple[str, str]] = Tally()
        self._exposed = self._gauge("exposed_bindings", "Bindings by what lets requests past their rules.", "reason")
        self._exposed_shown: Tally[str] = Tally()
        self._left_out = self._gauge(
            "exposure_checks_left_out", "1 where a token may not look at what may open a zone.", "zone check"
        )
        self._events = self._counter("events_emitted", "Kubernetes events posted.", "type reason")
        self._orphans = self._gauge(
            "orphans", "Hostnames of a zone that our claims or rules name and no resource does.", "zone"
        )
        self._deaf_watches = self._counter(
            "deaf_watches", "Changes that a list found and the watch should have reported.", "kind"
        )
        self._verifications = self._counter(
            "verifications", "Checks of a binding from outside, by what they found.", "result"
        )

    def cloudflare_call(self, method: str, endpoint: str, status: int | None, seconds: float) -> None:
        """A call was sent; `endpoint` is the template of its path."""
        answer = "none" if status is None else str(status)
        self._requests.labels(method, endpoint, answer).inc()
        self._request_seconds.labels(method, endpoint).observe(seconds)

    def rate_budget(self, credential: str, remaining: int | None) -> None:
        """What a token has left; `credential` names its Secret. Unknown: no series rather than a stale one."""
        if remaining is None:
            self._budget.remove_by_labels({"credential": credential})
        else:
            self._budget.labels(credential).set(remaining)

    def token_expires(self, credential: str, moment: datetime | None) -> None:
        """When the token of a Secret expires; None: never, or not known."""
        if moment is None:
            self._token_expiry.remove_by_labels({"credential": credential})
        else:
            self._token_expiry.labels(credential).set(moment.timestamp())

    def reconciled(self, kind: str, key: str, result: str, seconds: float, *, success: bool) -> None:
        """A reconcile ended. `kind`: account or zone, `key`: its id; success notes the time."""
        self._reconciles.labels(kind, result).inc()
        self._reconcile_seconds.labels(kind).observe(seconds)
        if success:
            self._last_success.labels(kind, key).set(self._wall_clock())

    def resynced(self, kind: str) -> None:
        """An account or a zone is looked at again because it is time."""
        self._resyncs.labels(kind).inc()

    def repaired(self, kind: str) -> None:
        """Something of ours was put right: a `rule`, a whole `ruleset`, an `association` or a `certificate`."""
        self._repairs.labels(kind).inc()

    def orphaned(self, zone_id: str, hostnames: int) -> None:
        """How many hostnames of a zone are ours by mark and in no resource."""
        self._orphans.labels(zone_id).set(hostnames)

    def looked(self, kind: str, key: str, since: float | None) -> None:
        """When the oldest reading that is relied on was begun, in Unix time; None: there is none, or none yet."""
        if since is None:
            self._last_look.remove_by_labels({"kind": kind, "key": key})
        else:
            self._last_look.labels(kind, key).set(since)

    def resources(self, states: Iterable[tuple[str, str]]) -> None:
        """Every resource there is as (kind, status of Ready): what is not named any more goes to nothing."""
        numbers = Tally(states)
        if numbers == self._shown:
            return
        self._shown = numbers
        self._resources.clear()
        for (kind, ready), number in numbers.items():
            self._resources.labels(kind, ready).set(number)

    def exposed(self, reasons: Iterable[str]) -> None:
        """The reason of every exposure that a binding tells of: what is not named any more goes to nothing."""
        numbers = Tally(reasons)
        if numbers == self._exposed_shown:
            return
        self._exposed_shown = numbers
        self._exposed.clear()
        for reason, number in numbers.items():
            self._exposed.labels(reason).set(number)

    def exposure_check(self, zone_id: str, check: str, *, left_out: bool) -> None:
        """Whether something that may open a zone cannot be looked at."""
        if left_out:
            self._left_out.labels(zone_id, check).set(1)
        else:
            self._left_out.remove_by_labels({"zone": zone_id, "check": check})

    def event_emitted(self, event_type: str, reason: str) -> None:
        self._events.labels(event_type, reason).inc()

    def deaf_watch(self, kind: str, changes: int) -> None:
        self._deaf_watches.labels(kind).inc(changes)

    def verified(self, result: str) -> None:
        """A binding was checked from outside; `result` is the reason that its condition would take."""
        self._verifications.labels(result).inc()

    def _counter(self, name: str, meaning: str, labels: str) -> Counter:
        return Counter(f"cfmtls_{name}", meaning, labels.split(), registry=self.registry)

    def _gauge(self, name: str, meaning: str, labels: str) -> Gauge:
        return Gauge(f"cfmtls_{name}", meaning, labels.split(), registry=self.registry)

    def _histogram(self, name: str, meaning: str, labels: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"cfmtls_{name}", meaning, labels.split(), registry=self.registry, buckets=buckets)
