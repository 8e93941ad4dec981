"""With the chart's permissions the operator can do its work, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

import pytest

from testbed.controlplane import ControlPlane
from tests.e2e.chart_release import RELEASE, install

RELEASE_NAMESPACE: Final = "operator"
OTHER_NAMESPACE: Final = "team-a"
TOKEN: Final = "cloudflare-api-token"
OF_RELEASE: Final = {"cloudflare": {"token": {"existingSecret": {"name": TOKEN}}}}
NARROW_NAMESPACE: Final = "narrow"
NARROW: Final = {
    **OF_RELEASE,
    "fullnameOverride": "narrow",
    "crds": {"enabled": False},
    "rbac": {"secretNames": ["partners-ca"], "configMapNames": ["trust"]},
}

KINDS = ("mtlscertificateauthorities.apishield-mtls.io", "mtlshostbindings.apishield-mtls.io")
STATUSES = tuple(f"{kind} --subresource=status" for kind in KINDS)
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")
EVERY = (*READ, *WRITE)

ALLOWED = [
    *product(READ, (*KINDS, "namespaces", "secrets", "configmaps")),
    *product(("patch",), (*KINDS, *STATUSES)),
    *product(("create", "patch"), ("events.events.k8s.io",)),
]
FORBIDDEN = [
    *product(("create", "update", "delete", "deletecollection"), KINDS),
    *product(("get", "update"), STATUSES),
    *product(WRITE, ("secrets", "configmaps", "namespaces")),
    *product((*READ, "update", "delete", "deletecollection"), ("events.events.k8s.io",)),
    *product(EVERY, ("events", "pods", "nodes", "deployments.apps", "customresourcedefinitions.apiextensions.k8s.io")),
    *product(("get", "create"), ("pods --subresource=exec", "pods --subresource=log", "nodes --subresource=proxy")),
    *product(EVERY, ("clusterroles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io")),
    *product(("escalate", "bind"), ("clusterroles.rbac.authorization.k8s.io", "roles.rbac.authorization.k8s.io")),
    *product(("impersonate",), ("users", "groups", "serviceaccounts", "uids.authentication.k8s.io")),
    *product(("get", "create"), ("serviceaccounts", "serviceaccounts --subresource=token")),
    *product(("get", "create", "update"), ("leases.coordination.k8s.io",)),
    *product(("create", "approve", "sign"), ("certificatesigningrequests.certificates.k8s.io",)),
    *product(("create", "update"), ("validatingwebhookconfigurations.admissionregistration.k8s.io",)),
    *product(("patch", "update"), ("namespaces --subresource=finalize", "deployments.apps --subresource=scale")),
    *product(("get",), ("/metrics", "/logs", "/debug/pprof")),
    *product(("*",), ("*", "secrets", *KINDS)),
]


class Rule(NamedTuple):
    """A line of `kubectl auth can-i --list`."""

    what: str
    names: str
    verbs: frozenset[str]


@pytest.fixture(scope="module")
def plane(control_plane_programs: None) -> Iterator[ControlPlane]:
    """A control plane of its own with the chart in it twice: with any name allowed, and with a few."""
    with ControlPlane.start() as plane:
        for namespace in (RELEASE_NAMESPACE, OTHER_NAMESPACE, NARROW_NAMESPACE):
            plane.kubectl("create", "namespace", namespace)
        install(plane, RELEASE_NAMESPACE, OF_RELEASE)
        install(plane, NARROW_NAMESPACE, NARROW)
        yield plane


def can(
    plane: ControlPlane, verb: str, what: str, namespace: str, *, account: str = f"{RELEASE_NAMESPACE}:{RELEASE}"
) -> str:
    """The answer of `kubectl auth can-i` for a service account: yes or no."""
    whom = f"--as=system:serviceaccount:{account}"
    question = (verb, *what.split(), *(() if what.startswith("/") else ("--namespace", namespace)))
    return plane.kubectl("auth", "can-i", *question, whom, check=False).stdout.strip()


def can_narrow(plane: ControlPlane, verb: str, what: str, namespace: str) -> str:
    """The same for the release that is allowed a few names only."""
    return can(plane, verb, what, namespace, account=f"{NARROW_NAMESPACE}:narrow")


def rules(plane: ControlPlane, namespace: str, account: str) -> set[Rule]:
    """All that a service account may do in a namespace and in the cluster, by `kubectl auth can-i --list`."""
    whom = f"--as=system:serviceaccount:{account}"
    header, *lines = plane.kubectl("auth", "can-i", "--list", "--namespace", namespace, whom).stdout.splitlines()
    starts = [header.index(title) for title in ("Resources", "Non-Resource", "Resource Names", "Verbs")]
    bounds = [*zip(starts, [*starts[1:], None], strict=True)]
    cells = ([line[start:end].strip() for start, end in bounds] for line in lines)
    return {
        Rule(resource or urls, names, frozenset(verbs.strip("[]").split())) for resource, urls, names, verbs in cells
    }


def granted(plane: ControlPlane, namespace: str, account: str) -> set[Rule]:
    """What the account may do beyond what Kubernetes gives to each."""
    return rules(plane, namespace, account) - rules(plane, namespace, f"{OTHER_NAMESPACE}:somebody")


@pytest.mark.parametrize(("verb", "what"), ALLOWED)
def test_the_operator_can_do_its_work_in_every_namespace(plane: ControlPlane, verb: str, what: str) -> None:
    assert can(plane, verb, what, OTHER_NAMESPACE) == "yes"


@pytest.mark.parametrize(("verb", "what"), FORBIDDEN)
def test_the_operator_can_do_nothing_else(plane: ControlPlane, verb: str, what: str) -> None:
    assert can(plane, verb, what, RELEASE_NAMESPACE) == "no"


EVERYWHERE = {
    *(Rule(kind, "[]", frozenset({*READ, "patch"})) for kind in KINDS),
    *(Rule(f"{kind}/status", "[]", frozenset({"patch"})) for kind in KINDS),
    Rule("events.events.k8s.io", "[]", frozenset({"create", "patch"})),
    Rule("namespaces", "[]", frozenset(READ)),
}
ANY_NAME = {Rule("secrets", "[]", frozenset(READ)), Rule("configmaps", "[]", frozenset(READ))}
FEW_NAMES = {Rule("secrets", "[partners-ca]", frozenset(READ)), Rule("configmaps", "[trust]", frozenset(READ))}
OWN_TOKEN = {Rule("secrets", f"[{TOKEN}]", frozenset(READ))}


@pytest.mark.parametrize(
    ("account", "namespace", "expected"),
    [
        (f"{RELEASE_NAMESPACE}:{RELEASE}", OTHER_NAMESPACE, EVERYWHERE | ANY_NAME),
        (f"{RELEASE_NAMESPACE}:{RELEASE}", RELEASE_NAMESPACE, EVERYWHERE | ANY_NAME | OWN_TOKEN),
        (f"{NARROW_NAMESPACE}:narrow", OTHER_NAMESPACE, EVERYWHERE | FEW_NAMES),
        (f"{NARROW_NAMESPACE}:narrow", NARROW_NAMESPACE, EVERYWHERE | FEW_NAMES | OWN_TOKEN),
    ],
)
def test_the_list_of_permissions_is_exactly_the_documented_one(
    plane: ControlPlane, account: str, namespace: str, expected: set[Rule]
) -> None:
    assert granted(plane, namespace, account) == expected


@pytest.mark.parametrize("verb", READ)
@pytest.mark.parametrize("what", ["secrets/partners-ca", "configmaps/trust"])
def test_names_in_the_values_can_be_read_in_every_namespace(plane: ControlPlane, verb: str, what: str) -> None:
    assert can_narrow(plane, verb, what, OTHER_NAMESPACE) == "yes"


@pytest.mark.parametrize("verb", READ)
@pytest.mark.parametrize("what", ["secrets", "configmaps", "secrets/another", "configmaps/another", f"secrets/{TOKEN}"])
def test_other_names_cannot_be_read_where_the_values_list_some(plane: ControlPlane, verb: str, what: str) -> None:
    assert can_narrow(plane, verb, what, OTHER_NAMESPACE) == "no"


@pytest.mark.parametrize("verb", READ)
def test_the_operators_own_token_can_be_read_whatever_names_are_listed(plane: ControlPlane, verb: str) -> None:
    assert can_narrow(plane, verb, f"secrets/{TOKEN}", NARROW_NAMESPACE) == "yes"


def test_a_listed_secret_can_be_watched_by_its_name_with_the_accounts_own_token(plane: ControlPlane) -> None:
    plane.kubectl("create", "secret", "generic", "partners-ca", "--namespace", OTHER_NAMESPACE)
    account = plane.kubeconfig_for("narrow", NARROW_NAMESPACE)
    watch = "/api/v1/namespaces/team-a/secrets?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3D"

    listed = plane.kubectl("get", "--raw", f"{watch}partners-ca", kubeconfig=account)
    refused = plane.kubectl("get", "--raw", f"{watch}another", kubeconfig=account, check=False)

    assert '"name":"partners-ca"' in listed.stdout
    assert "forbidden" in refused.stderr.lower()
