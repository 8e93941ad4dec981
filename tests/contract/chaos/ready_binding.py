"""A world with one binding that is Ready and whose operator is dead, and what is done in it behind its back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from testbed.chaos.acts import ApplyAuthority, ApplyBinding
from testbed.chaos.authorities import key_identifiers
from testbed.chaos.ending import converge
from testbed.chaos.secret_acts import ChangeSource
from testbed.chaos.world import BINDING, CA, RELEASE, ZONES, Body, Setting, World, is_ready
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.messages import Request
from testbed.cloudflare.monitor.marks import Enforcement, read_mark
from testbed.cloudflare.state import Rule
from testbed.cluster.objects import ObjectKey
from tests.virtual_time import until

Query = tuple[tuple[str, str], ...]
BOUND: Final = ObjectKey(BINDING, "shop", "one")
ZONE: Final = ZONES["example.com"]
API: Final = "api.example.com"
BINDING_TO_RED: Final = ApplyBinding(
    at=0,
    namespace="shop",
    name="one",
    bundle="red",
    authority_namespace="shop",
    zone="example.com",
    hostnames=(API,),
)
PROMPT: Final = EdgeSettings()
NOBODY: Final = f"{API} of Ready binding shop/one of cluster-a was open to a client without a certificate"
OF_RED: Final = f"{API} of Ready binding shop/one of cluster-a was closed to a client of 'Red'"


async def set_up(edge: EdgeSettings = PROMPT, enforcement: Body | None = None, **setting: Any) -> World:
    """A world in which one binding is Ready, and whose operator is dead."""
    world = World.begin(Setting(seed=1, edge=edge, **setting))
    world.run_operator(world.sites[0])
    ApplyAuthority(at=0, namespace="shop", bundle="red").perform(world)
    BINDING_TO_RED.perform(world)
    if enforcement:
        users = world.sites[0].cluster.users
        users.edit(BINDING, "shop", "one", lambda body: body["spec"].update(enforcement=enforcement))
    assert await converge(world) == []
    world.kill_operator(world.sites[0])
    assert is_ready(world.sites[0].cluster.store.get(BOUND))
    return world


async def rotate(world: World, *, so_far: Callable[[Body, Body], bool] | None) -> None:
    """An operator takes another source in, and dies when CA and binding are so far; None: it goes on."""
    site = world.sites[0]
    ChangeSource(at=0, namespace="shop", bundle="red", version=1).perform(world)
    world.run_operator(site)
    if so_far is not None:
        store = site.cluster.store
        await until(lambda: so_far(store.get(ObjectKey(CA, "shop", "red")), store.get(BOUND)))
        world.kill_operator(site)


def widened(authority: Body, binding: Body) -> bool:
    """The binding says Ready with both objects, but the CA does not say yet that the new one is in force."""
    return _phase(authority) == "Widening" and is_ready(binding) and len(binding["status"]["managed"]) > 1


def moving(_authority: Body, binding: Body) -> bool:
    """The binding has both objects recorded, and is not Ready with them yet."""
    return not is_ready(binding) and len(binding["status"]["managed"]) > 1


def overlapping(authority: Body, binding: Body) -> bool:
    """Both CAs are in force, and both resources say so."""
    return _phase(authority) == "Overlap" and is_ready(binding)


def _phase(authority: Body) -> object:
    return authority["status"].get("rotation", {}).get("phase")


def cover_from_elsewhere(world: World) -> None:
    """Another installation makes its own rule for the hostname, which accepts the second version of the bundle."""
    rule = enforcement_rule(world)
    theirs = {**definition(rule), "ref": "mtls_operator_theirs", "expression": pinned(key_identifiers("red", 1))}
    theirs["description"] = rule.description.replace("cluster-a", "cluster-b")
    call(world, "POST", rules_path(world), theirs, site=1)


def accept(world: World, *versions: int) -> None:
    """The rule accepts clients of these versions of the bundle, and of no other."""
    rewrite(world, pinned(frozenset().union(*(key_identifiers("red", each) for each in versions))))


def pinned(issuers: frozenset[str]) -> str:
    """The expression of a rule that lets clients of these issuers through to the hostname."""
    accepted = " ".join(f'"{each}"' for each in sorted(issuers))
    return (
        f'(lower(http.host) in {{"{API}"}} and not (cf.tls_client_auth.cert_verified'
        f" and cf.tls_client_auth.cert_issuer_ski in {{{accepted}}}))"
    )


def rewrite(world: World, expression: str) -> None:
    """The rule that enforces has another expression."""
    rule = enforcement_rule(world)
    call(world, "PATCH", path_of(world, rule), {**definition(rule), "expression": expression})


def associate(world: World, certificate: str | None, *hostnames: str) -> None:
    """These are the hostnames of a certificate, and no others."""
    body = {"mtls_certificate_id": certificate, "hostnames": hostnames}
    call(world, "PUT", f"/client/v4/zones/{ZONE}/certificate_authorities/hostname_associations", body)


def say(world: World, status: Body) -> None:
    """The binding has another status, whoever wrote it."""
    world.sites[0].cluster.store.update_status(BOUND, lambda body: {**body, "status": status})


def call(
    world: World, method: str, path: str, body: Body | None = None, *, site: int = 0, query: Query = (), told: int = 200
) -> None:
    """As an installation, whose operator does not know of it."""
    headers = {"authorization": f"Bearer {world.sites[site].tokens[RELEASE]}", "content-type": "application/json"}
    answer = world.cloudflare.handle(Request(method, path, query, headers, json.dumps(body).encode() if body else b""))
    assert answer.status == told, answer.body


def enforcement_rule(world: World) -> Rule:
    """The rule that enforces."""
    return next(
        each for each in world.cloudflare.state.rulesets[ZONE].rules if isinstance(read_mark(each), Enforcement)
    )


def definition(rule: Rule) -> Body:
    """A rule as a request writes it."""
    return {
        "ref": rule.ref,
        "action": rule.action,
        "expression": rule.expression,
        "description": rule.description,
        "enabled": rule.enabled,
    }


def rules_path(world: World) -> str:
    """Where rules of the zone are created."""
    return f"/client/v4/zones/{ZONE}/rulesets/{world.cloudflare.state.rulesets[ZONE].id}/rules"


def path_of(world: World, rule: Rule) -> str:
    """Where a rule is changed."""
    return f"{rules_path(world)}/{rule.id}"
