"""Installations of the operator in virtual time, and real TLS clients that ask the edge at every instant.

    stage = Stage.begin(edge, installations=1)
    stage.authority("partners", ROOT); stage.binding("api", API, authority="partners")
    stage.expect(API, good=Fate.ALWAYS, nobody=Fate.NEVER)
    await stage.ready()            set-up; from here on a client that is never to get in is never to get in
    stage.changes()                what is done after this may change the fate of some
    ...
    await stage.ready()
    stage.finish()                 raises AssertionError with everything that went wrong

Clients ask each of several data centres (one that has everything at once, one that is as far behind as the edge can be,
and those that are behind with one thing only) whenever that has learnt something new, and again at the end.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mtls_operator.configuration import HostMatch
from testbed.chaos.world import BINDING, CA, NAMESPACES, TOKEN, WINDOW, Setting, Site, World, is_ready, resource
from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.in_memory import EdgeInMemory
from testbed.cloudflare.edge.server_certificates import ServerCertificates
from testbed.cloudflare.edge.settings import EdgeSettings
from tests.contract.edge.clients import Identity, client_context
from tests.contract.enforcement.people import revocation_list

NAMESPACE: Final = NAMESPACES[0]
ZONE_NAME: Final = "example.com"
CERTIFICATES: Final = ServerCertificates()
OVERLAP: Final = 400.0
"""Of every CA, in seconds."""
_TICK_SECONDS: Final = 7.0
_PATIENCE_SECONDS: Final = 7200.0
_QUIET_SECONDS: Final = OVERLAP + 4 * WINDOW


class Fate(enum.Enum):
    """When a client gets in."""

    ALWAYS = "always"
    NEVER = "never"
    """Not from the moment on at which the binding said for the first time that it is ready."""
    GAINS = "not before the change, and in the end"
    LOSES = "until the change, and not in the end"
    LINGERS = "until the overlap after the change is over, and not in the end"


@dataclass(frozen=True)
class Visitor:
    """A client that asks for a hostname. `host`: its Host header, `server_name` that of its handshake."""

    name: str
    hostname: str
    context: ssl.SSLContext
    fate: Fate
    host: str | None = None
    server_name: str | None = None

    def ask(self, edge: EdgeInMemory) -> bool:
        """Whether it gets through to the origin."""
        answer = edge.ask(self.context, self.server_name or self.hostname, host=self.host or self.hostname)
        return answer.passed


@dataclass
class DataCentre:
    """One of Cloudflare's. What it knows is the same object until it has learnt something new."""

    name: str
    edge: Edge
    door: EdgeInMemory
    known: tuple[object, ...] = ()
    admitted: dict[Visitor, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, world: World, name: str, settings: EdgeSettings) -> DataCentre:
        """One that is behind as the settings say."""
        edge = Edge(world.cloudflare, settings)
        return cls(name, edge, EdgeInMemory(edge, CERTIFICATES))

    def admits(self, visitor: Visitor) -> bool:
        """Whether a client gets in now. It is asked when what is known here has changed."""
        replica = self.edge.replica()
        lists, rules = replica.lists, replica.rules
        known = (lists.lists, lists.certificates, rules.rulesets, rules.access_rules)
        if any(new is not old for new, old in zip(known, self.known or (None,) * 4, strict=True)):
            self.known, self.admitted = known, {}
        if visitor not in self.admitted:
            self.admitted[visitor] = visitor.ask(self.door)
        return self.admitted[visitor]


