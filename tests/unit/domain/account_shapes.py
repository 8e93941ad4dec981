"""What kinds of histories a simulated account can have, and the certificates that play in them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from mtls_operator.domain.certificates import Bundle, read_bundle
from mtls_operator.domain.marks import certificate_name
from mtls_operator.domain.records import ResourceKey
from tests.certificates import make_ca

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ONE, TWO, THREE = (read_bundle(make_ca(name, now=NOW).pem.encode(), NOW) for name in ("One", "Two", "Three"))
SINGLE = (ONE, TWO, THREE)
BUNDLES = (*SINGLE, *SINGLE, Bundle(ONE.certificates + TWO.certificates))
WINDOW = 90.0
US, OTHERS = "cluster-0", "cluster-1"
USER = ResourceKey("apps", "binding")


@dataclass(frozen=True)
class Shape:
    """What kind of history it is."""

    unique: str | None
    """Which uploads Cloudflare refuses because their certificates are there: of the same set, or of any of it."""
    picky: bool
    """Whether Cloudflare refuses uploads of more than one certificate."""
    adoptable: str | None
    """How a certificate is named that was there before, if one was."""
    lost: float
    deadly: float
    all_go: bool
    overlap: float
    side_by_side: bool

    @classmethod
    def drawn(cls, rng: random.Random) -> Shape:
        """Any kind of history."""
        by_others = certificate_name("theirs", ONE.fingerprint, OTHERS)
        return cls(
            unique=rng.choice([None, "same", "same", "any"]),
            picky=rng.random() < 0.1,
            adoptable=rng.choice([None, None, "uploaded by hand", by_others]),
            lost=rng.choice([0.0, 0.1, 0.3]),
            deadly=rng.choice([0.0, 0.05, 0.2]),
            all_go=rng.random() < 0.4,
            overlap=rng.choice([0.0, 200.0, 1000.0]),
            side_by_side=rng.random() < 0.3,
        )

    @property
    def takes_bundles(self) -> bool:
        return not self.picky and self.unique != "any"

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """What sources hold: nothing that Cloudflare refuses for ever."""
        return BUNDLES if self.takes_bundles else SINGLE
