"""One installation of the whole engine between a simulated cluster and a simulated Cloudflare, in virtual time."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from mtls_operator.configuration import Configuration
from testbed.chaos.operator_process import OperatorProcess, running_operator, start
from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.settings import Settings
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cluster import SimulatedCluster, VirtualClock
from testbed.cluster.virtual_time import EPOCH
from tests.certificates import make_ca
from tests.contract.cluster.world import API_VERSION, BINDING, CA
from tests.virtual_time import until

ACCOUNT: Final = "a" * 32
ZONE: Final = "b" * 32
HOST: Final = "api.example.com"
TOKEN: Final = "virtual-0perator-t0ken-" + "Zq7x" * 6
WINDOW: Final = 90.0
CONFIGURATION: Final = Configuration.model_validate(
    {
        "ownerId": "cluster-a",
        "cloudflare": {"tokenSecretRef": {"name": "token", "key": "token"}, "consistencyWindowSeconds": WINDOW},
        "operatorCredentials": {"allowed": [{}]},
    },
    strict=False,
)


@functools.cache
def authority_pem(name: str = "partners") -> str:
    """A CA, the same one of a name for the whole run: keys are random."""
    return make_ca(name, now=datetime.fromtimestamp(EPOCH, UTC)).pem


@dataclass
class World:
    """One account with one zone, one cluster with a user's namespace, and a clock for all of them."""

    clock: VirtualClock
    cluster: SimulatedCluster
    cloudflare: CloudflareSimulation

    @classmethod
    def begin(cls, seed: int = 1, settings: Settings | None = None, monitor: Monitor | None = None) -> World:
        clock = VirtualClock()
        judge = monitor or Monitor(window=WINDOW)
        cloudflare = CloudflareSimulation(clock.now, settings, seed=seed, monitor=judge)
        cloudflare.add_account(ACCOUNT)
        cloudflare.add_zone(ZONE, "example.com", ACCOUNT)
        cloudflare.add_token(TOKEN, owner="cluster-a")
        return cls(clock, _cluster(clock, seed), cloudflare)

    def with_another_cluster(self, seed: int = 2) -> World:
        """The same Cloudflare, and a cluster that was built anew: nobody has applied anything to it yet."""
        return replace(self, cluster=_cluster(self.clock, seed))

    def start(self) -> OperatorProcess:
        """A new process of the operator."""
        return start(CONFIGURATION, self.cluster, self.cloudflare, self.clock)

    def running(self) -> AbstractAsyncContextManager[OperatorProcess]:
        """A process of the operator until the block ends."""
        return running_operator(CONFIGURATION, self.cluster, self.cloudflare, self.clock)

    def apply_both(self) -> None:
        """A CA with its Secret, and a binding to it."""
        self.apply_authority("partners")
        self.apply_binding("api", HOST)

    def apply_authority(self, name: str, **fields: Any) -> None:
        """A CA and the Secret of the same name that holds it. `fields` add to its spec."""
        self.cluster.users.put_secret("shop", name, {"ca.crt": authority_pem(name)})
        spec = {"accountId": ACCOUNT, "source": {"secretRef": {"name": name}}, **fields}
        self.cluster.users.apply(_resource(CA, name, spec))

    def apply_binding(
        self, name: str, *hostnames: str, authority: str = "partners", zone: str = "example.com", **fields: Any
    ) -> None:
        spec = {
            "certificateAuthorityRef": {"name": authority},
            "zone": {"name": zone},
            "hostnames": [*hostnames],
            **fields,
        }
        self.cluster.users.apply(_resource(BINDING, name, spec))

    def apply_second(self) -> None:
        """Another binding to the CA, which has everything to do yet."""
        self.apply_binding("second", "www.example.com")

    def second(self) -> tuple[str, str]:
        """Whether that one is ready, and why not."""
        return self.condition(BINDING, "second")

    def delete_both(self) -> None:
        self.cluster.users.delete(CA, "shop", "partners")
        self.cluster.users.delete(BINDING, "shop", "api")

    def all_ready(self) -> bool:
        return self.is_ready(CA, "partners") and self.is_ready(BINDING, "api")

    def all_gone(self) -> bool:
        users = self.cluster.users
        return users.read(CA, "shop", "partners") is None and users.read(BINDING, "shop", "api") is None

    def rules(self) -> list[str]:
        """The actions of all rules of the zone, in their order."""
        return [rule.action for ruleset in self.cloudflare.state.rulesets.values() for rule in ruleset.rules]

    def trace(self) -> list[str]:
        """All that happened, on both sides."""
        calls = [f"{each.time:.6f} {each.method} {each.path} {each.status}" for each in self.cloudflare.log]
        return [*map(str, self.cluster.log), *calls]

    def written(self, begun: int) -> list[str]:
        """What the operator wrote, or posted, since the cluster's log had so many entries."""
        return [each.what for each in self.cluster.log[begun:] if each.what.startswith(("write ", "post "))]

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """What a resource says of itself; empty when it says nothing yet, or is gone."""
        status: dict[str, Any] = (self.cluster.users.read(kind, "shop", name) or {}).get("status", {})
        return status

    def condition(self, kind: str, name: str, about: str = "Ready") -> tuple[str, str]:
        """Status and reason of a condition; empty ones while it is not there."""
        conditions = self.status(kind, name).get("conditions", [])
        return next(((each["status"], each["reason"]) for each in conditions if each["type"] == about), ("", ""))

    def message(self, kind: str, name: str, about: str = "Ready") -> str:
        """What a condition says in words; nothing while it is not there."""
        conditions = self.status(kind, name).get("conditions", [])
        return next((str(each["message"]) for each in conditions if each["type"] == about), "")

    def is_ready(self, kind: str, name: str) -> bool:
        return self.condition(kind, name)[0] == "True"


@asynccontextmanager
async def in_force(settings: Settings | None = None) -> AsyncIterator[World]:
    """A world whose operator runs until the block ends, when its CA and its binding have become ready."""
    world = World.begin(settings=settings)
    async with world.running():
        world.apply_both()
        await until(world.all_ready)
        yield world


def _cluster(clock: VirtualClock, seed: int) -> SimulatedCluster:
    """One with the operator's token and a user's namespace."""
    cluster = SimulatedCluster.seeded(clock.now, seed)
    cluster.users.create_namespace("cfmtls-system")
    cluster.users.put_secret("cfmtls-system", "token", {"token": TOKEN})
    cluster.users.create_namespace("shop")
    return cluster


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
