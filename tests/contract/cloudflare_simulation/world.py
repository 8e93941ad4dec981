"""The small world of these tests: two accounts, two zones, one token that may do everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import cloudflare
import httpx

from testbed.cloudflare.settings import Settings
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.state import Rule, Ruleset
from testbed.cloudflare.transport import SimulationTransport
from tests.certificates import Ca, KeyKind, make_ca

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ACCOUNT = "a" * 32
OTHER_ACCOUNT = "c" * 32
ZONE = "b" * 32
OTHER_ZONE = "d" * 32
PHASE: Final = "http_request_firewall_custom"
TOKEN = "everything-" + "0" * 29
BASE_URL = "http://cloudflare.test/client/v4"
HOST = '(lower(http.host) in {"a.example.com"})'


class Clock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        """Unix time in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass; also serves as `sleep`."""
        self.now += seconds


@dataclass(frozen=True)
class World:
    """A simulation, its clock, and the official client with the token that may do everything."""

    simulation: CloudflareSimulation
    clock: Clock
    client: cloudflare.Cloudflare

    def client_with(self, token: str) -> cloudflare.Cloudflare:
        """The official client with another token."""
        return sdk(self.simulation, token, self.clock.advance)

    def raw(self, token: str | None = TOKEN) -> httpx.Client:
        """A plain HTTP client, for what the official one would never send."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        transport = SimulationTransport(self.simulation, self.clock.advance)
        return httpx.Client(transport=transport, base_url=BASE_URL, headers=headers)

    def upload(self, ca: Ca, name: str = "") -> str:
        """Upload a CA to ACCOUNT with the official client; its id."""
        created = self.client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=ca.pem, name=name)
        assert created is not None
        assert created.id is not None
        return created.id

    def upload_several(self, number: int) -> None:
        """Upload so many CAs to ACCOUNT."""
        for each in range(number):
            self.upload(ca(f"Root number {each}"))

    def associate(self, certificate_id: str, *hostnames: str) -> None:
        """Replace the hostname list of a certificate in ZONE."""
        self.client.certificate_authorities.hostname_associations.update(
            zone_id=ZONE, hostnames=list(hostnames), mtls_certificate_id=certificate_id
        )

    def hostnames(self, certificate_id: str) -> list[str] | None:
        """The hostname list of a certificate in ZONE as the API shows it."""
        seen = self.client.certificate_authorities.hostname_associations.get(
            zone_id=ZONE, mtls_certificate_id=certificate_id
        )
        assert seen is not None
        return seen.hostnames

    @property
    def ruleset(self) -> Ruleset:
        """The custom ruleset of ZONE in truth."""
        return self.simulation.state.rulesets[ZONE]

    def foreign_rules(self, *refs: str) -> tuple[Rule, ...]:
        """Rules of somebody else in ZONE, in this order."""
        return tuple(self.simulation.add_foreign_rule(ZONE, expression=HOST, ref=ref) for ref in refs)

    def add_zones(self, number: int) -> None:
        """Add so many zones to ACCOUNT."""
        for each in range(number):
            self.simulation.add_zone(f"{each:032x}", f"z{each:02d}.example.net", ACCOUNT)

    def refs(self) -> list[str]:
        """The refs of the rules of ZONE in their order, in truth."""
        return [rule.ref for rule in self.ruleset.rules]


def sdk(simulation: CloudflareSimulation, token: str, sleep: Callable[[float], None]) -> cloudflare.Cloudflare:
    """Cloudflare's official client over a simulation in this process, without retries."""
    http = httpx.Client(transport=SimulationTransport(simulation, sleep))
    return cloudflare.Cloudflare(api_token=token, base_url=BASE_URL, http_client=http, max_retries=0)


def make_world(settings: Settings | None = None, seed: int = 0) -> World:
    """A world of its own."""
    clock = Clock()
    simulation = CloudflareSimulation(clock, settings, seed=seed)
    simulation.add_account(ACCOUNT)
    simulation.add_account(OTHER_ACCOUNT)
    simulation.add_zone(ZONE, "example.com", ACCOUNT)
    simulation.add_zone(OTHER_ZONE, "example.org", OTHER_ACCOUNT)
    simulation.add_token(TOKEN, label="everything")
    return World(simulation, clock, sdk(simulation, TOKEN, clock.advance))


def ca(common_name: str = "Root A", *, key: KeyKind = "ec", days: int = 3650) -> Ca:
    """A CA whose validity is counted from this world's time."""
    return make_ca(common_name, key=key, days=days, now=NOW)


def code(error: cloudflare.APIError) -> int | None:
    """The code of a refusal."""
    return error.errors[0].code


def pointer(error: cloudflare.APIError) -> str | None:
    """Where in the body a refusal saw the trouble."""
    source = error.errors[0].source
    return None if source is None else source.pointer
