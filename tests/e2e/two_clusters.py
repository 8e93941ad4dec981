"""Two clusters that bind one CA, and partly the same hostnames, in one zone: how they come and go.

It takes minutes, nearly all of them waiting: what another installation has sent may be under way for a minute. So the
stories are played side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, NamedTuple

from testbed.cloudflare.monitor.marks import read_mark
from testbed.cloudflare.monitor.truth import covered, enforcements
from testbed.cloudflare.state import Rule, State
from testbed.controlplane import ControlPlane
from tests.certificates import Ca, make_ca
from tests.e2e.resources import AUTHORITY, BINDING
from tests.e2e.tenant import RESOURCES, Tenant
from tests.e2e.world import World, cloudflare, namespace_of, world_on

ONE: Final = "cluster-a"
OTHER: Final = "cluster-b"
TOKENS: Final = {owner: f"token-of-{owner}-{'5tGv' * 6}" for owner in (ONE, OTHER)}
PATIENCE: Final = 600.0
"""Seconds. Several of the minutes that others may need can come one after the other."""
SHARED: Final = "login"
LABELS: Final = {ONE: ("api", SHARED), OTHER: (SHARED, "shop")}


class Deed(Enum):
    """What a cluster does with its resources."""

    COME = auto()
    """Apply them, and wait until they are ready."""
    LEAD = auto()
    """Change the source of the CA, and wait until nothing is missing but that the other cluster accepts the new one."""
    FOLLOW = auto()
    """Change the source of the CA too, and wait until the new one is in force beside the previous one."""
    SETTLE = auto()
    """Have the clusters look afresh, and wait until only the new CA is in force."""
    GO = auto()
    """Delete them, and wait until they are gone."""


class Act(NamedTuple):
    """These clusters do this at once; the next act comes when it is done."""

    deed: Deed
    owners: tuple[str, ...]


def come(*owners: str) -> Act:
    return Act(Deed.COME, owners)


def lead(*owners: str) -> Act:
    return Act(Deed.LEAD, owners)


def follow(*owners: str) -> Act:
    return Act(Deed.FOLLOW, owners)


def settle(*owners: str) -> Act:
    return Act(Deed.SETTLE, owners)


def go(*owners: str) -> Act:
    return Act(Deed.GO, owners)


_ASSOCIATED_REASON: Final = '{.status.conditions[?(@.type=="Associated")].reason}'
ROTATION: Final = "both get a new CA, one after the other"
STORIES: Final[dict[str, Sequence[Act]]] = {
    "who came first goes first": (come(ONE), come(OTHER), go(ONE), go(OTHER)),
    "who came last goes first": (come(ONE), come(OTHER), go(OTHER), go(ONE)),
    "both come at once and go at once": (come(ONE, OTHER), go(ONE, OTHER)),
    ROTATION: (come(ONE, OTHER), lead(ONE), follow(OTHER), settle(ONE, OTHER), go(OTHER), go(ONE)),
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What there was when an act was done: the requests until then, the list, the certificates, and of each cluster the
    rules and what they enforce."""

    requests: int
    listed: frozenset[str]
    certificates: tuple[str, ...]
    rules: dict[str, tuple[Rule, ...]]
    enforced: dict[str, frozenset[str]]
    issuers: dict[str, frozenset[str]]
    """The issuers that each cluster accepts for the hostname that both bind."""