@dataclass
class Stage:
    """What is asked of whom, and what went wrong."""

    world: World
    began: float
    data_centres: list[DataCentre]
    visitors: list[Visitor] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    """Hostnames of bindings that have said Ready."""
    changed_at: float | None = None
    done: bool = False
    closed: bool = True
    _ticker: asyncio.Task[None] | None = None

    @classmethod
    def begin(
        cls,
        edge: EdgeSettings,
        *,
        installations: int = 1,
        tolerant: bool = False,
        staleness: float = 20.0,
    ) -> Stage:
        """Operators that run, and nothing that they have to do."""
        world = World.begin(
            Setting(installations=installations, overlap=OVERLAP, edge=edge, staleness=staleness, latency=0.5)
        )
        stage = cls(world, world.clock.now(), [DataCentre.of(world, *each) for each in _data_centres(edge)])
        for site in world.sites:
            if tolerant:
                site.configuration = site.configuration.model_copy(update={"host_match": HostMatch.TOLERANT})
            world.run_operator(site)
        stage._ticker = asyncio.create_task(stage._tick())
        return stage

    # What users do

    def site(self, number: int = 0) -> Site:
        """An installation."""
        return self.world.sites[number]

    def authority(self, name: str, *roots: Identity, site: int = 0, namespace: str = NAMESPACE, **spec: Any) -> None:
        """A CA resource and its source; applied again it gets another source."""
        users = self.site(site).cluster.users
        users.put_secret(namespace, name, {"ca.crt": "".join(each.pem for each in roots)})
        rotation = {"overlap": f"{OVERLAP:g}s", **spec.pop("rotation", {})}
        body = {
            "accountId": "a" * 32,
            "source": {"secretRef": {"name": name, "key": "ca.crt"}},
            "credentialsRef": {"name": TOKEN, "key": TOKEN},
            "rotation": rotation,
            **spec,
        }
        users.apply(resource(CA, namespace, name, body))

    def revoke(self, issuer: Identity, *revoked: Identity, number: int = 1) -> None:
        """The revocation list of an issuer, in the Secret `crl`."""
        users = self.site().cluster.users
        users.put_secret(NAMESPACE, "crl", {"crl.pem": revocation_list(issuer, *revoked, number=number)})

    def binding(self, name: str, *hostnames: str, authority: str = "partners", site: int = 0, **spec: Any) -> None:
        """A binding; applied again it is edited."""
        body = {
            "certificateAuthorityRef": {"name": authority},
            "zone": {"name": ZONE_NAME},
            "hostnames": list(hostnames),
            **spec,
        }
        self.site(site).cluster.users.apply(resource(BINDING, NAMESPACE, name, body))

    def edit(self, name: str, *, site: int = 0, **spec: Any) -> None:
        """Fields of a binding's spec; None removes one."""

        def change(body: dict[str, Any]) -> None:
            body["spec"] = {key: value for key, value in {**body["spec"], **spec}.items() if value is not None}

        self.site(site).cluster.users.edit(BINDING, NAMESPACE, name, change)

    def delete(self, kind: str, name: str, *, site: int = 0) -> None:
        """`kubectl delete --wait=false`."""
        self.site(site).cluster.users.delete(kind, NAMESPACE, name)

    # What clients are to see

    def expect(self, hostname: str, who: Mapping[str, tuple[Identity | None, Fate]], **more: str) -> None:
        """Clients of a hostname, by name."""
        for name, (identity, fate) in who.items():
            self.visitors.append(Visitor(name, hostname, context_of(identity), fate, **more))

    def changes(self) -> None:
        """What comes now is the change."""
        self.look()
        self.changed_at = self.world.clock.now()

    def opens(self) -> None:
        """From here on hostnames are given up: nobody is kept out for certain any more."""
        self.closed = False

    async def ruled(self) -> None:
        """Until Cloudflare's API has a rule that blocks."""
        rulesets = self.world.cloudflare.state.rulesets
        while not any(rule.action == "block" for each in rulesets.values() for rule in each.rules):
            await asyncio.sleep(_TICK_SECONDS)
            rulesets = self.world.cloudflare.state.rulesets

    async def ready(self) -> None:
        """Until every resource says that it is ready, and nothing has changed for some windows."""
        await self._until(self._all_ready)

    async def gone(self) -> None:
        """Until there is no resource of ours any more."""
        await self._until(lambda: not any(True for kind in (CA, BINDING) for _ in self.world.site_bodies(kind)))

    async def passing(self, seconds: float) -> None:
        """Let the time pass."""
        await asyncio.sleep(seconds)

    def bereave(self) -> None:
        """The operator dies for good. What the bindings have said up to now counts."""
        self._note_what_is_guarded()
        self._hush()
        self.world.kill_operator(self.site())

    def finish(self) -> None:
        """Ask once more, and say what went wrong."""
        self.done = True
        self.look()
        self._hush()
        violations = [str(each) for each in self.world.cloudflare.monitor.finish()]
        assert [*self.wrong.values(), *violations, *self.world.defects] == []

    # Looking

    def look(self) -> None:
        """All clients ask all data centres."""
        self._note_what_is_guarded()
        for each in self.data_centres:
            for visitor in self.visitors:
                self._judge(each.name, visitor, each.admits(visitor))

    def admitted(self) -> dict[Visitor, list[bool]]:
        """Whether each client gets in now, at each data centre."""
        return {visitor: [each.admits(visitor) for each in self.data_centres] for visitor in self.visitors}

    def _note_what_is_guarded(self) -> None:
        for _, body in self.world.site_bodies(BINDING):
            if is_ready(body):
                self.guarded |= set(body["spec"]["hostnames"])

    def _hush(self) -> None:
        """Ask no more by itself."""
        assert self._ticker is not None
        self._ticker.cancel()

    def _judge(self, edge: str, visitor: Visitor, got_in: bool) -> None:
        fault = self._fault(visitor, got_in)
        if fault is not None:
            since = self.world.clock.now() - (self.changed_at or self.began)
            what = f"{visitor.name} {fault} {visitor.host or visitor.hostname} at the {edge} edge"
            self.wrong.setdefault(what, f"{what}, {since:.0f} s after the change")

    def _fault(self, visitor: Visitor, got_in: bool) -> str | None:
        now, changed, fate = self.world.clock.now(), self.changed_at, visitor.fate
        is_guarded = visitor.hostname in self.guarded
        match fate:
            case Fate.ALWAYS:
                must = True
            case Fate.NEVER:
                must = False if is_guarded and self.closed else got_in
            case Fate.GAINS:
                must = self.done or (got_in and not (changed is None and is_guarded))
            case Fate.LOSES | Fate.LINGERS:
                kept = changed is None or (fate is Fate.LINGERS and now < changed + OVERLAP)
                must = not self.done and (kept or got_in)
        if must == got_in:
            return None
        return "gets in to" if got_in else "is kept out of"

    async def _tick(self) -> None:
        while True:
            for site in self.world.sites:
                if site.process is not None and self._after not in site.process.boundaries:
                    site.process.boundaries.append(self._after)
            self.look()
            await asyncio.sleep(_TICK_SECONDS)

    def _after(self, what: str, _moment: object) -> None:
        if what.split(maxsplit=1)[0] in {"POST", "PUT", "PATCH", "DELETE"}:
            self.look()

    async def _until(self, condition: Callable[[], bool]) -> None:
        deadline = self.world.clock.now() + _PATIENCE_SECONDS
        quiet_since, seen = self.world.clock.now(), self._seen()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self.world.clock.now() > deadline:
                raise AssertionError("\n".join(_statuses(self.world)))
            now = self._seen()
            if seen != now or not condition():
                quiet_since, seen = self.world.clock.now(), now
            elif self.world.clock.now() - quiet_since > _QUIET_SECONDS:
                return

    def _seen(self) -> tuple[object, ...]:
        """Equal as long as neither a cluster nor Cloudflare has changed."""
        return (*(site.cluster.store.version for site in self.world.sites), self.world.cloudflare.state)

    def _all_ready(self) -> bool:
        bodies = [body for kind in (CA, BINDING) for _, body in self.world.site_bodies(kind)]
        return all(_is_settled(body) for body in bodies)


