"""What is well costs nothing: no call, no write, no event, no difference for GitOps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from testbed.kubelet import Pod
from tests.e2e.crashes import SET_UP, wait_for_history
from tests.e2e.resources import Manifest
from tests.e2e.story import told, writes
from tests.e2e.tenant import RESOURCES, Tenant
from tests.e2e.waiting import until
from tests.e2e.world import WINDOW, Handled, World

OURS = "apishield-mtls.io/cloudflare-mtls-operator"
CLIENT_SIDE: list[str] = []
SERVER_SIDE = ["--server-side", "--field-manager=argocd-controller"]


def versions(tenant: Tenant) -> dict[str, tuple[str, int]]:
    """What changes whenever anything, or the spec, of a resource changes."""
    return versions_of(items(tenant))


def versions_of(found: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """The same of these resources."""
    every = ((item["kind"], item["metadata"]) for item in found)
    return {
        f"{kind} {each['namespace']}/{each['name']}": (each["resourceVersion"], each["generation"])
        for kind, each in every
    }


def everybodys(world: World) -> list[dict[str, Any]]:
    """The CAs and bindings of all tenants, in whatever state their tests have left them."""
    listed = world.cluster.kubectl("get", RESOURCES, "--all-namespaces", "--output=json").stdout
    found: list[dict[str, Any]] = json.loads(listed)["items"]
    return found


def items(tenant: Tenant) -> list[dict[str, Any]]:
    """The tenant's CAs and bindings."""
    found: list[dict[str, Any]] = tenant.get(RESOURCES)["items"]
    return found


def event_names(tenant: Tenant) -> set[str]:
    return {event["metadata"]["name"] for event in tenant.events()}


def let_the_operator_work(world: World) -> None:
    """Another user's CA: what the operator had to do before, it has begun by then."""
    passer_by = Tenant.arrive(world)
    passer_by.apply(passer_by.secret(), passer_by.authority())
    passer_by.wait_ready()


def wait_for_silence(history: Callable[[], Sequence[Handled]]) -> None:
    """Until nothing has been asked for five windows: what is done a window after something else is done, too."""
    until(lambda: time.time() > history()[-1].entry.time + 5 * WINDOW, "the operator has nothing more to do")


def patches(world: World) -> float:
    """How many writes of our resources the API server has been asked for, also such as changed nothing."""
    metrics = world.cluster.kubectl("get", "--raw", "/metrics").stdout.splitlines()
    counted = (line for line in metrics if line.startswith("apiserver_request_total{"))
    ours = (line for line in counted if 'group="apishield-mtls.io"' in line and 'verb="PATCH"' in line)
    return sum(float(line.rsplit(" ", 1)[1]) for line in ours)


def test_the_set_up_of_one_binding_costs_exactly_the_calls_that_it_needs(tenant: Tenant) -> None:
    tenant.set_up("api")

    assert told(tenant.history) == list(SET_UP)


def test_the_set_up_of_ten_hostnames_costs_no_more_calls_than_that_of_one(tenant: Tenant) -> None:
    tenant.set_up(*(f"h{number}" for number in range(10)))

    assert told(tenant.history) == list(SET_UP)


@pytest.mark.parametrize("end", [Pod.stop, Pod.kill9], ids=["restart", "crash"])
def test_a_new_process_that_finds_all_well_reads_the_rules_at_most_twice_and_writes_nothing_anywhere(
    tenant: Tenant, end: Callable[[Pod], object]
) -> None:
    world = tenant.world
    tenant.set_up("api")
    wait_for_silence(lambda: tenant.history)
    begun, before = len(tenant.history), versions_of(everybodys(world))
    told_before, written = event_names(tenant), patches(world)

    end(world.pod)
    world.restart()
    wait_for_history(tenant, begun)
    wait_for_silence(lambda: world.history)

    # The second time a window after the start, when what the process before sent last must have come to light.
    assert told(tenant.history[begun:]) in (["read rules"], ["read rules"] * 2)
    assert versions_of(everybodys(world)) == before
    assert patches(world) == written
    assert event_names(tenant) == told_before


def test_a_stop_takes_effect_at_once_and_is_no_failure(world: World) -> None:
    begun = len(world.pod.log_text())

    exit_code = world.pod.stop()

    records = map(json.loads, world.pod.log_text()[begun:].splitlines())
    said = [each["message"] for each in records if each["logger"] == "mtls_operator.cli.run"]
    world.restart()
    assert exit_code == 0
    # The framework, where it keeps the signal for itself, waits seconds for what nobody has told to end.
    assert said == ["told to stop", "stopped; what is in force at Cloudflare stays in force"]


def test_the_writes_of_a_set_up_to_the_cluster_are_few(tenant: Tenant) -> None:
    before = patches(tenant.world)

    tenant.set_up("api")

    # Two finalizers, what is recorded before it is done, and what each status says on the way.
    assert 4 <= patches(tenant.world) - before <= 20


def another_key(tenant: Tenant) -> Manifest:
    return tenant.secret(**{"ca.crt": tenant.ca.pem, "note": "of no interest"})


def a_comment(tenant: Tenant) -> Manifest:
    return tenant.secret(**{"ca.crt": f"# partners, renewed by nobody\n{tenant.ca.pem}\n"})


