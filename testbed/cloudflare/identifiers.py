"""The two forms of Cloudflare's ids: 32 hex digits, and UUIDs for uploaded certificates."""

from __future__ import annotations

import random
import re

HEX = re.compile(r"[0-9a-f]{32}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Identifiers:
    """Draws ids from a seeded generator: the same seed gives the same ids in the same order."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def hexadecimal(self) -> str:
        """An id for rulesets, rules and tokens."""
        return f"{self._rng.getrandbits(128):032x}"

    def uuid(self) -> str:
        """An id for a certificate, with the version and variant digits of a random UUID (RFC 9562)."""
        digits = self.hexadecimal()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
