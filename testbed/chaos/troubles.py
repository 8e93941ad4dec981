"""What goes wrong in a story: faults, bad watches, a network that breaks, and deaths of the operator."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from testbed.chaos.act import Act
from testbed.chaos.operator_process import Boundary
from testbed.chaos.world import Site, Weather, World
from testbed.cloudflare import faults as cloudflare
from testbed.cloudflare.faults import Moment
from testbed.cloudflare.messages import Request as CloudflareRequest
from testbed.cluster import AnswerLost, Away, Chance, Refused, Request, Slow, WatchHabits
from testbed.cluster import Fault as ClusterFault
from testbed.cluster import faults as cluster

BAD_HABITS: Final = {
    "lagging": WatchHabits(lag=(1.0, 1.0), repeats=0.2),
    "breaking": WatchHabits(lag=(0.5, 0.5), lifetime=(5.0, 60.0), outage=(0.1, 20.0)),
    "deaf": WatchHabits(lag=(0.1, 0.1), repeats=0.2, lifetime=(5.0, 60.0), gaps=0.5, deaf=0.3),
}
CLUSTER_EFFECTS: Final[dict[str, cluster.Effect]] = {
    "away": Away(),
    "away for long": Away(after=30.0),
    "answer lost": AnswerLost(),
    "answer lost after long": AnswerLost(after=30.0),
    **{str(status): Refused(status) for status in (409, 410, 422, 429, 500, 503)},
    "slow": Slow(20.0),
}
CLOUDFLARE_EFFECTS: Final[dict[str, cloudflare.Effect]] = {
    "cut before": cloudflare.Cut(Moment.BEFORE),
    "answer lost": cloudflare.Cut(Moment.AFTER),
    **{str(status): cloudflare.AnswerStatus(status) for status in (403, 408, 409, 500, 503)},
    "429": cloudflare.AnswerStatus(429, retry_after=3),
    "429 for long": cloudflare.AnswerStatus(429, retry_after=60),
    "html": cloudflare.AnswerPage(),
    "truncated": cloudflare.Garble.TRUNCATED,
    "malformed": cloudflare.Garble.MALFORMED,
    "slow": cloudflare.Delay(15.0, Moment.BEFORE),
    "too slow": cloudflare.Delay(50.0, Moment.AFTER),
}


@dataclass(frozen=True, kw_only=True)
class BadWeather(Act):
    """For so many seconds requests to the API server fail with this probability, and watches have bad habits."""

    seconds: float
    probability: float
    habits: str
    slow: bool = False

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        latency = (0.001, 2.0) if self.slow else (0.001, 0.02)
        site.weather = Weather(Chance(self.probability), BAD_HABITS[self.habits], latency, (0.0, 3.0))
        _later(self.seconds, lambda: _clear_up(world, site))
        world.adjust(site)
        return False


@dataclass(frozen=True, kw_only=True)
class CutOff(Act):
    """The API server is away; with `gap` watches cannot be resumed then."""

    seconds: float
    gap: bool

    def perform(self, world: World) -> bool:
        process = world.sites[self.site].process
        if process is not None:
            process.client.cut_off(self.seconds, gap=self.gap)
            world.tally.faults += 1
        return False


@dataclass(frozen=True, kw_only=True)
class ClusterTrouble(Act):
    """One of the next requests with this verb to the API server meets with an effect."""

    verb: str
    effect: str
    skip: int = 0

    def perform(self, world: World) -> bool:
        process = world.sites[self.site].process
        if process is not None:

            def match(request: Request) -> bool:
                return request.verb.startswith(self.verb)

            process.client.faults.add(ClusterFault(CLUSTER_EFFECTS[self.effect], match, skip=self.skip))
        return False


@dataclass(frozen=True, kw_only=True)
class CloudflareWeather(Act):
    """For so many seconds requests to Cloudflare fail with this probability, whoever sends them, and connections break
    after what was sent."""

    seconds: float
    probability: float
    late: float
    effects: tuple[str, ...]

    def perform(self, world: World) -> bool:
        until = world.clock.now() + self.seconds
        rng = random.Random(f"{world.setting.seed} {self.at}")

        def match(_request: CloudflareRequest) -> bool:
            return world.clock.now() < until and rng.random() < self.probability / len(self.effects)

        for effect in self.effects:
            world.cloudflare.faults.add(cloudflare.Fault(CLOUDFLARE_EFFECTS[effect], match, times=None))
        for site in world.sites:
            site.late = self.late
            world.adjust(site)
        _later(self.seconds, lambda: _reconnect(world))
        return False


@dataclass(frozen=True, kw_only=True)
class CloudflareTrouble(Act):
    """One of the next requests with this method to Cloudflare meets with an effect."""

    method: str
    effect: str
    skip: int = 0

    def perform(self, world: World) -> bool:
        match = cloudflare.Match(self.method)
        world.cloudflare.faults.add(cloudflare.Fault(CLOUDFLARE_EFFECTS[self.effect], match, skip=self.skip))
        return False


@dataclass(frozen=True, kw_only=True)
class Kill(Act):
    """The operator dies before or after one of its next requests of this kind, or at once (no `what`), and comes back
    after so many seconds. `what` is the beginning of a verb of the cluster's or of a method of Cloudflare's."""

    what: str
    skip: int
    after: bool
    down: float

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if not self.what:
            world.kill_operator(site, self.down)
        elif site.process is not None:
            site.process.boundaries.append(self._trap(world, site))
        return False

    def _trap(self, world: World, site: Site) -> Boundary:
        left = self.skip
        awaited = Moment.AFTER if self.after else Moment.BEFORE

        def spring(what: str, moment: Moment) -> None:
            nonlocal left
            if moment is not awaited or not what.startswith(self.what):
                return
            left -= 1
            if left < 0:
                world.kill_operator(site, self.down)

        return spring


@dataclass(frozen=True, kw_only=True)
class CrashLoop(Act):
    """The operator dies at once, and so do those that come after it, each after so many requests sent or answered."""

    after: tuple[int, ...]

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        site.doomed.extend(self.after)
        world.kill_operator(site, 1.0)
        return False


def _clear_up(world: World, site: Site) -> None:
    site.weather = Weather()
    world.adjust(site)


def _reconnect(world: World) -> None:
    for site in world.sites:
        site.late = 0.0
        world.adjust(site)


def _later(seconds: float, act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, act)
