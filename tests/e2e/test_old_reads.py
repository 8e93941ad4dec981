"""Cloudflare answers reads from the past, by as much as the operator is told to expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from testbed.cloudflare.faults import Moment
from testbed.cloudflare.messages import Request
from testbed.cloudflare.settings import Consistency, Staleness
from tests.e2e.expected_rules import Sight, held_and_enforced, sights
from tests.e2e.story import disorder, uploads
from tests.e2e.tenant import RESOURCES, Tenant
from tests.e2e.waiting import until
from tests.e2e.world import World

DELAY = 1.0
TOLD = 1.05
"""Seconds. What the operator is told to expect."""
LONG_DELAY = 4.5
"""Longer than a restart takes, so that the new process meets what the old one could not see."""
LONG_TOLD = 4.55


@contextmanager
def old_reads(world: World, consistency: Consistency, told: float) -> Iterator[None]:
    """Reads are as old as that, and the operator is told to expect it, until the block ends."""
    fresh = world.simulation.settings
    with world.configured({"cloudflare": {"consistencyWindow": told, "settleTime": told}}):
        world.simulation.settings = replace(fresh, consistency=consistency)
        try:
            yield
        finally:
            world.simulation.settings = fresh


@dataclass
class Course:
    """A user whose resources were made, changed and deleted, and what there was before they were deleted."""

    tenant: Tenant
    lists: dict[str, frozenset[str]]
    rules: list[Sight]


def run(world: World) -> list[Course]:
    """Four users side by side."""
    tenants = [Tenant.arrive(world) for _ in range(4)]
    for tenant in tenants:
        tenant.apply_set_up("api", "login")
    for tenant in tenants:
        tenant.wait_ready()
        tenant.apply(tenant.binding("login", "shop"))
    for tenant in tenants:
        tenant.wait_ready()
    courses = [Course(tenant, tenant.lists, sights(tenant.rules())) for tenant in tenants]
    for tenant in tenants:
        tenant.delete(RESOURCES, "--all")
    for tenant in tenants:
        tenant.tear_down()
    return courses


@pytest.fixture(scope="module")
def courses(module_world: World) -> list[Course]:
    """Four users while every read was as old as can be, and four while some were."""
    found = []
    with old_reads(module_world, Consistency.everywhere(DELAY, Staleness.EXACT), TOLD):
        found += run(module_world)
        module_world.simulation.settings = replace(
            module_world.simulation.settings, consistency=Consistency.everywhere(DELAY, Staleness.RANDOM)
        )
        found += run(module_world)
    return found


def test_with_old_reads_all_is_in_force_as_it_should(courses: list[Course]) -> None:
    hostnames = [[course.tenant.zone.host(label) for label in ("login", "shop")] for course in courses]

    assert [course.lists for course in courses] == [
        {course.tenant.zone.name: set(names)} for course, names in zip(courses, hostnames, strict=True)
    ]
    assert [course.rules for course in courses] == [
        held_and_enforced(course.tenant.ca.key_identifier, *names)
        for course, names in zip(courses, hostnames, strict=True)
    ]


def test_with_old_reads_nothing_is_left_in_the_end(courses: list[Course]) -> None:
    tenants = [course.tenant for course in courses]

    assert [tenant.certificates for tenant in tenants] == [[]] * len(tenants)
    assert [tenant.lists for tenant in tenants] == [{}] * len(tenants)
    assert [tenant.rules() for tenant in tenants] == [()] * len(tenants)


def test_with_old_reads_the_order_is_kept_and_nothing_uploaded_twice(courses: list[Course]) -> None:
    tenants = [course.tenant for course in courses]

    assert [disorder(tenant.history, window=TOLD) for tenant in tenants] == [[]] * len(tenants)
    assert [tenant.violations for tenant in tenants] == [[]] * len(tenants)
    assert [len(uploads(tenant.history)) for tenant in tenants] == [1] * len(tenants)


def hold_upload(tenant: Tenant, moment: Moment) -> None:
    """The tenant's upload stays on its way there, or its answer on its way back."""

    def upload(request: Request) -> bool:
        return tenant.sent(request) and request.method == "POST"

    tenant.world.held.hold(tenant.world.simulation.faults, upload, 0, moment)


def test_a_crash_after_an_upload_that_nobody_sees_yet_leads_to_no_second_one(world: World) -> None:
    tenant = Tenant.arrive(world)
    with old_reads(world, Consistency.everywhere(LONG_DELAY, Staleness.EXACT), LONG_TOLD):
        world.held.hold(
            world.simulation.faults, lambda request: tenant.sent(request) and request.method == "POST", 0, Moment.AFTER
        )
        tenant.apply(tenant.secret(), tenant.authority())
        until(lambda: world.held.names, "the upload is handled")

        world.crash()
        world.restart()
        tenant.wait_ready()

    assert len(uploads(tenant.history)) == 1
    assert tenant.get("mtlsca/partners")["status"]["certificateId"] == tenant.certificates[0].id


def test_an_upload_is_announced_in_the_status_before_it_is_sent(world: World) -> None:
    tenant = Tenant.arrive(world)
    world.held.hold(
        world.simulation.faults, lambda request: tenant.sent(request) and request.method == "POST", 0, Moment.BEFORE
    )
    tenant.apply(tenant.secret(), tenant.authority())
    until(lambda: world.held.names, "the upload is on its way")

    announced = tenant.get("mtlsca/partners")
    world.held.let_go()
    tenant.wait_ready()

    assert announced["status"]["pendingUpload"] == [tenant.ca.fingerprint]
    assert announced["metadata"]["finalizers"] == ["apishield-mtls.io/cleanup"]
    assert "pendingUpload" not in tenant.get("mtlsca/partners")["status"]
