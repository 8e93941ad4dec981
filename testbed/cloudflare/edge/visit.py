"""A client's connection to the edge and its requests, without a socket: states and times in, verdicts out.

    connection = open_connection(replica, "api.example.com", chain, settings, now)    the handshake
    verdict = answer(replica, connection, EdgeRequest("api.example.com"), settings, now)

The server name of the handshake decides whether a certificate is asked for and which CAs count; the Host header of each
request decides which zone's rules see it. Nothing makes the two the same: that is for rules to find out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from testbed.cloudflare.edge.certificate_fields import certificate_fields
from testbed.cloudflare.edge.firewall import Decision, Outcome, decide_by_address
from testbed.cloudflare.edge.hostnames import plain, zone_of
from testbed.cloudflare.edge.prepared_rules import prepared
from testbed.cloudflare.edge.request_fields import EdgeRequest, clock_fields, request_fields
from testbed.cloudflare.edge.settings import EdgeSettings, HostForm, OldConnections, Serials
from testbed.cloudflare.edge.trust import Trust, trust_in
from testbed.cloudflare.edge.verification import Chain, Verification, loaded, verify
from testbed.cloudflare.expressions import Values, typed
from testbed.cloudflare.state import State, Zone


@dataclass(frozen=True, slots=True)
class Replica:
    """What one of Cloudflare's data centres knows: lists and certificates of one moment, rules of another."""

    lists: State
    rules: State


@dataclass(frozen=True, slots=True)
class Connection:
    """What a handshake came to. `server_name` is plain; `chain` is empty when the client was not asked for a
    certificate (`trust.asks`), and when it had none. `trust` and `opened` (Unix time, seconds) are those of the moment
    when the client named the server."""

    server_name: str
    chain: Chain
    trust: Trust
    opened: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a request. `verification` is None where there was no certificate to verify."""

    decision: Decision
    verification: Verification | None
    status: int
    content_type: str
    body: str

    @property
    def passed(self) -> bool:
        """Whether the request got to the origin."""
        return self.decision.outcome is Outcome.PASSED


def is_served(replica: Replica, server_name: str) -> bool:
    """Whether there is a zone, and so a server certificate, for a server name."""
    return zone_of(replica.lists, plain(server_name)) is not None


def open_connection(
    replica: Replica, server_name: str, offered: Chain, settings: EdgeSettings, now: float
) -> Connection:
    """A handshake of a client that has the chain `offered`, which it sends only if it is asked."""
    hostname = plain(server_name)
    trust = trust_in(replica.lists, hostname, settings)
    return Connection(hostname, offered if trust.asks else (), trust, now)


def answer(
    replica: Replica, connection: Connection, request: EdgeRequest, settings: EdgeSettings, now: float
) -> Verdict:
    """What a request on a connection gets, now."""
    hostname = plain(request.authority)
    zone = zone_of(replica.rules, hostname)
    if zone is None:
        return Verdict(Decision(Outcome.NOT_SERVED), None, 409, "text/plain", "error code: 1001")
    verification = _verification(replica, connection, settings, now)
    decision = _decided(replica.rules, zone, connection, request, verification, settings=settings, now=now)
    return _answered(decision, verification if connection.chain else None, hostname)


def _decided(
    state: State,
    zone: Zone,
    connection: Connection,
    request: EdgeRequest,
    verification: Verification,
    *,
    settings: EdgeSettings,
    now: float,
) -> Decision:
    access_rules = (*state.access_rules.get(zone.id, ()), *state.access_rules.get(zone.account_id, ()))
    by_address = decide_by_address(access_rules, request.source)
    ruleset = state.rulesets.get(zone.id)
    if by_address is not None or ruleset is None:
        return by_address or Decision(Outcome.PASSED)
    certificate = _Certificate(connection.chain, verification, settings.serials, _revoked(connection, settings, now))

    def values() -> Values:
        return {
            **_request_values(request, zone, settings.host),
            **_certificate_values(certificate),
            **typed(clock_fields(now)),
        }

    return prepared(ruleset).decide((request, zone, settings.host, certificate), values)


@dataclass(frozen=True, slots=True)
class _Certificate:
    """All that the fields of a certificate come from."""

    chain: Chain
    verification: Verification
    serials: Serials
    revoked: bool


def _verification(replica: Replica, connection: Connection, settings: EdgeSettings, now: float) -> Verification:
    if settings.old_connections is OldConnections.AS_OPENED:
        trust, moment = connection.trust, connection.opened
    else:
        trust, moment = trust_in(replica.lists, connection.server_name, settings), now
    return verify(connection.chain, trust.authorities, moment, partial_chains=settings.partial_chains)


def _revoked(connection: Connection, settings: EdgeSettings, now: float) -> bool:
    """Only the Cloudflare-managed CA's certificates can be: nothing is known of others'."""
    if not connection.chain or settings.managed_ca not in connection.trust.authorities:
        return False
    managed = (settings.managed_ca or "",)
    if not verify(connection.chain, managed, now, partial_chains=settings.partial_chains).verified:
        return False
    return loaded(connection.chain[0]).serial_number in settings.managed_revoked


@lru_cache(maxsize=4096)
def _request_values(request: EdgeRequest, zone: Zone, form: HostForm) -> Values:
    return typed(request_fields(request, zone, form))


@lru_cache(maxsize=4096)
def _certificate_values(of: _Certificate) -> Values:
    return typed(certificate_fields(of.chain, of.verification, of.serials, revoked=of.revoked))


def _answered(decision: Decision, verification: Verification | None, hostname: str) -> Verdict:
    if decision.outcome is Outcome.PASSED:
        return Verdict(decision, verification, 200, "text/plain", f"the origin of {hostname}\n")
    if decision.outcome is Outcome.CHALLENGED:
        return Verdict(decision, verification, 403, "text/html", "<title>Just a moment...</title>")
    if decision.response is None:
        return Verdict(decision, verification, 403, "text/plain", "error code: 1020")
    given = decision.response
    return Verdict(
        decision, verification, int(str(given["status_code"])), str(given["content_type"]), str(given["content"])
    )
