"""Hostnames: what lies inside a zone, and what a pattern of `allowedBindings` or `operatorCredentials` permits."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def is_hostname(text: str) -> bool:
    """Whether the text can be a hostname at all: what could end a quoted string in an expression cannot."""
    return _HOSTNAME.fullmatch(text) is not None


def is_inside_zone(hostname: str, zone_name: str) -> bool:
    """Whether the hostname is the zone's apex or below it."""
    return hostname == zone_name or hostname.endswith("." + zone_name)


def is_permitted(hostname: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns names the hostname. `*.` stands for one or more labels, not for the apex."""
    return any(_matches(hostname, pattern) for pattern in patterns)


def _matches(hostname: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return hostname.endswith(pattern[1:]) and len(hostname) > len(pattern) - 1
    return hostname == pattern
