"""A fresh look that somebody asks for is acknowledged when everything has been looked at, not when all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mtls_operator.domain.expressions import claim_expression
from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.faults import AnswerStatus, Fault, Match
from testbed.cloudflare.messages import Request
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, HOST, ZONE, World
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
SOON = 120.0
TWIN = "99999999-2222-4333-8444-555555555555"


def suspended(world: World) -> None:
    world.apply_binding("api", HOST, suspend=True)


def without_its_certificate(world: World) -> None:
    """Somebody deleted the certificate of a CA that is laid aside, so that nothing takes its place."""
    world.apply_authority("partners", suspend=True)
    (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
    world.cloudflare.install(lambda state: state.without_certificate(ACCOUNT, certificate), settled=True)


def with_a_rival(world: World) -> None:
    """Another cluster uses our ownerId."""
    (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
    words = f"mtls-operator/1 claim owner=cluster-a cluster={TWIN} state=held certs={certificate} aim=- inforce=-"
    expression = claim_expression(["other.example.com"])
    world.cloudflare.add_foreign_rule(ZONE, expression=expression, action="log", description=words, enabled=False)


def observed(world: World) -> None:
    world.apply_binding("api", HOST, managementPolicy="Observe")


@pytest.mark.parametrize(
    ("become", "ready"),
    [
        (suspended, "Suspended"),
        (without_its_certificate, "Progressing"),
        (with_a_rival, "ManagementConflict"),
        (observed, "Observed"),
    ],
    ids=["suspended", "certificate gone", "ownerId used twice", "observed"],
)
@in_virtual_time
async def test_a_request_to_look_again_is_acknowledged_whatever_comes_of_it(
    become: Callable[[World], None], ready: str
) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        await asyncio.sleep(HOUR)
        become(world)
        await asyncio.sleep(HOUR)
        calls = len(world.cloudflare.log)

        world.cluster.users.annotate(BINDING, "shop", "api", {"apishield-mtls.io/reconcile-requested-at": "now"})
        await asyncio.sleep(SOON)

    assert world.condition(BINDING, "api")[1] == ready
    assert world.status(BINDING, "api").get("lastHandledReconcileAt") == "now"
    assert {each.method for each in world.cloudflare.log[calls:] if ZONE in each.path} == {"GET"}


@in_virtual_time
async def test_what_somebody_takes_off_the_list_of_a_suspended_binding_is_said() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        suspended(world)
        await asyncio.sleep(HOUR)
        (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
        world.cloudflare.put_foreign_hostnames(ZONE, certificate, set())
        await asyncio.sleep(HOUR)
        told = world.condition(BINDING, "api", "Associated"), world.condition(BINDING, "api", "Enforced")
        world.apply_binding("api", HOST)
        await until(world.all_ready)

    assert told == (("False", "Arriving"), ("True", "Enforced"))


def in_observation(world: World) -> None:
    world.apply_binding("api", HOST, managementPolicy="Observe")
    world.apply_authority("partners", managementPolicy="Observe")


@pytest.mark.parametrize(("kind", "name"), [(BINDING, "api"), (CA, "partners")])
@in_virtual_time
async def test_what_was_not_looked_at_is_not_acknowledged(kind: str, name: str) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_authority("partners")
        await until(lambda: world.condition(CA, "partners")[0] == "True")
        in_observation(world)
        await asyncio.sleep(HOUR)
        world.cloudflare.faults.add(Fault(AnswerStatus(503), Match("GET"), times=None))

        world.cluster.users.annotate(kind, "shop", name, {"apishield-mtls.io/reconcile-requested-at": "now"})
        await asyncio.sleep(SOON)
        meanwhile = world.status(kind, name).get("lastHandledReconcileAt")
        world.cloudflare.faults.clear()
        await until(lambda: world.status(kind, name).get("lastHandledReconcileAt") == "now")

    assert meanwhile is None


def conflicted(world: World) -> None:
    """Its hostname is taken, with another CA."""
    world.apply_authority("other")
    world.apply_binding("late", HOST, authority="other")


def pending(world: World) -> None:
    """Its CA has no certificate yet."""
    world.apply_authority("other", source={"secretRef": {"name": "none"}})
    world.apply_binding("late", "late.example.com", authority="other")


def observed_beside(world: World) -> None:
    """It is looked at what would be done for it, with another CA."""
    world.apply_authority("other")
    world.apply_binding("late", "late.example.com", authority="other", managementPolicy="Observe")


def about(certificate: str) -> Callable[[Request], bool]:
    """Requests for the list of a certificate."""
    return lambda request: request.parameter("mtls_certificate_id") == certificate


@pytest.mark.parametrize("become", [conflicted, pending])
@in_virtual_time
async def test_who_owns_nothing_does_not_wait_for_the_list_of_a_neighbour(become: Callable[[World], None]) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        become(world)
        await asyncio.sleep(HOUR)
        certificate = world.status(CA, "partners")["certificateId"]
        world.cloudflare.faults.add(Fault(AnswerStatus(503), about(certificate), times=None))

        for name in ("late", "api"):
            world.cluster.users.annotate(BINDING, "shop", name, {"apishield-mtls.io/reconcile-requested-at": "now"})
        await asyncio.sleep(SOON)
        handled = [world.status(BINDING, name).get("lastHandledReconcileAt") for name in ("late", "api")]

    assert handled == ["now", None]


@in_virtual_time
async def test_who_is_observed_waits_for_the_list_it_would_be_on() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        observed_beside(world)
        await asyncio.sleep(HOUR)
        certificate = world.status(CA, "other")["certificateId"]
        world.cloudflare.faults.add(Fault(AnswerStatus(503), about(certificate), times=None))

        world.cluster.users.annotate(BINDING, "shop", "late", {"apishield-mtls.io/reconcile-requested-at": "now"})
        await asyncio.sleep(SOON)
        meanwhile = world.status(BINDING, "late").get("lastHandledReconcileAt")
        world.cloudflare.faults.clear()
        await until(lambda: world.status(BINDING, "late").get("lastHandledReconcileAt") == "now")

    assert meanwhile is None
