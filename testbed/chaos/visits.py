"""What people do at Cloudflare's dashboard, drawn by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from testbed.chaos import dashboard
from testbed.chaos.act import Act

LABELS: Final = ("api", "www", "m", "pay", "id", "edge")
"""Of the hostnames that bindings name."""
_FOREIGN: Final = ("old", "legacy")
_MOST = 12
Draw = Callable[[random.Random, float, str, str], Act]
"""(chance, time, zone, bundle) -> an act."""


def a_visit(rng: random.Random, at: float, zone: str, bundle: str) -> Act:
    """Something that a person does with a zone or with a bundle of its account."""
    visit = rng.choices([*_VISITS], [*_VISITS.values()])[0]
    return visit(rng, at, zone, bundle)


def _add_a_hostname(rng: random.Random, at: float, zone: str, bundle: str) -> Act:
    label = rng.choice((*_FOREIGN, *LABELS))
    return dashboard.DashboardHostname(at=at, zone=zone, bundle=bundle, hostname=f"{label}.{zone}")


def _add_a_rule(rng: random.Random, at: float, zone: str, _bundle: str) -> Act:
    return dashboard.DashboardRule(at=at, zone=zone, first=rng.random() < 0.5)


def _upload(rng: random.Random, at: float, _zone: str, bundle: str) -> Act:
    return dashboard.DashboardUpload(at=at, bundle=bundle, version=rng.randrange(3))


def _take_off(rng: random.Random, at: float, zone: str, bundle: str) -> Act:
    return dashboard.TakeOff(at=at, zone=zone, bundle=bundle, pick=rng.randrange(_MOST))


def _spoil(rng: random.Random, at: float, zone: str, _bundle: str) -> Act:
    how = rng.choice(sorted(dashboard.SPOILS))
    return dashboard.SpoilRule(at=at, zone=zone, pick=rng.randrange(_MOST), how=how)


def _fill_slots(_rng: random.Random, at: float, _zone: str, bundle: str) -> Act:
    return dashboard.FillSlots(at=at, bundle=bundle)


def _empty_the_ruleset(_rng: random.Random, at: float, zone: str, _bundle: str) -> Act:
    return dashboard.EmptyRuleset(at=at, zone=zone)


def _destroy(rng: random.Random, at: float, _zone: str, bundle: str) -> Act:
    return dashboard.DestroyCertificate(at=at, bundle=bundle, pick=rng.randrange(_MOST))


_VISITS: Final[Mapping[Draw, int]] = {
    _add_a_hostname: 2,
    _add_a_rule: 1,
    _upload: 1,
    _take_off: 1,
    _spoil: 2,
    _fill_slots: 1,
    _empty_the_ruleset: 1,
    _destroy: 1,
}
"""How often each is drawn."""
