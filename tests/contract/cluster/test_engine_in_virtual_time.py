"""The whole engine between a simulated cluster and a simulated Cloudflare, in virtual time."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from mtls_operator.configuration import Configuration
from testbed.chaos.operator_process import OperatorProcess, running_operator, start
from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cluster import (
    AnswerLost,
    Away,
    Chance,
    Refused,
    Request,
    SimulatedCluster,
    VirtualClock,
    WatchHabits,
)
from testbed.cluster.virtual_time import EPOCH, run
from tests.certificates import make_ca
from tests.contract.cluster.world import API_VERSION, BINDING, CA
from tests.virtual_time import in_virtual_time, until

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
UNLUCKY: Final = Chance(0.2, (Away(), AnswerLost(), AnswerLost(after=30.0), Refused(409), Refused(500)))
DEAF: Final = WatchHabits(lag=(0.0, 3.0), repeats=0.2, lifetime=(5.0, 60.0), gaps=0.5, deaf=0.3)


@functools.cache
def authority_pem() -> str:
    """A CA, the same one for the whole run: keys are random."""
    return make_ca(now=datetime.fromtimestamp(EPOCH, UTC)).pem


@dataclass
class World:
    """One account with one zone, one cluster with a user's namespace, and a clock for all of them."""

    clock: VirtualClock
    cluster: SimulatedCluster
    cloudflare: CloudflareSimulation

    @classmethod
    def begin(cls, seed: int = 1) -> World:
        clock = VirtualClock()
        cluster = SimulatedCluster.seeded(clock.now, seed)
        cloudflare = CloudflareSimulation(clock.now, seed=seed, monitor=Monitor(window=WINDOW))
        cloudflare.add_account(ACCOUNT)
        cloudflare.add_zone(ZONE, "example.com", ACCOUNT)
        cloudflare.add_token(TOKEN, owner="cluster-a")
        cluster.users.create_namespace("cfmtls-system")
        cluster.users.put_secret("cfmtls-system", "token", {"token": TOKEN})
        cluster.users.create_namespace("shop")
        return cls(clock, cluster, cloudflare)

    def start(self) -> OperatorProcess:
        """A new process of the operator."""
        return start(CONFIGURATION, self.cluster, self.cloudflare, self.clock)

    def apply_both(self) -> None:
        """A CA with its Secret, and a binding to it."""
        users = self.cluster.users
        users.put_secret("shop", "partners", {"ca.crt": authority_pem()})
        authority = {"accountId": ACCOUNT, "source": {"secretRef": {"name": "partners"}}}
        users.apply(_resource(CA, "partners", authority))
        binding = {
            "certificateAuthorityRef": {"name": "partners"},
            "zone": {"name": "example.com"},
            "hostnames": [HOST],
        }
        users.apply(_resource(BINDING, "api", binding))

    def delete_both(self) -> None:
        self.cluster.users.delete(CA, "shop", "partners")
        self.cluster.users.delete(BINDING, "shop", "api")

    def all_ready(self) -> bool:
        return self._is_ready(CA, "partners") and self._is_ready(BINDING, "api")

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

    def _is_ready(self, kind: str, name: str) -> bool:
        body = self.cluster.users.read(kind, "shop", name) or {}
        conditions = body.get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


async def _set_up(seed: int) -> World:
    """A world in which a binding has become ready."""
    world = World.begin(seed)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
    return world


@in_virtual_time
async def test_a_binding_becomes_ready() -> None:
    world = await _set_up(seed=1)

    assert world.rules() == ["block", "log"]
    assert world.cloudflare.monitor.finish() == []


def test_the_same_seed_gives_the_same_trace() -> None:
    one, two, other = (run(_set_up(seed)) for seed in (1, 1, 2))

    assert one.trace() == two.trace()
    assert one.trace() != other.trace()


@in_virtual_time
async def test_a_deleted_namespace_goes_and_leaves_nothing_at_cloudflare() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        world.cluster.users.delete_namespace("shop")
        await until(lambda: world.cluster.users.read("Namespace", "", "shop") is None)

    assert world.rules() == []
    assert world.cloudflare.state.lists == {}
    assert world.cloudflare.state.certificates[ACCOUNT] == {}
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_what_went_wrong_is_made_good_once_nothing_goes_wrong_any_more() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as process:
        process.client.faults.chance, process.client.habits = UNLUCKY, DEAF
        world.apply_both()
        await asyncio.sleep(300)
        process.client.calm()
        await until(world.all_ready)

    assert "answer lost" in {entry.outcome for entry in world.cluster.log}
    assert world.rules() == ["block", "log"]
    assert world.cloudflare.monitor.finish() == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["write finalizers of", "write status of", "list"])
@in_virtual_time
async def test_a_process_killed_at_a_request_is_succeeded_by_one_that_goes_on(verb: str, moment: str) -> None:
    world = World.begin()
    victim = world.start()
    hooks = {"before": world.cluster.before_request, "after": world.cluster.after_request}[moment]

    def kill(_index: int, request: Request) -> None:
        if request.verb == verb and request.key.kind == BINDING:
            victim.client.kill()

    hooks.append(kill)
    world.apply_both()
    await until(lambda: not victim.client.alive)
    await victim.kill()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await until(world.all_ready)
        ready = world.rules()
        world.delete_both()
        await until(world.all_gone)

    assert ready == ["block", "log"]
    assert world.rules() == []
    assert world.cloudflare.monitor.finish() == []
