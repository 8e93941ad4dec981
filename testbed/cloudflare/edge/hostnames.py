"""Whose zone a hostname is in, and what `http.host` shows of it."""

from __future__ import annotations

import re
from functools import lru_cache

from testbed.cloudflare.edge.settings import HostForm
from testbed.cloudflare.state import State, Zone

_HOST = re.compile(r"(?P<name>.*?)(?P<dot>\.?)(?P<port>:[0-9]*)?", re.DOTALL)


def plain(host: str) -> str:
    """The hostname that a Host header or a server name means: lower case, without port and without a dot at its end."""
    return shown(host, HostForm(case=False, port=False, dot=False))


@lru_cache(maxsize=4096)
def shown(host: str, form: HostForm) -> str:
    """`http.host` of a Host header."""
    found = _HOST.fullmatch(host)
    if found is None:
        return host
    name, dot, port = found["name"], found["dot"], found["port"] or ""
    return f"{name if form.case else name.lower()}{dot if form.dot else ''}{port if form.port else ''}"


def zone_of(state: State, hostname: str) -> Zone | None:
    """The zone that serves a plain hostname, the most specific one; None when there is none."""
    serving = (zone for zone in state.zones.values() if hostname == zone.name or hostname.endswith(f".{zone.name}"))
    return max(serving, key=lambda zone: len(zone.name), default=None)
