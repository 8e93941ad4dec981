"""Every client at every hostname, a few at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from mtls_operator.domain.verification import Answer, Caller, Question, questions_about
from mtls_operator.outside.addresses import Directory
from mtls_operator.outside.contexts import UnusableIdentityError, client_context
from mtls_operator.outside.identities import Identity, Imitated, self_signed, stranger
from mtls_operator.outside.requests import ask

_AT_ONCE: Final = 4
"""Hostnames that are visited at the same time, each by one client after the other."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What clients come with, besides what they make for themselves."""

    imitated: Imitated = field(default_factory=Imitated)
    good: Identity | None = None
    revoked: Identity | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was answered to whom. `left_out`: why a client could not ask."""

    answers: tuple[tuple[Question, Answer], ...]
    left_out: Mapping[Caller, str] = field(default_factory=dict)


class Outside(Protocol):
    """Somebody who can ask for hostnames from outside."""

    async def visit(self, hostnames: Sequence[str], path: str, papers: Papers) -> Report:
        """Ask for each of the hostnames as each client. Never raises for what the other side does."""


@dataclass(frozen=True, repr=False)
class Visitor:
    """Asks over the network. `trusted`: the CAs (PEM) that servers are verified against; None: the system's.
    `patience`: seconds that an answer may take."""

    directory: Directory
    trusted: str | None
    patience: float
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def visit(self, hostnames: Sequence[str], path: str, papers: Papers) -> Report:
        """See `Outside`."""
        # Reading the system's CAs takes some ten milliseconds for each client.
        contexts, left_out = await asyncio.to_thread(_contexts, papers, self.trusted)
        visits = [self._visit_one(hostname, path, contexts) for hostname in hostnames]
        answers = [each for visit in await asyncio.gather(*visits) for each in visit]
        return Report(tuple(answers), left_out)

    async def _visit_one(
        self, hostname: str, path: str, contexts: Mapping[Caller, ssl.SSLContext]
    ) -> list[tuple[Question, Answer]]:
        async with self._slots:
            places = await self.directory.places_of(hostname)
            questions = questions_about(hostname, contexts.keys())
            if not isinstance(places, tuple):
                return [(question, places) for question in questions]
            return [
                (question, await ask(question, path, places, contexts[question.caller], self.patience))
                for question in questions
            ]


def _contexts(papers: Papers, trusted: str | None) -> tuple[dict[Caller, ssl.SSLContext], dict[Caller, str]]:
    identities = {
        Caller.WITHOUT: None,
        Caller.SELF_SIGNED: self_signed(),
        Caller.STRANGER: stranger(papers.imitated),
        **({Caller.REVOKED: papers.revoked} if papers.revoked else {}),
        **({Caller.GOOD: papers.good} if papers.good else {}),
    }
    contexts: dict[Caller, ssl.SSLContext] = {}
    left_out: dict[Caller, str] = {}
    for caller, identity in identities.items():
        try:
            contexts[caller] = client_context(identity, trusted)
        except UnusableIdentityError as error:
            left_out[caller] = str(error)
    return contexts, left_out
