"""What goes into the simulated Cloudflare and what comes out: requests and answers as values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it reaches Cloudflare.

    `path` begins with `/client/v4` and is percent-decoded. Header names are lower case.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter, None when it is absent."""
        return dict(self.query).get(name)

    @property
    def bearer(self) -> str | None:
        """The token of the Authorization header, None without one. A secret: never printed or logged."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
