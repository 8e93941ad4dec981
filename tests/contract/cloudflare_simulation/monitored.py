"""A monitored Cloudflare with two installations, `east` and `west`, that act through plain requests."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import httpx

from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.transport import SimulationTransport
from tests.certificates import Ca
from tests.contract.cloudflare_simulation.world import ACCOUNT, BASE_URL, ZONE, Clock, ca

WINDOW = 90.0
LONG = 2 * WINDOW + 61.0
"""Seconds after which an installation has to know a claim of another one."""
CLUSTER = "0b1f5e60-4f3c-4f0e-9f57-0d3c6d1d2a11"
CERTIFICATES = f"/accounts/{ACCOUNT}/mtls_certificates"
LIST = f"/zones/{ZONE}/certificate_authorities/hostname_associations"
RULESETS = f"/zones/{ZONE}/rulesets"
ROOT, OTHER_ROOT = ca("Root A"), ca("Root B")


def hosts(*hostnames: str) -> str:
    """The part of an expression that selects hostnames."""
    return "lower(http.host) in {" + " ".join(f'"{name}"' for name in sorted(hostnames)) + "}"


def pinned(*hostnames: str, issuers: tuple[str, ...] = (ROOT.key_identifier,)) -> str:
    """The expression of an enforcement rule."""
    accepted = " ".join(f'"{issuer}"' for issuer in issuers)
    verified = f"cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_issuer_ski in {{{accepted}}}"
    return f"({hosts(*hostnames)} and not ({verified}))"


@dataclass
class Caller:
    """Whoever sends requests with one token. `owner` is what its marks say, if it is an installation."""

    owner: str
    http: httpx.Client
    simulation: CloudflareSimulation

    def upload(self, authority: Ca = ROOT, *, name: str | None = None, **fields: Any) -> httpx.Response:
        """POST a certificate."""
        marked = f"demo 0123abcd (mtls-operator {self.owner})" if name is None else name
        body = {"ca": True, "certificates": authority.pem, "name": marked, **fields}
        return self.http.post(CERTIFICATES, json=body)

    def put(self, certificate_id: str, *hostnames: str) -> None:
        """PUT the whole list of a certificate."""
        body = {"hostnames": list(hostnames), "mtls_certificate_id": certificate_id}
        self.http.put(LIST, json=body).raise_for_status()

    def claim(self, state: str, certificate_id: str, *hostnames: str, rule: str | None = None, **other: Any) -> str:
        """Create or change a claim; the id of its rule."""
        body = {
            "ref": f"mtls_operator_{self.owner}_{state}_{certificate_id}",
            "action": "log",
            "enabled": False,
            "expression": f"({hosts(*hostnames)})",
            "description": f"mtls-operator/1 claim owner={self.owner} cluster={CLUSTER} state={state}"
            f" certs={certificate_id} aim=0123456789abcdef inforce=-",
            **other,
        }
        return self.write(body, rule)

    def enforce(self, *hostnames: str, rule: str | None = None, mark: str = "", **other: Any) -> str:
        """Create or change an enforcement rule, first in its zone; the id of the rule. `mark` follows its mark."""
        expression = pinned(*hostnames)
        body = {
            "ref": f"mtls_operator_{self.owner}_{hashlib.sha256(expression.encode()).hexdigest()[:8]}",
            "action": "block",
            "enabled": True,
            "expression": expression,
            "description": f"mtls-operator/1 enforce owner={self.owner} cluster={CLUSTER}{mark}",
            "position": {"before": ""},
            **other,
        }
        return self.write(body, rule)

    def write(self, body: dict[str, Any], rule: str | None = None) -> str:
        """Create a rule, with its ruleset where there is none, or change one; the id of the rule."""
        ruleset = self.simulation.state.rulesets.get(ZONE)
        if ruleset is None:
            body.pop("position", None)
            whole = {"name": "default", "kind": "zone", "phase": "http_request_firewall_custom", "rules": [body]}
            answer = self.http.post(RULESETS, json=whole)
        elif rule is None:
            answer = self.http.post(f"{RULESETS}/{ruleset.id}/rules", json=body)
        else:
            answer = self.http.patch(f"{RULESETS}/{ruleset.id}/rules/{rule}", json=body)
        rules = answer.raise_for_status().json()["result"]["rules"]
        return next(str(item["id"]) for item in rules if item["ref"] == body["ref"])

    def drop(self, rule: str) -> None:
        """DELETE a rule."""
        ruleset = self.simulation.state.rulesets[ZONE]
        self.http.delete(f"{RULESETS}/{ruleset.id}/rules/{rule}").raise_for_status()


@dataclass
class Monitored:
    """The world of these tests. `certificate` was uploaded by `east` long ago, of ROOT."""

    simulation: CloudflareSimulation
    monitor: Monitor
    clock: Clock
    certificate: str
    east: Caller
    west: Caller
    person: Caller
    given_up: dict[str, float]
    """Until when the user of any installation did not want a hostname enforced."""

    @property
    def violated(self) -> list[int]:
        """The numbers of the invariants that were violated so far."""
        return [violation.invariant for violation in self.monitor.violations]

    def wait(self, seconds: float = LONG) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def certificate_of(self, authority: Ca, *, owner: str = "east") -> str:
        """A certificate that an installation uploaded long ago; its id."""
        return self.simulation.add_certificate(ACCOUNT, authority.pem, name=f"demo 0123abcd (mtls-operator {owner})")

    def serve(self, *hostnames: str) -> None:
        """`east` holds hostnames on the list of the certificate and enforces nothing yet."""
        self.east.claim("held", self.certificate, *hostnames)
        self.east.put(self.certificate, *hostnames)


def make_monitored(monitor: Monitor | None = None) -> Monitored:
    """A world of its own."""
    clock, given_up = Clock(), dict[str, float]()
    watching = monitor or Monitor(window=WINDOW, given_up=lambda _owner, hostname: given_up.get(hostname, -math.inf))
    simulation = CloudflareSimulation(clock, monitor=watching)
    simulation.add_account(ACCOUNT)
    simulation.add_zone(ZONE, "example.com", ACCOUNT)
    callers = {name: _caller(simulation, clock, name) for name in ("east", "west", "person")}
    pem, name = ROOT.pem, "demo 0123abcd (mtls-operator east)"
    certificate = simulation.add_certificate(ACCOUNT, pem, name=name)
    return Monitored(simulation, watching, clock, certificate, given_up=given_up, **callers)


def _caller(simulation: CloudflareSimulation, clock: Clock, name: str) -> Caller:
    secret = f"token-of-{name}".ljust(40, "0")
    simulation.add_token(secret, owner=None if name == "person" else name, label=name)
    transport = SimulationTransport(simulation, clock.advance)
    http = httpx.Client(transport=transport, base_url=BASE_URL, headers={"authorization": f"Bearer {secret}"})
    return Caller(name, http, simulation)
