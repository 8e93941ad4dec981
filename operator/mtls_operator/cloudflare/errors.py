"""Everything that can go wrong between us and Cloudflare.

    CloudflareError
    ├── Unreachable          no answer: connection, TLS, time-out       wait, decide again
    │   └── NotSent          held back by our own circuit               wait `retry_after`
    ├── MalformedAnswer      an answer that is not Cloudflare's         wait, decide again
    ├── ServerFault          5xx and 408                                wait, decide again
    ├── RateLimited          429, or held back by our own budget        wait `retry_after`
    ├── Unauthorized         the token is invalid, expired or revoked   ask the user
    ├── PermissionDenied     403: the token lacks a permission          a fresh token: wait; else ask the user
    ├── NotFound             404 in Cloudflare's envelope               decide again from what is there
    ├── AlreadyExists        the same thing is there already            read it, use it
    ├── CertificateInUse     DELETE of a certificate refused as in use  wait for the associations to vanish
    ├── QuotaExceeded        no place for another one                   free one, or ask the user
    ├── AmbiguousZone        several zones carry the name               ask the user
    └── Rejected             any other refusal                          correct the request, or give up

No error is retried by the client. `answer_lost` says that a write may have been carried out although
we have no answer for it, so the next decision needs fresh facts. Nothing here ever holds the token or
the body of a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Complaint:
    """One entry of the envelope's `errors`: Cloudflare's own code and words, cleaned of secrets."""

    code: int
    message: str

    def __str__(self) -> str:
        return f"{self.message} (code {self.code})"


class CloudflareError(Exception):
    """A call failed.

    `subject` is method and path, `happened` what became of the call. `retry_after` is the number of
    seconds that Cloudflare asks us to wait, None where it does not say. `answer_lost` is true when the
    request may have been carried out all the same.
    """

    advice: ClassVar[str] = "Decide again from fresh facts."

    def __init__(
        self,
        subject: str,
        happened: str,
        *,
        status: int | None = None,
        complaints: Sequence[Complaint] = (),
        retry_after: float | None = None,
        answer_lost: bool = False,
    ) -> None:
        self.subject = subject
        self.happened = happened
        self.status = status
        self.complaints = tuple(complaints)
        self.retry_after = retry_after
        self.answer_lost = answer_lost
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        said = "; ".join(str(complaint) for complaint in self.complaints)
        lost = " The request may have been carried out." if self.answer_lost else ""
        words = f"{self.subject}: {self.happened}{f': {said}' if said else ''}"
        return f"{words.rstrip('.')}.{lost} {self.advice}"

    @property
    def codes(self) -> frozenset[int]:
        """Cloudflare's codes; for judging a failure use the class first, since most codes are undocumented."""
        return frozenset(complaint.code for complaint in self.complaints)


class Unreachable(CloudflareError):
    """No answer came. `answer_lost` is false only when the request cannot have reached Cloudflare."""

    advice = "Check the network and any proxy; it is tried again."


class NotSent(Unreachable):
    """Nothing was sent, because the last calls of the token got no answer; `retry_after` is always set."""

    advice = "It is sent once Cloudflare answers another call."


class MalformedAnswer(CloudflareError):
    """The answer is not Cloudflare's envelope (HTML, cut off, a redirect) or lacks what its schema promises."""

    advice = "A proxy may stand in between, or Cloudflare is disturbed; it is tried again."


class ServerFault(CloudflareError):
    """Cloudflare failed (5xx) or gave up waiting for the request (408)."""

    advice = "It is tried again."


class RateLimited(CloudflareError):
    """Too many requests; `retry_after` is always set. `status` is None when our own budget held the call back."""

    advice = "It is tried again when the time is over; other users of the token count too."


class Unauthorized(CloudflareError):
    """The token itself is not accepted."""

    advice = "Put a valid API token into the Secret that the resource refers to."


class PermissionDenied(CloudflareError):
    """The token is known but may not do this; `permission` names what the endpoint needs.

    A token that was made a moment ago can be answered so for a while.
    """

    advice = "A token made moments ago may need a few minutes."

    def __init__(
        self,
        subject: str,
        happened: str,
        *,
        permission: str,
        status: int | None = None,
        complaints: Sequence[Complaint] = (),
    ) -> None:
        self.permission = permission
        super().__init__(subject, happened, status=status, complaints=complaints)

    def _sentence(self) -> str:
        return f"{super()._sentence()} Give the token the permission {self.permission}."


class NotFound(CloudflareError):
    """Cloudflare says that what the path names is not there, or the token cannot see it."""


class AlreadyExists(CloudflareError):
    """Identical certificates are uploaded already (code 1471), or the zone's ruleset was made meanwhile."""

    advice = "Read what is there and use it."


class CertificateInUse(CloudflareError):
    """The certificate is not deleted because a service uses it, or did until a moment ago."""

    advice = "Remove its associations in every zone; their removal can take minutes to be seen."


class QuotaExceeded(CloudflareError):
    """There is no place for one more certificate in the account, or rule in the zone."""

    advice = "Remove one that is not needed, or ask Cloudflare for more."


class AmbiguousZone(CloudflareError):
    """Several zones that the token sees carry the name."""

    advice = "Name the zone by its id."


class Rejected(CloudflareError):
    """Cloudflare refused the request as it stands."""

    advice = "The same request would be refused again: correct what the message names."