def _is_settled(body: Mapping[str, Any]) -> bool:
    conditions = {each["type"]: each for each in body.get("status", {}).get("conditions", [])}
    told = conditions.get("Ready", {})
    is_new = told.get("observedGeneration") == body["metadata"]["generation"]
    return is_new and "Reconciling" not in conditions and "deletionTimestamp" not in body["metadata"]


def _statuses(world: World) -> Iterator[str]:
    for kind in (CA, BINDING):
        for site, body in world.site_bodies(kind):
            yield f"{site.owner} {kind} {body['metadata']['name']}: {body.get('status', {}).get('conditions')}"


_CONTEXTS: dict[str, ssl.SSLContext] = {}


def context_of(identity: Identity | None) -> ssl.SSLContext:
    """A TLS client that comes with this identity, or without any."""
    key = "" if identity is None else identity.pem + "".join(each.hex() for each in identity.chain)
    if key not in _CONTEXTS:
        _CONTEXTS[key] = client_context(CERTIFICATES.authority_pem, identity)
    return _CONTEXTS[key]


def _data_centres(edge: EdgeSettings) -> Iterator[tuple[str, EdgeSettings]]:
    yield "quickest", replace(edge, lists_delay=0.0, rules_delay=0.0)
    if edge.lists_delay:
        yield "late with lists", replace(edge, rules_delay=0.0)
    if edge.rules_delay:
        yield "late with rules", replace(edge, lists_delay=0.0)
    if edge.lists_delay and edge.rules_delay:
        yield "latest", edge
