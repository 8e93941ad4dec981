"""The demo as lines, for pipes and logs, and for terminals too small for more."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from testbed.demo.calls import Call
from testbed.demo.resources import Resource
from testbed.demo.styles import call_style, call_text, ready_style


class PlainScreen:
    """One line for each thing that happens, with the seconds since the beginning."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._known: dict[str, Resource] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def step(self, title: str) -> None:
        self._print(Text(f"== {title}", style="bold"))

    def command(self, text: str) -> None:
        self._print(Text(f"   $ {text}", style="bold"))

    def say(self, text: str) -> None:
        self._print(Text(f"   {text}"))

    def table(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            self.say(line)

    def call(self, call: Call) -> None:
        self._print(Text(f"   cloudflare  {call_text(call)}", style=call_style(call)))

    def resources(self, resources: tuple[Resource, ...]) -> None:
        now = {f"{resource.kind} {resource.name}": resource for resource in resources}
        with self._lock:
            before, self._known = self._known, now
        for title, resource in now.items():
            if resource != before.get(title):
                self._print(Text(f"   resource    {title}: {_state(resource)}", style=ready_style(resource)))
        for title in before.keys() - now.keys():
            self._print(Text(f"   resource    {title}: gone"))

    def cloudflare(self, holdings: tuple[str, ...]) -> None:
        """The calls tell it already."""

    def _print(self, line: Text) -> None:
        elapsed = Text(f"{time.monotonic() - self._begun:6.1f} s ", style="dim")
        with self._lock:
            self._console.print(elapsed + line, soft_wrap=True)


def _state(resource: Resource) -> str:
    deleting = " (being deleted)" if resource.deleting else ""
    return f"Ready={resource.ready} {resource.reason}{deleting}: {resource.message}"