def a_label(tenant: Tenant) -> Manifest:
    return {**tenant.secret(), "metadata": {**tenant.secret()["metadata"], "labels": {"of": "no-interest"}}}


def the_certificate_twice(tenant: Tenant) -> Manifest:
    return tenant.secret(**{"ca.crt": tenant.ca.pem * 2})


@pytest.mark.parametrize("change", [another_key, a_comment, a_label, the_certificate_twice])
def test_a_change_of_the_secret_that_means_nothing_costs_nothing(tenant: Tenant, change: Any) -> None:
    tenant.set_up("api")
    begun, before = len(tenant.history), versions(tenant)

    tenant.apply(change(tenant))
    let_the_operator_work(tenant.world)

    assert told(tenant.history[begun:]) == []
    assert versions(tenant) == before


def test_an_annotation_of_somebody_else_costs_nothing(tenant: Tenant) -> None:
    tenant.set_up("api")
    tenant.kubectl("annotate", RESOURCES, "--all", "example.com/of=no-interest")
    begun, before = len(tenant.history), versions(tenant)

    let_the_operator_work(tenant.world)

    assert told(tenant.history[begun:]) == []
    assert versions(tenant) == before


def test_a_second_binding_of_the_same_hostname_writes_nothing_to_cloudflare(tenant: Tenant) -> None:
    tenant.set_up("api")
    begun = len(tenant.history)

    tenant.apply(tenant.binding("api", name="second"))
    tenant.wait_ready("mtlshb/second")

    assert writes(tenant.history[begun:]) == []


@pytest.mark.parametrize("flags", [CLIENT_SIDE, SERVER_SIDE], ids=["client-side", "server-side"])
def test_applying_the_same_manifests_again_changes_nothing(tenant: Tenant, flags: list[str]) -> None:
    manifests = (tenant.secret(), tenant.authority(), tenant.binding("api", "login"))
    tenant.apply(*manifests, flags=flags)
    tenant.wait_ready()
    before = versions(tenant)

    tenant.apply(*manifests, flags=flags)
    let_the_operator_work(tenant.world)

    assert versions(tenant) == before
    assert {generation for _, generation in before.values()} == {1}


@pytest.mark.parametrize("flags", [CLIENT_SIDE, SERVER_SIDE], ids=["client-side", "server-side"])
def test_kubectl_diff_sees_no_difference_once_the_operator_has_worked(tenant: Tenant, flags: list[str]) -> None:
    manifests = (tenant.secret(), tenant.authority(), tenant.binding("api"))
    tenant.apply(*manifests, flags=flags)
    tenant.wait_ready()

    difference = tenant.diff(*manifests, flags=flags)

    assert difference == ""


def test_resources_carry_our_finalizer_and_nothing_of_the_framework(tenant: Tenant) -> None:
    tenant.set_up("api")

    metadata = [item["metadata"] for item in items(tenant)]

    assert [each["finalizers"] for each in metadata] == [["apishield-mtls.io/cleanup"]] * 2
    assert {name for each in metadata for name in each["annotations"]} == {
        "kubectl.kubernetes.io/last-applied-configuration"
    }
    assert {name for each in metadata for name in each.get("labels", {})} == set()


def test_a_refused_resource_carries_no_finalizer_and_goes_at_once(tenant: Tenant) -> None:
    tenant.apply(tenant.authority(), tenant.binding("api"))
    tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "SourceMissing")
    tenant.wait_condition("mtlshb/api", "ResolvedRefs", "False", "CertificateAuthorityNotReady")
    finalizers = [item["metadata"].get("finalizers", []) for item in items(tenant)]

    tenant.kubectl("delete", RESOURCES, "--all", "--timeout=30s")

    assert finalizers == [[], []]
    assert items(tenant) == []
    assert tenant.history == []


def test_every_event_is_under_our_own_name(tenant: Tenant) -> None:
    tenant.set_up("api")
    tenant.tear_down()

    events = tenant.events()

    assert {event["reportingComponent"] for event in events} == {OURS}
    assert {event["reportingInstance"][: len("cloudflare-mtls-operator-")] for event in events} == {
        "cloudflare-mtls-operator-"
    }
    assert {event["involvedObject"]["kind"] for event in events} == {"MtlsCertificateAuthority", "MtlsHostBinding"}


def test_a_set_up_and_a_tear_down_tell_their_story_in_events_once(tenant: Tenant) -> None:
    tenant.set_up("api")
    tenant.tear_down()

    reasons = sorted((event["involvedObject"]["name"], event["reason"]) for event in tenant.events())

    assert reasons == sorted(set(reasons))
    assert {("partners", "Uploaded"), ("api", "Associated"), ("api", "Enforced"), ("api", "Leaving")} <= set(reasons)


def test_the_api_server_never_refuses_the_operator_what_it_does(tenant: Tenant) -> None:
    tenant.set_up("api")
    tenant.apply(tenant.binding("login"))
    tenant.wait_ready()
    tenant.tear_down()

    refused = [line for line in tenant.world.pod.log_text().splitlines() if "orbidden" in line or "said 403" in line]

    assert refused == []
