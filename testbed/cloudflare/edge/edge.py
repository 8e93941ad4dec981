"""The edge of one simulated Cloudflare: `visit` with its states, settings and clock."""

from __future__ import annotations

from testbed.cloudflare.edge import visit
from testbed.cloudflare.edge.request_fields import EdgeRequest
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.edge.verification import Chain
from testbed.cloudflare.edge.visit import Connection, Replica, Verdict
from testbed.cloudflare.simulation import CloudflareSimulation


class Edge:
    """Asks without sockets what would happen to a client at this moment of the simulation's clock.

    `settings` are the simulation's where they are left out; its delays must not be longer, for what is longer ago is
    forgotten.
    """

    def __init__(self, simulation: CloudflareSimulation, settings: EdgeSettings | None = None) -> None:
        self._simulation = simulation
        self.settings = settings or simulation.settings.edge

    def replica(self, *, lists_age: float | None = None, rules_age: float | None = None) -> Replica:
        """What a data centre knows whose lists and rules are that old, in seconds; absent: the delays of the settings.

        Different data centres are behind by different times, so a test of every instant asks several of them.
        """
        lists = self.settings.lists_delay if lists_age is None else lists_age
        rules = self.settings.rules_delay if rules_age is None else rules_age
        return Replica(self._simulation.past(lists), self._simulation.past(rules))

    def serves(self, server_name: str) -> bool:
        """Whether there is a zone, and so a server certificate, for a server name."""
        return visit.is_served(self.replica(), server_name)

    def connect(self, server_name: str, offered: Chain = (), *, known: Replica | None = None) -> Connection:
        """A handshake now, of a client that has the chain `offered`; `known`: of the data centre, absent: `replica`."""
        now = self._simulation.clock()
        return visit.open_connection(known or self.replica(), server_name, offered, self.settings, now)

    def answer(self, connection: Connection, request: EdgeRequest, *, known: Replica | None = None) -> Verdict:
        """A request now, on a connection that may be older."""
        now = self._simulation.clock()
        return visit.answer(known or self.replica(), connection, request, self.settings, now)

    def visit(
        self,
        hostname: str,
        offered: Chain = (),
        *,
        request: EdgeRequest | None = None,
        known: Replica | None = None,
    ) -> Verdict:
        """A new connection and one request on it; absent: GET / of the hostname."""
        known = known or self.replica()
        connection = self.connect(hostname, offered, known=known)
        return self.answer(connection, request or EdgeRequest(hostname), known=known)
