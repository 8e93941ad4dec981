"""The log of all requests."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request and what became of it. `time` is Unix time in seconds.

    `status` is Cloudflare's answer, None when the request never got there. `delivered` is False when the answer was
    lost on its way back. The token appears by its label only.
    """

    index: int
    time: float
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    request_body: str
    status: int | None
    answer_body: str
    token_label: str
    delivered: bool = True

    def as_json(self) -> dict[str, object]:
        """The entry for the control API."""
        return asdict(self)

    def line(self) -> str:
        """The entry for a person, on one line."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        target = f"{self.path}?{query}" if query else self.path
        lost = "" if self.delivered else " (answer lost)"
        return f"{self.index:4d} {self.token_label} {self.method} {target} -> {self.status or 'cut'}{lost}"
