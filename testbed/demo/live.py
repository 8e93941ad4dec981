"""The demo on a terminal: steps, resources, what Cloudflare holds and each call to it, all at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from testbed.demo.calls import Call
from testbed.demo.resources import Resource
from testbed.demo.styles import call_style, call_text, ready_style

SMALLEST = (90, 28)
"""Columns and lines below which everything together is unreadable."""
_STEP_LINES = 6
_RESOURCE_LINES = 7
_HOLDING_LINES = 9
_REFRESHES = 8
"""Per second."""
_READING_TIME = 1.5
"""Seconds that the last words of a step stay before the next step begins: for people, nothing waits on it."""
_TABLE_READING_TIME = 2.5
"""The same for a table."""


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    style: str = ""


class LiveScreen:
    """Draws again and again while its block runs; what stood there last stays on the terminal."""

    def __init__(self, console: Console) -> None:
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._step, self._number = "", 0
        self._read_at = 0.0
        self._table: tuple[str, ...] = ()
        self._said: deque[_Said] = deque(maxlen=_STEP_LINES - 2)
        self._resources: tuple[Resource, ...] = ()
        self._holdings: tuple[str, ...] = ()
        self._calls: deque[Call] = deque(maxlen=100)
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=_REFRESHES)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def step(self, title: str) -> None:
        time.sleep(max(0.0, self._read_at - time.monotonic()))
        with self._lock:
            self._step, self._number = title, self._number + 1
            self._said.clear()
            self._table = ()

    def command(self, text: str) -> None:
        self._add(_Said(f"$ {text}", "bold"))

    def say(self, text: str) -> None:
        self._add(_Said(text))

    def table(self, lines: tuple[str, ...]) -> None:
        with self._lock:
            self._table = lines
            self._read_at = time.monotonic() + _TABLE_READING_TIME

    def call(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def resources(self, resources: tuple[Resource, ...]) -> None:
        with self._lock:
            self._resources = resources

    def cloudflare(self, holdings: tuple[str, ...]) -> None:
        with self._lock:
            self._holdings = holdings

    def _add(self, said: _Said) -> None:
        with self._lock:
            self._said.append(said)
            self._read_at = time.monotonic() + _READING_TIME

    def _draw(self) -> RenderableType:
        with self._lock:
            elapsed = f"{time.monotonic() - self._begun:.0f} s"
            layout = Layout()
            layout.split_column(
                Layout(
                    Panel(_lines(self._said), title=f"{self._number}. {self._step}", subtitle=elapsed), size=_STEP_LINES
                ),
                Layout(Panel(self._resource_table(), title="Kubernetes: resources"), size=_RESOURCE_LINES),
                *self._cloudflare_panels(),
            )
            return layout

    def _cloudflare_panels(self) -> tuple[Layout, ...]:
        if self._table:
            # In place of both: it would not fit beside them on a terminal of usual height.
            return (Layout(Panel(_lines_of(self._table), title="Cloudflare: who gets through")),)
        return (
            Layout(Panel(_lines_of(self._holdings), title="Cloudflare: what is there"), size=_HOLDING_LINES),
            Layout(Panel(self._call_lines(), title="Cloudflare: calls")),
        )

    def _resource_table(self) -> RenderableType:
        table = Table(box=None, expand=True, pad_edge=False)
        for title in ("Resource", "Ready", "Reason"):
            table.add_column(title, no_wrap=True)
        table.add_column("Message", ratio=1)
        for resource in self._resources:
            name = f"{resource.kind} {resource.name}"
            table.add_row(name, resource.ready, resource.reason, resource.message, style=ready_style(resource))
        return table if self._resources else Text("none", style="dim")

    def _call_lines(self) -> RenderableType:
        # The newest first: what does not fit is cut off at the bottom.
        return _cut([Text(call_text(call), style=call_style(call)) for call in reversed(self._calls)])


def _lines(said: deque[_Said]) -> RenderableType:
    return _cut([Text(each.text, style=each.style) for each in said])


def _lines_of(lines: tuple[str, ...]) -> RenderableType:
    return _cut([Text(line) for line in lines])


def _cut(lines: list[Text]) -> RenderableType:
    """Below each other, each cut at the right edge."""
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
