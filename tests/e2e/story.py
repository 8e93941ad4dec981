"""What the operator did at Cloudflare, in words, and whether it did it in the right order.

The order is judged on the truth before and after each request and on the clock, independently of the monitor: the
monitor allows for what an installation cannot know, and these tests have nobody else who writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from testbed.cloudflare.monitor.truth import claims, covered
from testbed.cloudflare.state import State
from tests.e2e.world import OWNER, Handled

_ENDPOINTS = (
    ("zones", "find zone"),
    ("zones/ID", "read zone"),
    ("accounts/ID/mtls_certificates", "certificates"),
    ("accounts/ID/mtls_certificates/ID", "certificate"),
    ("accounts/ID/mtls_certificates/ID/associations", "uses of certificate"),
    ("zones/ID/certificate_authorities/hostname_associations", "list"),
    ("zones/ID/rulesets/phases/http_request_firewall_custom/entrypoint", "rules"),
    ("zones/ID/rulesets", "ruleset"),
    ("zones/ID/rulesets/ID/rules", "rule"),
    ("zones/ID/rulesets/ID/rules/ID", "rule"),
)
_VERBS = {"GET": "read", "POST": "create", "PUT": "write", "PATCH": "change", "DELETE": "delete"}
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def told(history: Iterable[Handled]) -> list[str]:
    """Each request in a few words, such as `read certificates` or `create rule: claim arriving`."""
    return [_words(handled) for handled in history]


def writes(history: Iterable[Handled]) -> list[str]:
    """The same without what only reads."""
    return [_words(handled) for handled in history if handled.entry.method != "GET"]


def uploads(history: Iterable[Handled]) -> list[Handled]:
    """The requests to upload a certificate, whatever became of them."""
    return [each for each in history if each.entry.method == "POST" and "/mtls_certificates" in each.entry.path]


def association_writes(history: Iterable[Handled]) -> list[Mapping[str, Any]]:
    """The bodies of the requests that replaced a list."""
    puts = (each.entry for each in history if each.entry.method == "PUT")
    return [json.loads(entry.request_body) for entry in puts if entry.path.endswith("/hostname_associations")]


def disorder(history: Sequence[Handled], *, window: float, foreign: frozenset[str] = frozenset()) -> list[str]:
    """What was done too early, in the order of the requests; empty when all was done in the order of the design.

    `window` in seconds is the settle time, too. `foreign` names hostnames that others had on the lists all the time.
    """
    return list(_disorder(history, window, foreign))


def _disorder(history: Sequence[Handled], window: float, foreign: frozenset[str]) -> Iterator[str]:
    since: dict[tuple[str, str], float] = {}
    for handled in history:
        for zone in {**handled.before.rulesets, **handled.after.rulesets}:
            old, new = _Zone(handled.before, zone), _Zone(handled.after, zone)
            for name in new.listed - old.listed - old.claimed("arriving", "held"):
                yield f"{name} was put on a list without a claim"
            for name in new.enforced - old.enforced:
                yield from _early_enforcement(name, old, handled.entry.time - since.get(("listed", name), 0), window)
            for name in old.listed - new.listed:
                yield from _early_removal(name, old, handled.entry.time - since.get(("leaving", name), 0), window)
            for name in (old.claimed() - new.claimed()) & new.listed - foreign:
                yield f"{name} lost its claim on the list"
            since.update(dict.fromkeys((("listed", name) for name in new.listed - old.listed), handled.entry.time))
            leaving = new.claimed("leaving") - old.claimed("leaving")
            since.update(dict.fromkeys((("leaving", name) for name in leaving), handled.entry.time))
        yield from _early_deletion(handled)


class _Zone:
    """A zone at one moment."""

    def __init__(self, state: State, zone: str) -> None:
        lists = (names for (where, certificate), names in state.lists.items() if where == zone and certificate)
        self.listed: frozenset[str] = frozenset().union(*lists)
        self.enforced: frozenset[str] = covered(state, zone).get(OWNER, frozenset())
        self._claims = [claim for claim in claims(state, zone) if claim.owner == OWNER]

    def claimed(self, *states: str) -> frozenset[str]:
        return frozenset(claim.hostname for claim in self._claims if not states or claim.state in states)


def _early_enforcement(name: str, old: _Zone, listed_for: float, window: float) -> Iterator[str]:
    if name not in old.listed:
        yield f"{name} was enforced before it was on a list"
    if name not in old.claimed("held"):
        yield f"{name} was enforced before its claim was held"
    if listed_for < window:
        yield f"{name} was enforced {listed_for:.2f} s after it came on the list"


def _early_removal(name: str, old: _Zone, leaving_for: float, window: float) -> Iterator[str]:
    if name in old.enforced:
        yield f"{name} was taken off a list while a rule covered it"
    if name not in old.claimed("leaving"):
        yield f"{name} was taken off a list without a claim as leaving"
    if leaving_for < window:
        yield f"{name} was taken off a list {leaving_for:.2f} s after it was claimed as leaving"


def _early_deletion(handled: Handled) -> Iterator[str]:
    for account, held in handled.before.certificates.items():
        for certificate in held.keys() - handled.after.certificates[account].keys():
            if handled.before.zones_using(certificate):
                yield f"certificate {certificate} was deleted while it was in use"


def _words(handled: Handled) -> str:
    entry = handled.entry
    place = _ID.sub("ID", entry.path.removeprefix("/client/v4/"))
    name = dict(_ENDPOINTS).get(place, place)
    if name == "find zone":
        return name
    mark = _mark(handled)
    return f"{_VERBS[entry.method]} {name}" + (f": {mark}" if mark else "")


def _mark(handled: Handled) -> str:
    """What kind of rule a write was about."""
    entry = handled.entry
    if "/rulesets" not in entry.path or entry.method == "GET":
        return ""
    described = re.search(r'"description": ?"([^"]*)"', entry.request_body)
    text = described.group(1) if described else _description(handled.before, entry.path.rsplit("/", 1)[-1])
    words = text.split()
    state = next((word.removeprefix("state=") for word in words if word.startswith("state=")), "")
    return " ".join(filter(None, (words[1] if len(words) > 1 else text, state)))


def _description(state: State, rule_id: str) -> str:
    rules = (rule for ruleset in state.rulesets.values() for rule in ruleset.rules)
    return next((rule.description for rule in rules if rule.id == rule_id), "")
