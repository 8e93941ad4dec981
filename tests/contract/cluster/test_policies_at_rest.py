"""Resources that somebody laid aside, only observes, or that may not adopt: for hours, across restarts, nothing is
written anywhere, and what others change at Cloudflare is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from testbed.chaos.operator_process import running_operator
from testbed.cloudflare.faults import AnswerStatus, Fault
from tests.contract.cluster.engine_world import ACCOUNT, CONFIGURATION, HOST, ZONE, World, authority_pem
from tests.contract.cluster.world import BINDING, CA
from tests.virtual_time import in_virtual_time, until

HOUR = 3600.0
SOON = 60.0
THEIRS = "theirs.example.com"
Scene = Callable[[World], None]


def suspended(world: World) -> None:
    world.apply_authority("partners", suspend=True)
    world.apply_binding("api", HOST, suspend=True)


def observed(world: World) -> None:
    world.apply_authority("partners", managementPolicy="Observe")
    world.apply_binding("api", HOST, managementPolicy="Observe")


def observed_binding(world: World) -> None:
    world.apply_authority("partners")
    world.apply_binding("api", HOST, managementPolicy="Observe")


def unadopted_certificate(world: World) -> None:
    world.cloudflare.add_certificate(ACCOUNT, authority_pem("partners"), name="by hand")
    world.apply_authority("partners", adoptionPolicy="Never")


def unadopted_hostname(world: World) -> None:
    """A certificate of ours with a hostname that somebody else put on its list."""
    certificate = world.cloudflare.add_certificate(ACCOUNT, authority_pem("partners"), name="by hand")
    world.cloudflare.put_foreign_hostnames(ZONE, certificate, {THEIRS})
    world.apply_authority("partners")
    world.apply_binding("api", THEIRS, adoptionPolicy="Never")


def written_to_cloudflare(world: World, begun: int) -> list[str]:
    return [each.line() for each in world.cloudflare.log[begun:] if each.method != "GET"]


SUSPENDED, OBSERVED, REFUSED = ("False", "Suspended"), ("False", "Observed"), ("False", "AdoptionRefused")
READY = ("True", "Reconciled")


@pytest.mark.parametrize(
    ("scene", "of_authority", "of_binding"),
    [
        (suspended, SUSPENDED, SUSPENDED),
        (observed, OBSERVED, ("False", "CertificateAuthorityNotReady")),
        (observed_binding, READY, OBSERVED),
        (unadopted_certificate, REFUSED, ("", "")),
        (unadopted_hostname, READY, REFUSED),
    ],
    ids=["suspended", "observed", "observed binding", "certificate not adopted", "hostname not adopted"],
)
@in_virtual_time
async def test_what_has_settled_is_left_alone_and_told_once(
    scene: Scene, of_authority: tuple[str, str], of_binding: tuple[str, str]
) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        scene(world)
        await asyncio.sleep(HOUR)
        calls, requests = len(world.cloudflare.log), len(world.cluster.log)
        await asyncio.sleep(3 * HOUR)
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        await asyncio.sleep(HOUR)

    assert (world.condition(CA, "partners"), world.condition(BINDING, "api")) == (of_authority, of_binding)
    assert (written_to_cloudflare(world, calls), world.written(requests)) == ([], [])
    assert world.cloudflare.monitor.finish() == []


@in_virtual_time
async def test_a_hostname_comes_when_somebody_else_has_taken_it_off_the_list() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        unadopted_hostname(world)
        await until(lambda: world.condition(BINDING, "api") == ("False", "AdoptionRefused"))
        (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
        world.cloudflare.put_foreign_hostnames(ZONE, certificate, set())
        await until(world.all_ready)


@in_virtual_time
async def test_a_ca_is_uploaded_when_somebody_else_has_deleted_theirs() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        unadopted_certificate(world)
        await until(lambda: world.condition(CA, "partners") == ("False", "AdoptionRefused"))
        (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
        world.cloudflare.install(lambda state: state.without_certificate(ACCOUNT, certificate), settled=True)
        await until(lambda: world.is_ready(CA, "partners"))


@in_virtual_time
async def test_a_plan_follows_what_others_change_at_cloudflare() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        observed_binding(world)
        await until(lambda: len(world.status(BINDING, "api").get("plan", ())) == 4)
        (certificate,) = world.cloudflare.state.certificates[ACCOUNT]
        world.cloudflare.put_foreign_hostnames(ZONE, certificate, {HOST})
        await until(lambda: f"adopt {HOST}" in str(world.status(BINDING, "api")["plan"]))


@pytest.mark.parametrize("fields", [{"suspend": True}, {"deletionPolicy": "Retain"}, {"managementPolicy": "Observe"}])
@in_virtual_time
async def test_a_deletion_that_waits_ends_when_the_user_lets_go_and_nothing_is_touched(fields: dict[str, Any]) -> None:
    """What keeps the others than the suspended from being let go is a Cloudflare that is away."""
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock) as operator:
        world.apply_both()
        await until(world.all_ready)
        world.cloudflare.faults.add(Fault(AnswerStatus(503), times=None))
        world.apply_authority("partners", **fields)
        world.apply_binding("api", HOST, **fields)
        world.delete_both()
        await until(lambda: "force-orphan" in world.message(BINDING, "api"))
        for kind, name in ((BINDING, "api"), (CA, "partners")):
            world.cluster.users.annotate(kind, "shop", name, {"apishield-mtls.io/force-orphan": "true"})
        await until(world.all_gone)
        await asyncio.sleep(SOON)

    assert operator.metrics.registry.get_sample_value("cfmtls_orphans", {"zone": ZONE}) == 1.0
    assert world.rules() == ["block", "log"]
    assert len(world.cloudflare.state.certificates[ACCOUNT]) == 1


@pytest.mark.parametrize(
    ("fields", "reason"), [({"suspend": True}, "Suspended"), ({"managementPolicy": "Observe"}, "Observed")]
)
@in_virtual_time
async def test_a_source_that_changes_rotates_nothing_as_long_as_the_ca_is_laid_aside(
    fields: dict[str, Any], reason: str
) -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        world.apply_authority("partners", **fields)
        await until(lambda: world.condition(CA, "partners")[1] == reason)
        calls, before = len(world.cloudflare.log), world.status(CA, "partners")["fingerprints"]
        world.cluster.users.put_secret("shop", "partners", {"ca.crt": authority_pem("successors")})
        await asyncio.sleep(HOUR)

    assert written_to_cloudflare(world, calls) == []
    assert world.status(CA, "partners")["fingerprints"] == before
    assert world.condition(CA, "partners") == ("False", reason)
    assert world.condition(BINDING, "api") == READY


@in_virtual_time
async def test_an_observed_ca_says_that_it_would_rotate() -> None:
    world = World.begin()
    async with running_operator(CONFIGURATION, world.cluster, world.cloudflare, world.clock):
        world.apply_both()
        await until(world.all_ready)
        world.apply_authority("partners", managementPolicy="Observe")
        await until(lambda: world.condition(CA, "partners") == ("True", "Observed"))
        world.cluster.users.put_secret("shop", "partners", {"ca.crt": authority_pem("successors")})
        await until(lambda: world.status(CA, "partners").get("plan"))
        # The account has been listed again by then, as it is from time to time.
        await asyncio.sleep(3600)

    assert world.status(CA, "partners")["plan"][0].startswith("put the CA certificates of the source in force")
