"""A binding is checked over the network, from the operator's pod, at the edge of the simulated Cloudflare."""

from __future__ import annotations

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.server import EdgeServer
from tests.e2e.tenant import Tenant
from tests.e2e.world import World

CHECKED = {"interval": "1m"}


def test_a_binding_says_what_bad_clients_meet_at_the_edge(world: World) -> None:
    with EdgeServer(Edge(world.simulation)) as edge:
        verification = {
            "allowPrivateAddresses": True,
            "caBundle": edge.authority_pem,
            "connectTo": f"127.0.0.1:{edge.port}",
        }
        with world.configured({"verification": verification, "hostMatch": "Tolerant"}):
            tenant = Tenant.arrive(world)
            tenant.apply(tenant.secret(), tenant.authority(), tenant.binding("api", verification=CHECKED))
            tenant.wait_condition("mtlshb/api", "Verified", "True", "Verified")
            tenant.wait_ready()
            tenant.delete("mtlshb/api", "mtlsca/partners")
            tenant.wait_gone("mtlshb/api")


def test_a_hostname_that_leads_into_the_own_network_is_not_contacted(world: World) -> None:
    with world.configured({"verification": {"connectTo": "127.0.0.1:9"}}):
        tenant = Tenant.arrive(world)
        tenant.apply(tenant.secret(), tenant.authority(), tenant.binding("api", verification=CHECKED))
        tenant.wait_condition("mtlshb/api", "Verified", "Unknown", "VerificationRefused")
        tenant.wait_ready()
