"""A hostname of the simulated edge, and who asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mtls_operator.domain.verification import Finding, HostForm, Refusal, interpret
from mtls_operator.outside.addresses import ANY, Directory, Place
from mtls_operator.outside.identities import Identity, imitated_by
from mtls_operator.outside.visits import Papers, Visitor
from testbed.cloudflare.edge.settings import EdgeSettings
from tests.contract.edge import clients
from tests.contract.edge.world import HOSTNAME, EdgeWorld, edge_world, guard_expression

PATIENCE = 10.0


@dataclass(frozen=True)
class Guarded:
    """`ours` is the CA that is associated with the hostname."""

    world: EdgeWorld
    ours: clients.Identity

    def close(self, expression: str = "", **more: object) -> str:
        """Make the rule that the operator makes, or one of another expression; its id."""
        self.world.trust(self.ours)
        return self.world.block(expression or guard_expression(HOSTNAME, self.ours), **more)

    def client(self, common_name: str = "client", serial: int | None = None) -> clients.Identity:
        """A client of the CA."""
        now, issuer = datetime.now(UTC), authority_key_identifier(self.ours)
        return clients.identity(common_name, self.ours, extensions=[(issuer, False)], serial=serial, now=now)

    def visitor(self) -> Visitor:
        """Who asks at this edge."""
        known = {ANY: Place("127.0.0.1", self.world.site.port)}
        return Visitor(Directory(allow_private=True, known=known), self.world.site.trusted, PATIENCE)

    async def findings(self, papers: Papers | None = None, refusal: Refusal | None = None) -> list[Finding]:
        """What is found of the hostname."""
        report = await self.visitor().visit([HOSTNAME], "/", papers or Papers())
        return [interpret(question, answer, [refusal or Refusal()]) for question, answer in report.answers]


def authority_key_identifier(issuer: clients.Identity) -> x509.AuthorityKeyIdentifier:
    """What a certificate says of its issuer's key."""
    return x509.AuthorityKeyIdentifier(bytes.fromhex(issuer.key_identifier), None, None)


def papers_of(good: clients.Identity, revoked: clients.Identity | None = None) -> Papers:
    """Papers with a good client, whose CA strangers imitate."""
    identity = identity_of(good)
    return Papers(imitated_by(identity.certificate), identity, identity_of(revoked) if revoked else None)


def identity_of(who: clients.Identity) -> Identity:
    """The client as the operator knows clients."""
    key = who.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(who.pem.encode(), key)


def effects(findings: list[Finding]) -> Mapping[str, str]:
    """What became of each client's request, by client and form of the name."""
    return {
        each.question.caller.name + ("" if each.question.form is HostForm.AS_BOUND else f" {each.question.host}"): (
            each.effect.value
        )
        for each in findings
    }


@contextmanager
def guarded_edge(settings: EdgeSettings | None = None) -> Iterator[Guarded]:
    """An edge of its own, open until somebody makes a rule."""
    with edge_world(settings) as world:
        yield Guarded(world, clients.authority("Ours", now=datetime.now(UTC)))
