"""Somebody who asks the simulated edge without sockets, so that it can be done in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mtls_operator.domain.verification import Answer, Answered, Caller, Question, questions_about
from mtls_operator.outside.identities import Identity, self_signed, stranger
from mtls_operator.outside.visits import Papers, Report
from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.request_fields import EdgeRequest
from testbed.cloudflare.edge.verification import Chain


@dataclass
class EdgeVisitor:
    """`visits` are the hostnames of each visit so far. A visit takes `seconds`. `instead`: what everybody is answered
    instead of what the edge says. `cannot_bear`: a hostname with which every visit ends in a defect."""

    edge: Edge
    seconds: float = 1.0
    instead: Answer | None = None
    cannot_bear: str | None = None
    visits: list[tuple[str, ...]] = field(default_factory=list)
    papers: list[Papers] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def visit(self, hostnames: Sequence[str], path: str, papers: Papers) -> Report:
        """See `Outside`."""
        self.visits.append(tuple(hostnames))
        self.papers.append(papers)
        if self.cannot_bear in hostnames:
            raise RuntimeError("a defect")
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        identities: dict[Caller, Identity | None] = {
            Caller.WITHOUT: None,
            Caller.SELF_SIGNED: self_signed(),
            Caller.STRANGER: stranger(papers.imitated),
        }
        if papers.good is not None:
            identities[Caller.GOOD] = papers.good
        questions = [each for hostname in hostnames for each in questions_about(hostname, identities.keys())]
        return Report(tuple((each, self._ask(each, path, identities[each.caller])) for each in questions))

    def _ask(self, question: Question, path: str, identity: Identity | None) -> Answer:
        if self.instead is not None:
            return self.instead
        connection = self.edge.connect(question.hostname, _chain(identity))
        answer = self.edge.answer(connection, EdgeRequest(host=question.host, target=path))
        return Answered(answer.status, answer.content_type)


def _chain(identity: Identity | None) -> Chain:
    if identity is None:
        return ()
    return tuple(each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(identity.certificate))
