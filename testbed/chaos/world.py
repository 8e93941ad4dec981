"""What a story is played in: one Cloudflare account with two zones, and one or two installations of the operator."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mtls_operator.configuration import Configuration
from testbed.chaos.consents import Consents
from testbed.chaos.documented import DocumentedReasons
from testbed.chaos.operator_process import Boundary, OperatorProcess, start
from testbed.chaos.retention import Retention
from testbed.chaos.wire import Luck
from testbed.chaos.wishes import Wishes
from testbed.cloudflare import faults as cloudflare_faults
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.messages import Request as CloudflareRequest
from testbed.cloudflare.monitor import Monitor, Retirement
from testbed.cloudflare.settings import Consistency, RateLimit, Settings
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cluster import Chance, Request, SimulatedCluster, VirtualClock, WatchHabits
from testbed.cluster import faults as cluster_faults
from testbed.cluster.objects import ObjectKey

Body = dict[str, Any]

API_VERSION: Final = "apishield-mtls.io/v1alpha1"
CA: Final = "MtlsCertificateAuthority"
BINDING: Final = "MtlsHostBinding"
ACCOUNT: Final = "a" * 32
OTHER_ACCOUNT: Final = "d" * 32
ZONES: Final = {"example.com": "b" * 32, "example.org": "c" * 32, "example.net": "e" * 32}
ZONES_OF: Final = {ACCOUNT: ("example.com", "example.org"), OTHER_ACCOUNT: ("example.net",)}
ACCOUNTS: Final = {"red": ACCOUNT, "blue": ACCOUNT, "green": ACCOUNT, "violet": OTHER_ACCOUNT}
"""The account of each bundle."""
NAMESPACES: Final = ("shop", "pay")
WINDOW: Final = 90.0
RELEASE: Final = "cfmtls-system"
TOKEN: Final = "token"
"""The name of every Secret with a token, and its key."""
_SLOTS: Final = 12
"""Of each account: two CAs of each bundle, in the midst of a rotation, must find room in the end."""
_DOWN_SECONDS: Final = 1.0
_PERSON: Final = "person-" + "Zq7x" * 10


@dataclass(frozen=True, slots=True)
class Setting:
    """What is fixed for a whole story. `staleness`: how old reads may be, in seconds; never above the window."""

    seed: int = 0
    installations: int = 1
    staleness: float = 0.0
    exact: bool = False
    """Whether each read is exactly as old as it may be."""
    latency: float = 0.0
    requests: int = 1200
    """How many Cloudflare lets a token send in five minutes."""
    overlap: float = 400.0
    """Of each rotation, in seconds. The settle times of its two phases alone take about 360."""
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    """What is behind the API: of the delays the longest that any of its data centres has."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong between an installation and its cluster, by chance. The lag of `habits` is fixed, so that the
    watches of Secrets tell things in the order in which they happened, as a real watch does; `lag` mixes the others."""

    chance: Chance = field(default_factory=lambda: Chance(0.0))
    habits: WatchHabits = field(default_factory=lambda: WatchHabits(lag=(0.02, 0.02)))
    latency: tuple[float, float] = (0.001, 0.02)
    lag: tuple[float, float] = (0.0, 0.02)
    """How late kopf's workers are, in seconds."""


class CountedFaults(cluster_faults.Faults):
    """Faults of a cluster that count themselves in `tally`."""

    def __init__(self, rng: random.Random, tally: Tally) -> None:
        super().__init__(rng)
        self._tally = tally

    def take(self, request: Request) -> cluster_faults.Effect | None:
        """What goes wrong with this request."""
        effect = super().take(request)
        self._tally.faults += effect is not None
        return effect


