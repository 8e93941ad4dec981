"""Durations and moments as Kubernetes objects write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ns": 1e-9}
_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|\u00b5s|\u03bcs|ns)")
_DURATION = re.compile(rf"\+?(?:{_TERM.pattern})+")


def parse_duration(text: str) -> timedelta:
    """Read Go's notation (`24h`, `1h30m`), which CEL's `duration()` and kubectl know too. Raises ValueError."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write it like 24h, 90m or 1h30m")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _TERM.findall(text)))


def format_duration(value: timedelta) -> str:
    """Write the shortest form in hours, minutes and seconds: `24h`, `1h30m`, `0s`."""
    seconds = round(value.total_seconds())
    terms = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in terms if number) or "0s"


@lru_cache(maxsize=4096)
def format_moment(value: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metav1.Time."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _whole_seconds(value: datetime) -> datetime:
    # Written and read back, a moment must equal itself, else each resync would see a change of status.
    return value.astimezone(UTC).replace(microsecond=0)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 32}),
]
Moment = Annotated[
    AwareDatetime,
    AfterValidator(_whole_seconds),
    PlainSerializer(format_moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
