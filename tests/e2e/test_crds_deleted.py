"""Somebody deletes the CRDs while there are CAs and bindings: what these have at Cloudflare goes first.

A process whose kind is not served any more ends, as it would be deaf, and Kubernetes starts another one. That one waits
until both kinds are served, because nothing may be removed before everything has been listed (safety invariant 8).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from testbed.cloudflare.faults import AnswerStatus
from testbed.controlplane import ControlPlane
from tests.e2e.crd_installation import CRDS, install
from tests.e2e.story import disorder
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import PATIENCE, until
from tests.e2e.world import WINDOW, World, cloudflare, world_on

AUTHORITIES = "mtlscertificateauthorities.apishield-mtls.io"
BINDINGS = "mtlshostbindings.apishield-mtls.io"
UNLISTED = "cannot list the resources of the cluster"
_API_SERVERS_PATIENCE = 5 * PATIENCE
"""The API server looks for a minute whether all resources of a CRD are gone, and then begins anew after a pause."""


@pytest.fixture(scope="module")
def world_of_its_own(control_plane_programs: None) -> Iterator[World]:
    """A world in which nobody else needs the CRDs."""
    with cloudflare() as api, ControlPlane.start() as cluster, world_on(cluster, api) as world:
        yield world
        violations = [str(each) for each in world.simulation.monitor.finish()]
    assert not violations, "\n".join(violations)


@dataclass
class Course:
    """Two users one after the other, each of whom lost the CRDs, and what was seen meanwhile."""

    world: World
    first: Tenant
    second: Tenant
    exit_codes: list[int] = field(default_factory=list)
    unready: list[tuple[int, int]] = field(default_factory=list)
    """What a new process said of being alive and of being ready where a kind is not served."""
    left_first: list[object] = field(default_factory=list)
    left_meanwhile: list[object] = field(default_factory=list)
    stuck: dict[str, Any] = field(default_factory=dict)
    """The metadata of the CA whose bindings' CRD was gone before it."""

    def run(self) -> None:
        self.first.set_up("api", "login")
        self._served_until_all_is_gone()
        self._restart_without()
        install(self.world.cluster)
        self.world.pod.wait_until_ready()
        self.second.set_up("api", "login")
        self._served_until_the_bindings_are_gone()
        self._restart_without()
        self.world.cluster.kubectl("apply", "--filename", str(CRDS / f"{BINDINGS}.yaml"))
        self._wait_for_the_end_of(AUTHORITIES)

    def _served_until_all_is_gone(self) -> None:
        # Whether the one CRD is there for as long as the other is a matter of luck otherwise: they are looked at every
        # few seconds.
        self._finalizers(["e2e.example.com/until-the-other-is-gone"])
        self._delete()
        self._wait_for_the_end_of(AUTHORITIES)
        self._finalizers([])
        self._wait_for_the_end_of(BINDINGS)
        self.exit_codes.append(self._exit_code())
        self.left_first = left_at_cloudflare(self.first)

    def _served_until_the_bindings_are_gone(self) -> None:
        self.second.fault(AnswerStatus(503), method="DELETE", path="mtls_certificates", times=None)
        self._delete()
        self._wait_for_the_end_of(BINDINGS)
        self.exit_codes.append(self._exit_code())
        self.stuck = self.second.get("mtlsca/partners")["metadata"]
        self.left_meanwhile = left_at_cloudflare(self.second)
        self.world.simulation.faults.clear()

    def _delete(self) -> None:
        self.world.cluster.kubectl("delete", "crd", AUTHORITIES, BINDINGS, "--wait=false")

    def _finalizers(self, more: list[str]) -> None:
        """Of the bindings' CRD, besides the API server's own, which it takes off whenever it has finished."""
        until(lambda: self._is_patched(more), f"the finalizers of {BINDINGS} are {more}")

    def _is_patched(self, more: list[str]) -> bool:
        """False if somebody changed the CRD between the look at it and the patch."""
        found = json.loads(self.world.cluster.kubectl("get", "crd", BINDINGS, "--output=json").stdout)["metadata"]
        own = [each for each in found.get("finalizers", []) if "apiextensions.k8s.io" in each]
        patch = json.dumps({"metadata": {"finalizers": [*own, *more], "resourceVersion": found["resourceVersion"]}})
        done = self.world.cluster.kubectl("patch", "crd", BINDINGS, "--type=merge", f"--patch={patch}", check=False)
        return done.returncode == 0

    def _wait_for_the_end_of(self, crd: str) -> None:
        self.world.cluster.kubectl("wait", "--for=delete", f"crd/{crd}", f"--timeout={_API_SERVERS_PATIENCE:.0f}s")

    def _exit_code(self) -> int:
        """Of the process, which ends by itself."""
        until(lambda: self.world.pod.exit_code is not None, "the operator ends when a kind is not served any more")
        return self.world.pod.exit_code or 0

    def _restart_without(self) -> None:
        pod, begun = self.world.pod, len(self.world.pod.log_text())
        pod.restart()
        until(lambda: UNLISTED in pod.log_text()[begun:], "the operator says that it cannot list a kind")
        self.unready.append((status_of(pod.liveness_url), status_of(pod.readiness_url)))


def status_of(url: str) -> int:
    return httpx.get(url, trust_env=False).status_code


def left_at_cloudflare(tenant: Tenant) -> list[object]:
    """What there still is of the tenant's; certificates by the fingerprints of what is in them."""
    return [*({*each.fingerprints} for each in tenant.certificates), *tenant.lists.items(), *tenant.rules()]


@pytest.fixture(scope="module")
def course(world_of_its_own: World) -> Course:
    course = Course(world_of_its_own, Tenant.arrive(world_of_its_own), Tenant.arrive(world_of_its_own))
    course.run()
    return course


def test_what_was_made_at_cloudflare_goes_with_the_crds_and_in_order(course: Course) -> None:
    assert course.left_first == []
    assert disorder(course.first.history, window=WINDOW) == []


def test_a_process_that_has_gone_deaf_ends_with_an_error_and_is_not_ready_again_before_it_hears(course: Course) -> None:
    assert course.exit_codes == [1, 1]
    assert course.unready == [(200, 503), (200, 503)]


def test_a_ca_whose_bindings_kind_is_gone_stays_until_that_is_served_again_and_then_goes(course: Course) -> None:
    assert "deletionTimestamp" in course.stuck
    assert course.stuck["finalizers"] == ["apishield-mtls.io/cleanup"]
    assert course.left_meanwhile == [{course.second.ca.fingerprint}]
    assert left_at_cloudflare(course.second) == []
    assert disorder(course.second.history, window=WINDOW) == []
