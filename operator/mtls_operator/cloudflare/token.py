"""An API token that does not show itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# Header-safe: what RFC 6750 allows in a bearer token. Anything else would end in an error of the HTTP
# library that quotes the header, token and all.
_BEARER = re.compile(r"[A-Za-z0-9._~+/=-]+")
_SHOWN: Final = "ApiToken(***)"


class ApiToken:
    """A Cloudflare API token. Equal when the secret is equal; str and repr never show it.

    White space around it is dropped, because Secrets made with `echo` end in a newline. Raises ValueError,
    without the value, when it is empty or has characters that no token has.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        trimmed = secret.strip()
        if not _BEARER.fullmatch(trimmed):
            raise ValueError("not an API token: it is empty or has characters that no token has; store the token alone")
        self._secret = trimmed

    def reveal(self) -> str:
        """The secret itself: for the Authorization header and for redaction, nothing else."""
        return self._secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ApiToken) and self._secret == other._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return _SHOWN

    def __reduce__(self) -> str:
        raise TypeError("an API token is not pickled or copied: hand on the object itself")


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """What Cloudflare says about a token: `active`, `disabled` or `expired`, and when it ends (None: never)."""

    id: str
    status: str
    expires_on: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.status == "active"
