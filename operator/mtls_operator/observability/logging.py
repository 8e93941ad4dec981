"""Structured logs: one JSON object a line, or plain lines for people.

kopf reports each event that it hands on at INFO, and httpx each request; both say less than our own records,
so they speak from WARNING up.
"""

from __future__ import annotations

import logging
import sys
from typing import Final, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from mtls_operator.configuration import LoggingSettings
from mtls_operator.observability.redaction import Redaction, redaction_of_this_process

_CHATTY: Final = ("kopf", "httpx", "httpcore", "aiohttp", "asyncio", "kubernetes", "urllib3")

# kopf attaches its settings and a reference of the object to its records; the settings are pages long.
_OF_KOPF: Final = ("settings", "k8s_skip")

# What is in a record besides its extras; `asctime` and `message` are put there by the formatter itself.
_NO_EXTRAS: Final = frozenset({*RESERVED_ATTRS, *_OF_KOPF, "k8s_ref", "asctime", "message"})

_FIELDS: Final = ("levelname", "name", "message")
_NAMES: Final = {"levelname": "level", "name": "logger", "exc_info": "exception", "k8s_ref": "object"}


class RedactingJsonFormatter(JsonFormatter):
    """A JSON object a line: time (UTC, RFC 3339), level, logger, message, exception, and the record's extras."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__(
            _FIELDS,
            rename_fields=_NAMES,
            timestamp="time",
            reserved_attrs=(*RESERVED_ATTRS, *_OF_KOPF),
            json_ensure_ascii=False,
        )
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        return self._redaction.apply(super().format(record))


class RedactingPlainFormatter(logging.Formatter):
    """A line for people, with the record's extras as `name=value` behind it."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        extras = [f"{name}={value}" for name, value in vars(record).items() if name not in _NO_EXTRAS]
        first, *traceback = super().format(record).split("\n", 1)
        return self._redaction.apply("\n".join((" ".join((first, *extras)), *traceback)))


def configure_logging(settings: LoggingSettings, stream: TextIO | None = None) -> None:
    """Make the root logger write to `stream` (standard error when None), and nothing else."""
    redaction = redaction_of_this_process()
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    json_wanted = settings.format == "json"
    handler.setFormatter(RedactingJsonFormatter(redaction) if json_wanted else RedactingPlainFormatter(redaction))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
