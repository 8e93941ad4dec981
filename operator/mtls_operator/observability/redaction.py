"""Secrets made unreadable in everything that is logged.

A second line of defence: the first is that tokens and keys are never put into a message. It works on the
finished line, so that it sees exception texts and extra fields as well as messages.
"""

from __future__ import annotations

import base64
import re
from typing import Final

SHOWN_INSTEAD: Final = "***"

# Shorter ones would blot out ordinary words; no API token is that short.
_SHORTEST_SECRET: Final = 8

_PATTERNS: Final = (
    # A private key, in a text with real line ends or with escaped ones; whole, or cut off.
    (re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^\"]*?-----END [A-Z0-9 ]*PRIVATE KEY-----"), SHOWN_INSTEAD),
    (re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:[A-Za-z0-9+/=\s]|\\[nrt])*"), SHOWN_INSTEAD),
    # The same in base64, as Secrets hold it: it is the code of "-----BEGIN".
    (re.compile(r"LS0tLS1CRUdJT[A-Za-z0-9+/=]*"), SHOWN_INSTEAD),
    (re.compile(r"\b(bearer)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE), rf"\1 {SHOWN_INSTEAD}"),
    # Cloudflare's tokens of the newer form tell themselves by their prefix.
    (re.compile(r"\bcf(?:ut|at|k)_[A-Za-z0-9_-]{16,}"), SHOWN_INSTEAD),
)


class Redaction:
    """Replaces the secrets that were added, and what looks like one."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._registered: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """From now on this secret is unreadable, in plain and in base64. Very short ones are not taken."""
        if len(secret) < _SHORTEST_SECRET or secret in self._secrets:
            return
        self._secrets |= {secret, base64.b64encode(secret.encode()).decode()}
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._registered = re.compile("|".join(re.escape(known) for known in longest_first))

    def apply(self, text: str) -> str:
        """The text without secrets."""
        if self._registered is not None:
            text = self._registered.sub(SHOWN_INSTEAD, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


_OF_THIS_PROCESS: Final = Redaction()


def redact(secret: str) -> None:
    """Make a secret unreadable in the log of this process: call it for each token that is read."""
    _OF_THIS_PROCESS.add(secret)


def redaction_of_this_process() -> Redaction:
    """The secrets given to `redact`, for the log's formatters."""
    return _OF_THIS_PROCESS
