"""A simulated Cloudflare with an edge: CAs are uploaded, hostnames associated and rules made by the official client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.in_memory import EdgeInMemory
from testbed.cloudflare.edge.request_fields import EdgeRequest
from testbed.cloudflare.edge.server import EdgeServer
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.settings import Settings
from tests.contract.cloudflare_simulation.world import ACCOUNT, PHASE, ZONE, World, make_world
from tests.contract.edge.clients import Identity, Site, client_context

HOSTNAME = "a.example.com"


@dataclass(frozen=True)
class EdgeWorld:
    """`site` is the edge as clients reach it, `memory` the same without sockets, and `edge` without TLS either."""

    cloudflare: World
    edge: Edge
    memory: EdgeInMemory
    site: Site

    def get(self, hostname: str, who: Identity | None = None, *, host: str | None = None) -> httpx.Response:
        """One GET of a client, by all three ways, which give the same; `host` is the Host header where it differs."""
        answer = self.site.get(hostname, who, host=host)
        in_memory = self.memory.ask(client_context(self.memory.authority_pem, who), hostname, host=host)
        without_tls = self.edge.visit(hostname, who.chain if who else (), request=EdgeRequest(host or hostname))
        assert (in_memory.status, in_memory.body) == (answer.status_code, answer.content)
        assert (without_tls.status, without_tls.body) == (answer.status_code, answer.text)
        return answer

    def trust(self, *authorities: Identity, hostname: str = HOSTNAME) -> str:
        """Upload CAs as one certificate and associate it with a hostname alone; its id."""
        pem = "".join(each.pem for each in authorities)
        created = self.cloudflare.client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=pem)
        assert created is not None
        assert created.id is not None
        self.cloudflare.associate(created.id, hostname)
        return created.id

    def block(self, expression: str, **more: object) -> str:
        """Somebody's rule that blocks, after all others; its id."""
        return self.rule(expression, "block", **more)

    def rule(self, expression: str, action: str, **more: object) -> str:
        """A rule after all others, made through the API; its id."""
        body = {"action": action, "expression": expression, **more}
        with self.cloudflare.raw() as client:
            if ZONE not in self.cloudflare.simulation.state.rulesets:
                created = {"name": "default", "kind": "zone", "phase": PHASE, "rules": []}
                client.post(f"/zones/{ZONE}/rulesets", json=created).raise_for_status()
            path = f"/zones/{ZONE}/rulesets/{self.cloudflare.ruleset.id}/rules"
            client.post(path, json=body).raise_for_status()
        return self.cloudflare.ruleset.rules[-1].id

    def guard(self, *pinned: Identity, hostname: str = HOSTNAME) -> str:
        """The rule that the operator writes for a hostname, pinned to issuers; without any: not pinned."""
        return self.block(guard_expression(hostname, *pinned))


def guard_expression(hostname: str, *pinned: Identity) -> str:
    """The expression that the operator writes for one hostname; without any issuer: not pinned."""
    return hosts_expression([hostname], pinned or None)


def hosts_expression(hostnames: Iterable[str], pinned: Iterable[Identity] | None) -> str:
    """The expression that the operator writes for hostnames with one policy."""
    verified = "cf.tls_client_auth.cert_verified"
    if pinned is not None:
        accepted = _quoted(each.key_identifier for each in pinned)
        verified = f"({verified} and cf.tls_client_auth.cert_issuer_ski in {{{accepted}}})"
    return f"(lower(http.host) in {{{_quoted(hostnames)}}} and not {verified})"


def _quoted(words: Iterable[str]) -> str:
    return " ".join(f'"{word}"' for word in sorted(words))


@contextmanager
def edge_world(settings: EdgeSettings | None = None) -> Iterator[EdgeWorld]:
    """A world of its own whose edge serves."""
    cloudflare = make_world(Settings(edge=settings or EdgeSettings()))
    edge = Edge(cloudflare.simulation)
    with EdgeServer(edge) as server:
        yield EdgeWorld(cloudflare, edge, EdgeInMemory(edge), Site(server.port, server.authority_pem))
