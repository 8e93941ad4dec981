"""One handled request, with all that a judgement may rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from testbed.cloudflare.messages import Request
from testbed.cloudflare.monitor.actions import Action
from testbed.cloudflare.monitor.sightings import Sightings
from testbed.cloudflare.state import State

SENT_HEADER = "x-simulation-sent"
"""In which a simulated network tells when it took a request (Unix time) that it delivers late."""

Finding = tuple[int, str]
"""(number of the invariant in the design, what is wrong)."""
Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Patience:
    """How old a fact must be before an installation has to know it, in seconds."""

    window: float
    """The consistency window: how old a read can be."""

    @property
    def rival_claims(self) -> float:
        """For claims of another installation: two windows and a minute, the settle time of the sharing protocol."""
        return 2 * self.window + 60

    @property
    def facts(self) -> float:
        """For everything else: a read that began ten seconds ago may be as old as the window; five for the call."""
        return self.window + 15


@dataclass(frozen=True, slots=True)
class Case:
    """A request of the installation `owner`. `sightings` are those of the moment before the request."""

    request: Request
    action: Action | None
    owner: str
    before: State
    after: State
    now: float
    sightings: Sightings
    patience: Patience
    takeovers: Mapping[str, frozenset[str]]
    excused: frozenset[str] = frozenset()
    """Zones where somebody has lately taken away what installations rely on (`Monitor.excuse`)."""
    hears_of_arrivals: bool = True
    """Whether the caller has to know of hostnames that arrive where it has nothing (`Monitor`)."""

    @property
    def sent(self) -> float:
        """When the request was sent, where it was handled much later: the caller knew nothing of what it did since."""
        return float(self.request.headers.get(SENT_HEADER, self.now))

    @property
    def long_ago(self) -> float:
        """The time before which a claim of another installation had to be known to the caller."""
        return self.now - self.patience.rival_claims

    def known(self, since: float) -> bool:
        """Whether a fact that holds since then had to be known to the caller when it sent the request."""
        return since <= self.sent - self.patience.facts

    def is_own(self, owner: str | None) -> bool:
        """Whether marks of `owner` are the caller's, also by a takeover."""
        return owner is not None and (owner == self.owner or owner in self.takeovers.get(self.owner, frozenset()))