@dataclass
class Story:
    """One user with a namespace in each of the clusters, `tenants` by owner, and what was seen after each act."""

    acts: Sequence[Act]
    tenants: dict[str, Tenant]
    new: Ca
    """The CA that follows."""
    seen: list[Sight] = field(default_factory=list)

    @classmethod
    def prepare(cls, acts: Sequence[Act], worlds: dict[str, World]) -> Story:
        one = Tenant.arrive(worlds[ONE])
        other = replace(one, world=worlds[OTHER], namespace=namespace_of(worlds[OTHER].next_number()))
        return cls(acts, {ONE: one, OTHER: other}, make_ca(f"Next CA of {one.namespace}"))

    @property
    def user(self) -> Tenant:
        """For what is the same in both clusters: the account, the zone, the CA and what Cloudflare saw."""
        return self.tenants[ONE]

    def hostnames(self, *owners: str) -> frozenset[str]:
        """What these clusters bind."""
        return frozenset(self.user.zone.host(label) for owner in owners for label in LABELS[owner])

    def play(self) -> None:
        for act in self.acts:
            for owner in act.owners:
                self._begin(act.deed, self.tenants[owner], *LABELS[owner])
            for owner in act.owners:
                self._wait(act.deed, self.tenants[owner])
            self.seen.append(self._look())

    def _begin(self, deed: Deed, tenant: Tenant, *labels: str) -> None:
        if deed is Deed.COME:
            tenant.apply(tenant.secret(), tenant.authority(rotation={"overlap": "1s"}), tenant.binding(*labels))
        elif deed in {Deed.LEAD, Deed.FOLLOW}:
            tenant.apply(tenant.secret(**{"ca.crt": self.new.pem}))
        elif deed is Deed.SETTLE:
            # What the other cluster has done is seen at the next resync otherwise, some minutes later.
            request = "apishield-mtls.io/reconcile-requested-at=settle"
            tenant.kubectl("annotate", "--overwrite", "mtlshb", BINDING, request)
        elif deed is Deed.GO:
            tenant.delete(RESOURCES, "--all")

    def _wait(self, deed: Deed, tenant: Tenant) -> None:
        waits = {
            Deed.COME: ("--for=condition=Ready", RESOURCES, "--all"),
            Deed.LEAD: (f"--for=jsonpath={_ASSOCIATED_REASON}=WaitingForOthers", f"mtlshb/{BINDING}"),
            Deed.FOLLOW: ("--for=jsonpath={.status.rotation.phase}=Overlap", f"mtlsca/{AUTHORITY}"),
            Deed.SETTLE: ("--for=condition=Rotated", f"mtlsca/{AUTHORITY}"),
            Deed.GO: ("--for=delete", RESOURCES, "--all"),
        }
        tenant.kubectl("wait", f"--timeout={PATIENCE:.0f}s", *waits[deed])

    def _look(self) -> Sight:
        user = self.user
        return Sight(
            requests=len(user.history),
            listed=user.lists.get(user.zone.name, frozenset()),
            certificates=tuple(each.id for each in user.certificates),
            rules={owner: tuple(rule for rule in user.rules() if _is_of(rule, owner)) for owner in self.tenants},
            enforced=covered(user.world.simulation.state, user.zone.id),
            issuers={
                mark.owner: mark.guard.issuers or frozenset()
                for _, mark in enforcements(user.world.simulation.state, user.zone.id)
                if user.zone.host(SHARED) in mark.guard.hostnames
            },
        )

    def unguarded(self, owner: str) -> list[str]:
        """Requests after which a hostname of a cluster was not covered by its rules, or on no list, though the cluster
        had come and was not told to go yet."""
        begun = next(seen.requests for act, seen in self.done() if act == come(*act.owners) and owner in act.owners)
        ended = next(
            before.requests for act, before in self._before() if act == go(*act.owners) and owner in act.owners
        )
        names, zone = self.hostnames(owner), self.user.zone.id
        return [
            f"{each.entry.method} {each.entry.path}"
            for each in self.user.history[begun:ended]
            if not names <= covered(each.after, zone).get(owner, frozenset()) or not names <= _listed(each.after, zone)
        ]

    def done(self) -> list[tuple[Act, Sight]]:
        """Each act and what was seen after it."""
        return list(zip(self.acts, self.seen, strict=True))

    def _before(self) -> list[tuple[Act, Sight]]:
        return list(zip(self.acts[1:], self.seen, strict=False))


def _is_of(rule: Rule, owner: str) -> bool:
    return getattr(read_mark(rule), "owner", None) == owner


def _listed(state: State, zone: str) -> frozenset[str]:
    return frozenset[str]().union(*(names for (where, _), names in state.lists.items() if where == zone))


def play_all() -> dict[str, Story]:
    """All stories on two control planes and one Cloudflare. Raises AssertionError for a violated invariant."""
    with ExitStack() as ends:
        api = ends.enter_context(cloudflare())
        worlds = {}
        for owner in (ONE, OTHER):
            cluster = ends.enter_context(ControlPlane.start())
            worlds[owner] = ends.enter_context(world_on(cluster, api, owner=owner, token=TOKENS[owner]))
        stories = {name: Story.prepare(acts, worlds) for name, acts in STORIES.items()}
        with ThreadPoolExecutor(len(stories)) as players:
            list(players.map(Story.play, stories.values()))
        violations = [str(each) for each in api.simulation.monitor.finish()]
    assert not violations, "\n".join(violations)
    return stories