class CountedCloudflareFaults(cloudflare_faults.Faults):
    """Faults of Cloudflare that count themselves in `tally`."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def take(self, request: CloudflareRequest) -> tuple[cloudflare_faults.Effect, ...]:
        """The effects on this request."""
        effects = super().take(request)
        self._tally.faults += bool(effects)
        return effects


@dataclass(slots=True)
class Tally:
    """What has happened: acts of people that had an effect, requests that something went wrong with, deaths."""

    operations: int = 0
    faults: int = 0
    crashes: int = 0


@dataclass(eq=False)
class Site:
    """One installation: its cluster, its process, and its tokens. `owner` is its ownerId."""

    owner: str
    cluster: SimulatedCluster
    configuration: Configuration
    weather: Weather = field(default_factory=Weather)
    late: float = 0.0
    """How likely a connection to Cloudflare breaks after a request was sent."""
    process: OperatorProcess | None = None
    doomed: list[int] = field(default_factory=list)
    """Of each of the next processes, after how many requests, sent or answered, it dies."""
    tokens: dict[str, str] = field(default_factory=dict)
    """By namespace, the token that its Secret should hold."""
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    """By namespace and bundle, which version the source of a CA should hold."""

    def version(self, namespace: str, bundle: str) -> int:
        """Which version of a bundle the source of a CA should hold."""
        return self.versions.get((namespace, bundle), 0)

    def bodies(self, kind: str) -> list[Body]:
        """All resources of a kind. Not to be changed, as `read` is not."""
        return self.cluster.store.find(kind)

    def read(self, kind: str, namespace: str, name: str) -> Body | None:
        """A resource, None when there is none."""
        key, store = ObjectKey(kind, namespace, name), self.cluster.store
        return store.get(key) if store.has(key) else None

    def is_open(self, namespace: str) -> bool:
        """Whether a namespace is there and stays."""
        body = self.read("Namespace", "", namespace)
        return body is not None and not is_deleting(body)


@dataclass(eq=False)
class World:
    """Everything there is, and what went wrong that no monitor sees (`defects`)."""

    setting: Setting
    clock: VirtualClock
    cloudflare: CloudflareSimulation
    sites: list[Site]
    tally: Tally
    rng: random.Random
    defects: list[str] = field(default_factory=list)
    calm: bool = False
    on_death: list[Callable[[str], object]] = field(default_factory=list)
    """Hear of the ownerId of an installation whose process has died."""
    retention: Retention = field(default_factory=Retention)
    lost: set[str] = field(default_factory=set)
    """Hostnames that a binding had when its status was lost. What is ours and in no status stays: an orphan."""
    unlisted: set[str] = field(default_factory=set)
    """Hostnames that people took off a list of ours. While its binding is laid aside nobody puts one back."""
    bound: set[tuple[str, str, str]] = field(default_factory=set)
    """Every (zone name, bundle, hostname) that a binding named at some time."""
    foreign: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """Every (zone id, certificate id, hostname) that a person put on a list, and when."""
    taken_back: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """Those of them that a person took off again, and when."""
    foreign_rules: dict[str, list[str]] = field(default_factory=dict)
    """By zone id, the rules of people."""
    foreign_certificates: list[tuple[str, str]] = field(default_factory=list)
    """(account id, certificate id) of what people uploaded and will remove again."""

    @classmethod
    def begin(cls, setting: Setting) -> World:
        """A world at its first moment. Needs a running virtual loop."""
        clock = VirtualClock(seed=setting.seed)
        rng = random.Random(f"{setting.seed} world")
        consistency = Consistency.everywhere(setting.staleness)
        settings = Settings(
            consistency=consistency,
            omit_empty_rules=rng.random() < 0.5,
            rate_limit=RateLimit(setting.requests),
            edge=setting.edge,
        )
        tally = Tally()
        wishes: dict[str, Wishes] = {}
        monitor = Monitor(
            hears_of_arrivals=False,
            window=WINDOW,
            given_up=lambda owner, hostname: wishes[owner].hostnames.last_unwanted(hostname),
            retirement=Retirement(
                lambda owner, hostname, issuer: wishes[owner].retired(hostname, issuer),
                setting.overlap,
            ),
        )
        cloudflare = CloudflareSimulation(clock.now, settings, seed=setting.seed, monitor=monitor)
        cloudflare.faults = CountedCloudflareFaults(tally)
        for account, zones in ZONES_OF.items():
            cloudflare.add_account(account, ca_limit=_SLOTS)
            for name in zones:
                cloudflare.add_zone(ZONES[name], name, account)
        cloudflare.add_token(_PERSON, label="a person")
        # The monitor takes what is there at the first request for having been there for ever.
        cloudflare.handle(
            CloudflareRequest("GET", "/client/v4/user/tokens/verify", (), {"authorization": f"Bearer {_PERSON}"}, b"")
        )
        world = cls(setting, clock, cloudflare, [], tally, rng)
        for index in range(setting.installations):
            site = world._site(f"cluster-{'ab'[index]}", index)
            wishes[site.owner] = Wishes(site.cluster.store, clock.now)
            world.retention.listen(site.cluster.store)
            Consents(site.cluster.store, clock.now, lambda what: world.defects.append(f"invariant 12: {what}"))
            DocumentedReasons(site.cluster.store, world.defects.append)
            world.sites.append(site)
        return world

    def _site(self, owner: str, index: int) -> Site:
        cluster = SimulatedCluster.seeded(self.clock.now, 2 * self.setting.seed + index)
        site = Site(owner, cluster, configuration_of(owner))
        for namespace in (RELEASE, *NAMESPACES):
            cluster.users.create_namespace(namespace)
            self.give_token(site, namespace)
        return site

    def give_token(self, site: Site, namespace: str, *, fresh_for: float = 0.0) -> str:
        """A new token of an installation in the Secret of a namespace; returns it."""
        # The same few in all stories: the operator's redaction keeps every token that its process has ever seen.
        token = f"{site.owner}-{namespace}-token-{len(self.cloudflare.state.tokens)}-{'Zq7x' * 8}"
        self.cloudflare.add_token(token, owner=site.owner, fresh_for=fresh_for)
        site.tokens[namespace] = token
        site.cluster.users.put_secret(namespace, TOKEN, {TOKEN: token})
        return token

    def run_operator(self, site: Site) -> None:
        """A new process, unless one is running."""
        if site.process is None:
            site.process = start(
                site.configuration,
                site.cluster,
                self.cloudflare,
                self.clock,
                prepare=lambda process: self._equip(site, process),
            )

    def kill_operator(self, site: Site, down: float | None = None) -> None:
        """`kill -9`; a new process comes after so many seconds (None: not by itself)."""
        if site.process is None:
            return
        self.look_after(site)
        self.tally.faults += site.process.wire.cuts
        site.process.die()
        site.process = None
        for hear in self.on_death:
            hear(site.owner)
        self.tally.crashes += 1
        if down is not None:
            asyncio.get_running_loop().call_later(down, self.run_operator, site)

    def look_after(self, site: Site) -> None:
        """Note a process that has ended by itself."""
        failure = site.process.failure() if site.process is not None else None
        if failure is not None:
            self.defects.append(f"the operator of {site.owner} ended by itself: {failure!r}")
            self.calm = True

    def adjust(self, site: Site) -> None:
        """Let a process feel the weather."""
        if site.process is not None:
            self._expose(site, site.process)

    def _equip(self, site: Site, process: OperatorProcess) -> None:
        process.client.faults = CountedFaults(random.Random(self.rng.getrandbits(64)), self.tally)
        self._expose(site, process)
        if site.doomed:
            process.boundaries.append(self._end_after(site, site.doomed.pop(0)))

    def _end_after(self, site: Site, requests: int) -> Boundary:
        left = requests

        def count(_what: str, _moment: cloudflare_faults.Moment) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                self.kill_operator(site, _DOWN_SECONDS)

        return count

    def _expose(self, site: Site, process: OperatorProcess) -> None:
        client, weather = process.client, site.weather
        client.faults.chance, client.habits, client.latency = weather.chance, weather.habits, weather.latency
        process.workers.lag = weather.lag
        process.wire.luck = Luck(random.Random(self.rng.getrandbits(64)), self.setting.latency, site.late)

    def site_bodies(self, kind: str) -> Iterator[tuple[Site, Body]]:
        """All resources of a kind, of all installations."""
        for site in self.sites:
            for body in site.bodies(kind):
                yield site, body

    def moment(self) -> object:
        """Equal as long as nothing has happened on any side, but that time has passed."""
        return [site.cluster.store.version for site in self.sites], self.cloudflare.state, len(self.cloudflare.log)

    def trace(self) -> list[str]:
        """All that happened, on all sides."""
        calls = [
            f"{each.time:.6f} {each.token_label} {each.line()} {each.request_body} -> {each.answer_body}"
            for each in self.cloudflare.log
        ]
        return [line for site in self.sites for line in map(str, site.cluster.log)] + calls


def configuration_of(owner: str) -> Configuration:
    """An installation whose own token serves everybody."""
    return Configuration.model_validate(
        {
            "ownerId": owner,
            "cloudflare": {
                "tokenSecretRef": {"name": TOKEN, "key": TOKEN},
                "consistencyWindowSeconds": WINDOW,
                "certificateLimit": _SLOTS,
            },
            "operatorCredentials": {"allowed": [{}]},
        },
        strict=False,
    )


def resource(kind: str, namespace: str, name: str, spec: Body) -> Body:
    """The manifest of one of our resources."""
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def is_deleting(body: Body) -> bool:
    """Whether a resource is being deleted."""
    return "deletionTimestamp" in body["metadata"]


def is_ready(body: Body) -> bool:
    """Whether a resource says that it is ready, of its present generation."""
    return any(
        each["type"] == "Ready"
        and each["status"] == "True"
        and each.get("observedGeneration") == body["metadata"]["generation"]
        for each in body.get("status", {}).get("conditions", [])
    )


def place_of(body: Body) -> tuple[str, str]:
    """Namespace and name."""
    return body["metadata"]["namespace"], body["metadata"]["name"]


def authority_place(binding: Body) -> tuple[str, str]:
    """Namespace and name of the CA that a binding refers to."""
    reference = binding["spec"]["certificateAuthorityRef"]
    return reference.get("namespace", binding["metadata"]["namespace"]), reference["name"]
