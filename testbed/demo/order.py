"""Whether the writes came in the order that keeps everybody safe.

A rule before the association is in force would lock good clients out; a certificate cannot go while a hostname is
associated with it; and a claim covers the association from before it exists until after it is gone, so that another
installation never takes the hostname away. The same call may be repeated where it stands: that is how the operator
deals with lost answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from testbed.demo.calls import Call, Meaning

SET_UP = (
    Meaning.UPLOAD,
    Meaning.CLAIM_ARRIVING,
    Meaning.ASSOCIATE,
    Meaning.CLAIM_HELD,
    Meaning.BLOCK,
)
REVOCATION = (Meaning.REVOKE,)
TEAR_DOWN = (
    Meaning.UNBLOCK,
    Meaning.UNREVOKE,
    Meaning.CLAIM_LEAVING,
    Meaning.DISSOCIATE,
    Meaning.CLAIM_GONE,
    Meaning.DELETE_CERTIFICATE,
)


def writes(calls: Iterable[Call]) -> tuple[Meaning, ...]:
    """What was written, in order, refused calls left out and repetitions of one call taken together."""
    done = (call.meaning for call in calls if call.writes and call.succeeded)
    return tuple(meaning for meaning, _ in groupby(done))


def differs(calls: Iterable[Call], wanted: tuple[Meaning, ...]) -> str | None:
    """None if the calls wrote exactly what is wanted in that order, else both orders in words."""
    seen = writes(calls)
    return None if seen == wanted else f"wanted: {in_words(wanted)}; seen: {in_words(seen)}"


def in_words(meanings: tuple[Meaning, ...]) -> str:
    """One line."""
    return " -> ".join(meanings) or "nothing"
