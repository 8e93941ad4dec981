"""The client against the simulated Cloudflare, in one process and on one clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mtls_operator.cloudflare import ApiToken, CloudflareClient, RateBudget, open_http
from mtls_operator.domain.observed import Certificate, RuleBody
from testbed.cloudflare.settings import Settings
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.transport import AsyncSimulationTransport

ACCOUNT: Final = "a" * 32
ZONE: Final = "b" * 32
HOST: Final = "api.example.com"
TOKEN: Final = "contract-test-token-0123456789"
OWNER: Final = "contract"


class Clock:
    """Unix time in seconds that a test moves; serves as the client's monotonic clock too."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def no_delay(seconds: float) -> None:
    """Delays of faults do not matter here."""


@dataclass
class World:
    """An account with one zone, and a client whose token may do everything unless a test takes another."""

    clock: Clock = field(default_factory=Clock)
    settings: Settings = field(default_factory=Settings)
    ca_limit: int = 5

    def __post_init__(self) -> None:
        self.cloudflare = CloudflareSimulation(self.clock, self.settings)
        self.cloudflare.add_account(ACCOUNT, ca_limit=self.ca_limit)
        self.cloudflare.add_zone(ZONE, "example.com", ACCOUNT)
        self.cloudflare.add_token(TOKEN, owner=OWNER)
        self.transport: httpx.AsyncBaseTransport = AsyncSimulationTransport(self.cloudflare, no_delay)
        self.client = self.client_with(TOKEN)

    def client_with(self, token: str) -> CloudflareClient:
        """A client with another token and a budget of its own."""
        return CloudflareClient(open_http(transport=self.transport), ApiToken(token), RateBudget(self.clock))

    def authority(self, name: str = "Test CA", days: int = 365) -> str:
        """The PEM of a new self-signed CA that is valid on this world's clock."""
        return authority_pem(name, datetime.fromtimestamp(self.clock.now, UTC), days)

    async def uploaded(self, pem: str | None = None) -> Certificate:
        """A CA that is there."""
        return await self.client.upload_certificate(ACCOUNT, name="ca", pem=pem or self.authority())


def authority_pem(name: str, now: datetime, days: int = 365) -> str:
    """A self-signed CA, ECDSA P-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def rule(ref: str, *, action: str = "log", enabled: bool = False, expression: str | None = None) -> RuleBody:
    """A rule for the zone's host."""
    return RuleBody(
        ref=ref,
        action=action,
        expression=expression or f'(lower(http.host) in {{"{HOST}"}})',
        description=f"contract {ref}",
        enabled=enabled,
    )
