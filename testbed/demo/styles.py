"""How things look, on every screen."""

from __future__ import annotations

from testbed.demo.calls import Call
from testbed.demo.resources import Resource


def call_text(call: Call) -> str:
    """A call on one line: its number, its method, its meaning and what it is about."""
    entry = call.entry
    about = call.about if call.succeeded else f"answered with {entry.status or 'a broken connection'}"
    return f"{entry.index + 1:>3} {entry.method:<6} {call.meaning}: {about}"


def call_style(call: Call) -> str:
    """Writes stand out, reads stay back."""
    return "cyan" if call.writes else "dim"


def ready_style(resource: Resource) -> str:
    return "green" if resource.ready == "True" else "yellow"
