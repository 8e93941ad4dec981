"""Where the demo is shown, and what one must be able to show."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from testbed.demo.calls import Call
from testbed.demo.resources import Resource


class Screen(Protocol):
    """Shows what happens while its block runs. Every method may be called from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step(self, title: str) -> None:
        """The next step begins."""

    def command(self, text: str) -> None:
        """A command is run that the user could have typed."""

    def say(self, text: str) -> None:
        """Something about the current step, on one line."""

    def table(self, lines: tuple[str, ...]) -> None:
        """What a command has printed for people to look at, until the next step."""

    def call(self, call: Call) -> None:
        """A call has reached Cloudflare."""

    def resources(self, resources: tuple[Resource, ...]) -> None:
        """Resources of the cluster have changed; these are all."""

    def cloudflare(self, holdings: tuple[str, ...]) -> None:
        """What Cloudflare holds may have changed; this is all, a line each."""
