"""What may go wrong in a story, drawn by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from testbed.chaos import dashboard, troubles
from testbed.chaos.act import Act
from testbed.chaos.world import NAMESPACES, RELEASE

_SKIPPED: Final = (0, 0, 1, 4)
_KILLED_AT: Final = (
    *("", "", "write status", "write finalizers", "post", "list", "get"),
    *("PUT", "POST", "PATCH", "DELETE", "GET"),
)


def a_trouble(rng: random.Random, at: float, site: int) -> Act:
    """Something that goes wrong at this time for an installation."""
    trouble = rng.choices([*_TROUBLES], [*_TROUBLES.values()])[0]
    return trouble(rng, at, site)


def _weather(rng: random.Random, at: float, site: int) -> Act:
    return troubles.BadWeather(
        at=at,
        site=site,
        seconds=rng.choice((20.0, 200.0)),
        probability=rng.choice((0.0, 0.1, 0.3)),
        habits=rng.choice(sorted(troubles.BAD_HABITS)),
        slow=rng.random() < 0.3,
    )


def _cloudflare_weather(rng: random.Random, at: float, site: int) -> Act:
    names = sorted(troubles.CLOUDFLARE_EFFECTS)
    return troubles.CloudflareWeather(
        at=at,
        site=site,
        seconds=rng.choice((20.0, 200.0)),
        probability=rng.choice((0.1, 0.3)),
        late=rng.choice((0.0, 0.0, 0.1, 0.3)),
        effects=tuple(sorted(rng.sample(names, rng.randint(1, 4)))),
    )


def _cut_off(rng: random.Random, at: float, site: int) -> Act:
    return troubles.CutOff(at=at, site=site, seconds=rng.choice((3.0, 60.0)), gap=rng.random() < 0.5)


def _cluster(rng: random.Random, at: float, site: int) -> Act:
    verb = rng.choice(("write status", "write finalizers", "get", "list", "watch", "post", ""))
    effect = rng.choice(sorted(troubles.CLUSTER_EFFECTS))
    return troubles.ClusterTrouble(at=at, site=site, verb=verb, effect=effect, skip=rng.choice(_SKIPPED))


def _cloudflare(rng: random.Random, at: float, site: int) -> Act:
    method = rng.choice(("GET", "PUT", "POST", "PATCH", "DELETE"))
    effect = rng.choice(sorted(troubles.CLOUDFLARE_EFFECTS))
    return troubles.CloudflareTrouble(at=at, site=site, method=method, effect=effect, skip=rng.choice(_SKIPPED))


def _kill(rng: random.Random, at: float, site: int) -> Act:
    return troubles.Kill(
        at=at,
        site=site,
        what=rng.choice(_KILLED_AT),
        skip=rng.choice((0, 0, 1, 3, 8)),
        after=rng.random() < 0.5,
        down=rng.choice((0.5, 3.0, 30.0, 200.0)),
    )


def _crash_loop(rng: random.Random, at: float, site: int) -> Act:
    after = tuple(rng.choice((0, 2, 5, 9, 14)) for _ in range(rng.randint(1, 4)))
    return troubles.CrashLoop(at=at, site=site, after=after)


def _spent_rate(rng: random.Random, at: float, site: int) -> Act:
    return dashboard.SpendRate(at=at, site=site, place=rng.choice((RELEASE, RELEASE, *NAMESPACES)))


_TROUBLES: Final[Mapping[Callable[[random.Random, float, int], Act], int]] = {
    _weather: 1,
    _cloudflare_weather: 1,
    _cut_off: 1,
    _cluster: 2,
    _cloudflare: 3,
    _kill: 3,
    _crash_loop: 1,
    _spent_rate: 1,
}
"""How often each is drawn."""
